"""How long tasks took: kept in the process and in the task stores, for other processes too. Nothing waits."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_tools import ImageTools, Slept, image_file
from langchain_core.stores import InMemoryByteStore, InMemoryStore
from llama_index.core.storage.kvstore import SimpleKVStore

from langchain_rivya.tools.stores import as_task_store as from_langchain
from llamaindex_rivya.tools.stores import as_task_store as from_llamaindex
from rivya_core.http.drivers import Driver
from rivya_core.http.plan import Plan
from rivya_core.images import durations
from rivya_core.images.api import ImageTask
from rivya_core.images.durations import ProcessDurations, kinds_of, known_durations, note_duration
from rivya_core.images.sqlite_task_store import SQLiteTaskStore
from rivya_core.images.task_store import MOST_DURATIONS, DurationStore, MemoryTaskStore, TaskRecord
from rivya_core.images.uploads import UploadCache
from rivya_sandbox import Sandbox

STORES: dict[str, Callable[[Path], Any]] = {
    "process": lambda _: ProcessDurations(),
    "sqlite": lambda path: SQLiteTaskStore(path / "tasks.db"),
    "langchain": lambda _: from_langchain(InMemoryStore()),
    "langchain bytes": lambda _: from_langchain(InMemoryByteStore()),
    "llamaindex": lambda _: from_llamaindex(SimpleKVStore()),
}
WORKER = """
import sys, time
time.sleep = lambda _: None
from langchain_rivya import RivyaImageTool
tool = RivyaImageTool(progress=False)
for _ in range(int(sys.argv[1])):
    tool.generate("A lighthouse")
"""


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has seen no task yet."""
    monkeypatch.setattr(durations, "IN_PROCESS", ProcessDurations())


