"""Models and image tools on engines for many machines, with two workers: `make test-engines` installs the engines.

Each run must give the replies of a local one, in order, charged once each, under one rate limit.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import engine_tasks
import pytest
import redis_server

import langchain_rivya
import llamaindex_rivya
from rivya_sandbox import Sandbox

SUPPORT = Path(__file__).parents[1] / "support"
ROOT = SUPPORT.parents[1]
PROMPTS = [f"What is {number} + {number}?" for number in range(20)]
REPLIES = [f"{number} + {number} = {2 * number}" for number in range(20)]
PER_MINUTE = 600
Function = Callable[[Any, Any], Any]

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the engines' own
]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    if (reason := redis_server.why_not()) is not None:
        pytest.skip(reason)
    with redis_server.running() as server:
        yield server.url


@pytest.fixture(autouse=True)
def environment(sandbox: Sandbox, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The workers' environment: key, URL, Redis, and where the code is."""
    variables = {
        "RIVYA_API_KEY": sandbox.api_key,
        "RIVYA_BASE_URL": sandbox.rivya_url,
        "RIVYA_REDIS_URL": redis_url,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(SUPPORT)]),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def with_joblib(work: Function, thing: Any, inputs: list[str]) -> list[Any]:
    joblib = pytest.importorskip("joblib")
    return joblib.Parallel(n_jobs=2)(joblib.delayed(work)(thing, one) for one in inputs)


def with_dask(work: Function, thing: Any, inputs: list[str]) -> list[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(n_workers=2, threads_per_worker=2, dashboard_address=None) as client:
        return client.gather(client.map(lambda one: work(thing, one), inputs, pure=False))


def with_ray(work: Function, thing: Any, inputs: list[str]) -> list[Any]:
    ray = pytest.importorskip("ray")
    names = ("RIVYA_API_KEY", "RIVYA_BASE_URL", "RIVYA_REDIS_URL", "PYTHONPATH")
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {name: os.environ[name] for name in names}})
    try:
        data = importlib.import_module("ray.data")
        rows = data.from_items(
            [{"place": place, "input": one} for place, one in enumerate(inputs)], override_num_blocks=4
        )
        done = rows.map(lambda row: {"place": row["place"], "output": work(thing, row["input"])}).take_all()
        return [row["output"] for row in sorted(done, key=lambda row: row["place"])]
    finally:
        ray.shutdown()


def with_spark(work: Function, thing: Any, inputs: list[str]) -> list[Any]:
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        return session.sparkContext.parallelize(inputs, 4).map(lambda one: work(thing, one)).collect()
    finally:
        session.stop()


ENGINES = {"joblib": with_joblib, "dask": with_dask, "ray": with_ray, "spark": with_spark}
every_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.parametrize("package", [langchain_rivya, llamaindex_rivya], ids=lambda package: package.__name__)
@every_engine
def test_a_shipped_model_answers_as_a_local_one(engine: str, package: Any, sandbox: Sandbox, redis_url: str) -> None:
    limiter = package.SharedRateLimiter(PER_MINUTE, store=redis_url, name=f"{engine}-{package.__name__}")
    kind = getattr(package, "ChatRivya", None) or package.Rivya
    began = time.monotonic()
    replies = ENGINES[engine](engine_tasks.ask, kind(rate_limiter=limiter), PROMPTS)

    assert replies == REPLIES
    assert time.monotonic() - began >= (len(PROMPTS) - 1) * 60 / PER_MINUTE
    assert len(sandbox.ledger()) == len(PROMPTS)


@pytest.mark.parametrize("kind", [langchain_rivya.RivyaImageTool, llamaindex_rivya.RivyaImageToolSpec])
@every_engine
def test_a_shipped_image_tool_makes_images_with_a_shared_task_store(
    engine: str, kind: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    tool = kind(output_dir=tmp_path, task_store=tmp_path / "tasks.db")
    paths = ENGINES[engine](engine_tasks.draw, tool, [f"A lighthouse, number {number}" for number in range(4)])

    assert len({Path(path).read_bytes()[:4] for path in paths}) == 1
    assert len(set(paths)) == 4
    assert len(sandbox.ledger()) == 4
    assert tool.pending() == []


@pytest.mark.parametrize(
    ("task", "inputs"), [("ask", PROMPTS), ("ask LlamaIndex", PROMPTS), ("draw", [f"Lighthouse {n}" for n in range(4)])]
)
def test_celery(task: str, inputs: list[str], sandbox: Sandbox, environment: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("celery")
    environment["RIVYA_TASK_STORE"] = str(tmp_path / "tasks.db")
    command = [sys.executable, "-m", "celery", "-A", "engine_queue", "worker", "-c", "2", "-l", "error"]
    worker = subprocess.Popen(command, env={**os.environ, **environment}, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        app = importlib.import_module("engine_queue").app
        sent = [app.send_task(task, args=[one]) for one in inputs]
        outputs = [result.get(timeout=60) for result in sent]
    finally:
        worker.terminate()
        worker.wait(20)

    assert len(sandbox.ledger()) == len(inputs)
    if task == "draw":
        assert len(set(outputs)) == len(inputs)
        assert langchain_rivya.RivyaImageTool(task_store=tmp_path / "tasks.db").pending() == []
        assert all((tmp_path / output).is_file() for output in [*outputs, "tasks.db"])
    else:
        assert outputs == REPLIES