@pytest.fixture
def box(box: Sandbox, slept: Slept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox whose tasks take 40 s by its own clock, which only the pauses of the tools move."""
    now = [1_000_000.0]
    monkeypatch.setattr(box, "clock", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    slept.then = move
    box.tasks.ready_in = 40.0
    yield box
    box.tasks.ready_in = None


def record(model: str = "z-image", origin: str = "me", **params: Any) -> TaskRecord:
    return TaskRecord("k", origin, {"model": model, "prompt": "p", "params": params}, "running", "t")


def run(plan: Plan[Any]) -> Any:
    """Run a plan that only asks stores."""
    return Driver(httpx.Client).run(plan)


def note(store: Any, seconds: float, of: TaskRecord) -> None:
    ended = f"2026-01-01T00:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"
    task = ImageTask("t", "succeeded", created_at="2026-01-01T00:00:00Z", updated_at=ended)
    run(note_duration(store, of, task))


@pytest.mark.parametrize("kind", STORES)
def test_every_store_returns_the_newest_durations_of_a_kind(kind: str, tmp_path: Path) -> None:
    store = STORES[kind](tmp_path)
    assert isinstance(STORES[kind](tmp_path), DurationStore)
    for number in range(30):
        store.add_duration(("a", "b"), float(number))
    store.add_duration(("b",), 99.5)

    assert [float(number) for number in range(10, 30)] == list(store.durations("a"))
    assert 99.5 == store.durations("b")[-1]
    assert MOST_DURATIONS == len(store.durations("b"))
    assert [] == list(store.durations("c"))
    if not isinstance(store, ProcessDurations):
        assert [] == store.unfinished()
        assert None is store.get("a")


def test_a_file_keeps_no_more_durations_than_count(tmp_path: Path) -> None:
    store = SQLiteTaskStore(tmp_path / "tasks.db")
    for number in range(50):
        store.add_duration(("a", "b"), float(number))

    with closing(sqlite3.connect(tmp_path / "tasks.db")) as database:
        assert [2 * MOST_DURATIONS] == list(database.execute("SELECT COUNT(*) FROM durations").fetchone())


@pytest.mark.parametrize("found", ["{", "5", "null", '{"a": 1}', '["x", null, [], true, 3.5]'])
def test_what_others_wrote_under_the_same_key_is_skipped(found: str) -> None:
    values = InMemoryStore()
    values.mset([("rivya_durations_a", found)])
    store: Any = from_langchain(values)
    assert ([3.5] if "3.5" in found else []) == store.durations("a")
    store.add_duration(("a",), 2.0)
    assert 2.0 == store.durations("a")[-1]


def test_the_process_forgets_the_kinds_that_were_not_used_for_longest() -> None:
    known = ProcessDurations()
    for number in range(durations.MOST_KINDS + 1):
        known.add_duration((str(number),), 1.0)
    assert [] == known.durations("0")
    assert [1.0] == known.durations("1")


def test_what_decides_the_duration_makes_the_kind() -> None:
    """Account, model, options and whether there are references; not the prompt, a seed or what to leave out."""
    plain = kinds_of(record())
    assert plain == kinds_of(record(seed=5, negative_prompt="text"))
    others = [record(resolution="4K"), record(model="m"), record(origin="you"), record(referenceMediaItems=[{}])]
    assert 5 == len({plain[0], *(kinds_of(one)[0] for one in others)})
    assert plain[1] == kinds_of(record(resolution="4K"))[1]
    assert () == kinds_of(TaskRecord("t", "me", {}, "running", "t"))


def test_other_options_of_the_model_count_until_enough_is_known() -> None:
    store = MemoryTaskStore()
    for seconds in (10, 11, 12):
        note(store, seconds, record(resolution="1K"))
    assert [10.0, 11.0, 12.0] == run(known_durations(store, record(resolution="4K")))
    for seconds in (50, 51, 52):
        note(store, seconds, record(resolution="4K"))
    assert [50.0, 51.0, 52.0] == run(known_durations(store, record(resolution="4K")))
    assert [10.0, 11.0, 12.0] == run(known_durations(store, record(resolution="1K")))
    assert [] == run(known_durations(store, record(model="other")))
    assert [] == run(known_durations(store, record(origin="other")))


@pytest.mark.parametrize(
    ("created", "updated"),
    [
        (None, None),
        ("x", "y"),
        ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:09Z"),
    ],
)
def test_times_that_make_no_sense_teach_nothing(created: str | None, updated: str | None) -> None:
    task = ImageTask("t", "succeeded", created_at=created, updated_at=updated)
    run(note_duration(MemoryTaskStore(), record(), task))
    assert [] == run(known_durations(MemoryTaskStore(), record()))


class PlainStore:
    """A store of an application that has the published methods only."""

    durable = True

    def __init__(self) -> None:
        own = MemoryTaskStore()
        self.put, self.get, self.drop = own.put, own.get, own.drop
        self.unfinished, self.with_image = own.unfinished, own.with_image


class BrokenStore(PlainStore):
    """A store whose durations cannot be used."""

    found: Any = None

    def add_duration(self, kinds: Sequence[str], seconds: float) -> None:
        raise OSError("full")

    def durations(self, kind: str) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize("found", [OSError("gone"), None, ["x"], 5, [{}]])
def test_a_store_that_fails_does_not_matter(found: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = BrokenStore()
    store.found = found
    with caplog.at_level(logging.WARNING, "rivya"):
        note(store, 12, record())
        assert [12.0] == run(known_durations(store, record()))
    assert 2 == caplog.text.count("The task store failed")


@pytest.mark.parametrize("store", [PlainStore, MemoryTaskStore], ids=["published methods", "memory"])
def test_a_process_learns_without_help_of_the_store(
    box: Sandbox, tools: ImageTools, slept: Slept, store: Callable[[], Any]
) -> None:
    """The first task is polled as usual; the second, of another tool, near the moment at which it is ready."""
    tools.generate(tools.tool(task_store=store()))
    assert 2.0 <= slept[0] <= 2.5
    first = len(slept)
    tools.generate(tools.tool(task_store=store()))
    assert 10.0 == slept[first]
    assert len(slept) - first < first


def test_another_process_knows_the_durations(
    box: Sandbox, tools: ImageTools, slept: Slept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers that share `RIVYA_TASK_STORE`: what one has learnt is known to the other at its first task."""
    monkeypatch.setenv("RIVYA_TASK_STORE", str(tmp_path / "tasks.db"))
    clock = iter(range(0, 10_000_000, 40))
    with monkeypatch.context() as patch:  # the worker's pauses do not move the clock, so each request does
        patch.setattr(box, "clock", lambda: float(next(clock)))
        subprocess.run([sys.executable, "-c", WORKER, "5"], check=True, timeout=60)

    image = tools.generate(tools.tool())
    assert 10.0 == slept[0]
    assert 40.0 <= sum(slept) <= 40.5
    assert 3 >= image.timings["polls"]


@pytest.mark.parametrize("kept", [None, "tasks.db"])
def test_a_batch_learns_from_its_first_images(
    box: Sandbox, tools: ImageTools, slept: Slept, tmp_path: Path, kept: str | None
) -> None:
    tool = tools.tool(task_store=tmp_path / kept if kept else None)
    images = list(tools.call(tool, "generate_many", ["one", "two", "three", "four", "five"], max_concurrency=1))
    polls = [image.timings["polls"] for image in images]
    assert polls[0] >= 6
    assert max(polls[3:]) <= 3


def test_a_resumed_task_is_expected_at_its_age(
    box: Sandbox, tools: ImageTools, slept: Slept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was submitted 30 s ago by a process that is gone."""
    store = tmp_path / "tasks.db"
    for _ in range(4):
        tools.generate(tools.tool(task_store=store))
    assert "was submitted" in tools.ask(tools.tool(task_store=store, wait=False), prompt="A red fox")
    (pending,) = SQLiteTaskStore(store).unfinished()
    slept.then(30.0)
    monkeypatch.setattr("time.time", lambda: pending.created_at + 30.0)
    before = len(slept)
    tools.call(tools.tool(task_store=store), "resume", pending.id)
    assert 9.5 <= slept[before] <= 11.0
    assert before + 1 == len(slept)


def test_a_task_that_an_agent_asks_about_teaches_its_duration_once(
    box: Sandbox, tools: ImageTools, slept: Slept, tmp_path: Path
) -> None:
    """Also if it asks again about an image that it has."""
    store = SQLiteTaskStore(tmp_path / "tasks.db")
    tool = tools.tool(task_store=store, wait=False)
    tools.ask(tool, prompt="A red fox")
    (pending,) = store.unfinished()
    slept.then(50.0)
    for _ in range(3):
        tools.call(tool, "resume", pending.id)
    assert [40.0] == store.durations(kinds_of(pending)[0])


def test_the_upload_of_references_is_not_part_of_the_duration(
    box: Sandbox, tools: ImageTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age of a task counts from its request, which is sent after the upload."""
    items, uploaded = UploadCache.items, list[float]()

    def upload(*given: Any) -> Plan[Any]:
        done = yield from items(*given)
        uploaded.append(time.time())
        return done

    monkeypatch.setattr(UploadCache, "items", upload)
    store = SQLiteTaskStore(tmp_path / "tasks.db")
    tool = tools.tool(task_store=store, model="nano-banana", wait=False)
    tools.generate(tool, reference_images=[image_file()])
    kept = store.get(box.tasks.all[0].id)
    assert kept is not None
    assert uploaded[0] <= kept.created_at


def test_a_store_of_the_version_before_is_read_and_learns(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    old = sqlite3.connect(path)
    old.executescript(
        """
        CREATE TABLE tasks (key TEXT PRIMARY KEY, task_id TEXT, state TEXT, created_at REAL, record TEXT);
        CREATE TABLE images (id TEXT PRIMARY KEY, key TEXT);
        """
    )
    row = {"key": "k", "origin": "me", "body": {}, "state": "running", "task_id": "t", "images": [], "created_at": 1.0}
    old.execute("INSERT INTO tasks VALUES ('k', 't', 'running', 1.0, ?)", (json.dumps(row),))
    old.commit()
    store = SQLiteTaskStore(path)
    assert ["k"] == [one.key for one in store.unfinished()]
    assert [] == store.durations("a")
    store.add_duration(("a",), 2.5)
    assert [2.5] == SQLiteTaskStore(path).durations("a")
    old.execute("INSERT OR REPLACE INTO tasks VALUES ('k', 't', 'done', 1.0, ?)", (json.dumps(row),))  # still writes
    old.commit()
    old.close()


def test_a_record_of_a_newer_version_is_read() -> None:
    newer = {**json.loads(record().to_json()), "seconds": 4.5}
    assert TaskRecord.from_json(json.dumps(newer)).key == "k"  # type: ignore[union-attr]
