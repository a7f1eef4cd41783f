"""A batch continues where it was, whatever ended it, and each item is paid once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from both_frameworks import KEY, Backend, Way, every_framework, make
from killed_batch import items

import langchain_rivya
import llamaindex_rivya
from rivya_core import errors
from rivya_core.adapters.batches.results_file import ResultsFile
from rivya_sandbox import Fault, Sandbox

SCRIPT = Path(__file__).parents[3] / "support" / "killed_batch.py"
BATCHES: dict[str, Any] = {
    "langchain": langchain_rivya.ResumableBatch,
    "llamaindex": llamaindex_rivya.ResumableBatch,
}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.endswith(b"}")]


def written(path: Path) -> int:
    return len(lines(path)) if path.exists() else 0


def charged(sandbox: Sandbox) -> int:
    """How many charges the account's ledger has."""
    return len([entry for entry in sandbox.ledger() if entry.final != 0])


def start(sandbox: Sandbox, way: Way, kind: str, path: Path, count: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "RIVYA_API_KEY": sandbox.api_key, "RIVYA_BASE_URL": sandbox.rivya_url}
    command = [sys.executable, str(SCRIPT), way.framework, kind, str(path), str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def until(done: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not done() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


@every_framework
@pytest.mark.parametrize("kind", ["prompts", "images"])
def test_a_killed_batch_continues_and_pays_each_item_once(
    way: Way, kind: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is killed with -9 several times, after results were written and while others are under way."""
    path, count, rng = tmp_path / "results.jsonl", 24, random.Random(kind)
    for _ in range(3):
        process = start(sandbox, way, kind, path, count)
        enough = written(path) + rng.randint(2, 4)
        until(lambda enough=enough: written(path) >= enough, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    ended = start(sandbox, way, kind, path, count)
    total, succeeded, resumed, failed = map(int, ended.communicate(timeout=120)[0].split())

    assert (total, succeeded, failed) == (count, count, 0)
    assert 6 <= resumed < count
    assert {record["id"] for record in lines(path)} == set(items(count))
    assert charged(sandbox) == count


def local(way: Way, sandbox: Sandbox, name: str = "Rivya", **fields: Any) -> Any:
    url = sandbox.rivya_url if name == "Rivya" else sandbox.gmi_url
    return way.kind(name)(api_key=sandbox.api_key, base_url=url, **fields)


@every_framework
def test_records_hold_replies_in_both_forms(way: Way, sandbox: Sandbox, tmp_path: Path) -> None:
    batch = BATCHES[way.framework](local(way, sandbox), tmp_path / "r.jsonl")
    report = batch.run(items(2))
    first = {record["id"]: record for record in batch.results()}["item-1"]

    assert (report.succeeded, report.failed, report.resumed) == (2, 0, 0)
    assert report.credits == sum(record["credits"]["final"] for record in batch.results())
    assert first["text"] == "1 + 1 = 2"
    assert first["usage"]
    assert first["message"]


@every_framework
def test_a_failed_item_keeps_its_reason_and_is_tried_again(way: Way, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault(Fault(path="/chat/completions", status=400, message="no such thing"))
    batch = BATCHES[way.framework](local(way, sandbox), tmp_path / "r.jsonl", max_concurrency=1)
    report = batch.run(items(3))
    (failed,) = batch.failures()

    assert (report.succeeded, report.failed) == (2, 1)
    assert failed["error"]["type"] == "BadRequestError"
    assert "no such thing" in failed["error"]["message"]

    again = batch.run(items(3))
    assert (again.succeeded, again.failed, again.resumed) == (3, 0, 2)
    assert batch.failures() == []
    assert charged(sandbox) == 3


@every_framework
@pytest.mark.parametrize("status", [401, 402])
def test_what_no_item_survives_ends_the_batch(way: Way, status: int, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault(Fault(path="/chat/completions", status=status))
    batch = BATCHES[way.framework](local(way, sandbox), tmp_path / "r.jsonl", max_concurrency=1)
    with pytest.raises((errors.AuthenticationError, errors.InsufficientCreditsError)):
        batch.run(items(5))

    assert charged(sandbox) == 0
    assert batch.run(items(5)).succeeded == 5


@every_framework
def test_an_answer_that_was_lost_is_not_paid_again(way: Way, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault(Fault(path="/chat/completions", drop="after"))
    batch = BATCHES[way.framework](local(way, sandbox, max_retries=0), tmp_path / "r.jsonl", max_concurrency=1)
    assert batch.run(items(2)).failed == 1
    assert batch.run(items(2)).succeeded == 2

    assert charged(sandbox) == 2


@every_framework
def test_an_id_with_another_input_is_refused(way: Way, sandbox: Sandbox, tmp_path: Path) -> None:
    batch = BATCHES[way.framework](local(way, sandbox), tmp_path / "r.jsonl")
    batch.run({"a": "What is 1 + 1?"})
    before = charged(sandbox)
    for target, prompt, options in [
        (local(way, sandbox), "What is 2 + 2?", {}),
        (local(way, sandbox, model="gpt-5-4-chat"), "What is 1 + 1?", {}),
        (local(way, sandbox, reasoning_effort="low"), "What is 1 + 1?", {}),
        (local(way, sandbox), "What is 1 + 1?", {"enable_web_search": True}),
    ]:
        other = BATCHES[way.framework](target, tmp_path / "r.jsonl")
        with pytest.raises(errors.InvalidInputError, match="'a' has a result for another"):
            other.run({"a": prompt, "b": "Hello"}, **options)

    assert charged(sandbox) == before


@every_framework
@pytest.mark.parametrize(
    "wrong", [[("a", "x"), ("a", "y")], [("", "x")], [(1, "x")], ["ab"], {"a": object()}, {"a": [object()]}]
)
def test_items_that_cannot_be_right_are_refused(way: Way, wrong: Any, tmp_path: Path) -> None:
    backend = Backend()
    batch = BATCHES[way.framework](make(way, "GMI", backend), tmp_path / "r.jsonl")
    with pytest.raises((ValueError, TypeError, AttributeError, NotImplementedError)):
        batch.run(wrong)

    assert not backend.requests


@every_framework
def test_the_key_goes_to_other_providers_too_and_is_the_same_again(way: Way, tmp_path: Path) -> None:
    """Whether they heed it is theirs; it is made from name, id and input."""
    seen = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        backend = Backend()
        BATCHES[way.framework](make(way, "GMI", backend), tmp_path / folder / "r.jsonl").run({"a": "Hi", "b": "Hi"})
        seen.append(sorted(request.headers["idempotency-key"] for request in backend.requests))

    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 2


@every_framework
def test_messages_and_settings_are_inputs_too(way: Way, tmp_path: Path) -> None:
    if way.framework == "langchain":
        messages: Any = [("system", "Be short."), ("human", "Hi")]
    else:
        from llama_index.core.llms import ChatMessage

        messages = [ChatMessage("Be short.", role="system"), ChatMessage("Hi")]
    backend = Backend()
    batch = BATCHES[way.framework](make(way, "GMI", backend), tmp_path / "r.jsonl")

    assert batch.run({"a": messages}).succeeded == 1
    assert batch.run({"a": messages}).resumed == 1
    assert [message["role"] for message in backend.bodies[0]["messages"]] == ["system", "user"]


def test_a_bound_model_is_a_target_and_a_chain_is_not(tmp_path: Path) -> None:
    backend = Backend()
    model = make(Way("langchain"), "GMI", backend)
    batch = langchain_rivya.ResumableBatch(model.bind(temperature=0.5), tmp_path / "r.jsonl")
    batch.run({"a": "Hi"})

    assert backend.bodies[0]["temperature"] == 0.5
    with pytest.raises(errors.ConfigurationError, match="not RunnableSequence"):
        langchain_rivya.ResumableBatch(model | (lambda reply: reply), tmp_path / "r.jsonl")


@every_framework
def test_it_runs_in_an_event_loop(way: Way, tmp_path: Path) -> None:
    batch = BATCHES[way.framework](make(way, "GMI", Backend()), tmp_path / "r.jsonl")

    assert asyncio.run(batch.arun(items(5))).succeeded == 5


@every_framework
def test_a_bar_counts_what_was_there_before(way: Way, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = BATCHES[way.framework](make(way, "GMI", Backend()), tmp_path / "r.jsonl", progress=True)
    batch.run(items(2))
    batch.run(items(4))

    assert "4/4" in capsys.readouterr().err


@every_framework
def test_nothing_secret_is_written(way: Way, tmp_path: Path) -> None:
    def answer(request: Any) -> Any:
        import httpx

        return httpx.Response(400, json={"error": {"message": f"bad key {KEY}"}})

    batch = BATCHES[way.framework](make(way, "GMI", Backend(answer=answer)), tmp_path / "r.jsonl")
    batch.run({"a": "Hi"})

    assert KEY not in (tmp_path / "r.jsonl").read_text()


class TestTheFile:
    @pytest.mark.parametrize("torn", [b'{"id": "b", "sta', b"{", b"\xff\xfe", b'{"id": "b"}'])
    def test_half_a_line_is_cut_off(self, torn: bytes, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        file = ResultsFile(path)
        file.append({"id": "a", "status": "succeeded"})
        path.write_bytes(path.read_bytes() + torn)
        assert [record["id"] for record in file.read()] == ["a"]
        file.cut_off_half_a_line()
        file.append({"id": "b", "status": "succeeded"})

        assert [record["id"] for record in file.read()] == ["a", "b"]

    def test_a_file_of_half_a_line_alone_and_a_long_half(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(b"x" * 200_000)
        ResultsFile(path).cut_off_half_a_line()
        assert path.read_bytes() == b""
        path.write_bytes(b'{"id": "a"}\n' + b"x" * 200_000)
        ResultsFile(path).cut_off_half_a_line()

        assert path.read_bytes() == b'{"id": "a"}\n'

    @pytest.mark.parametrize("line", ["hello", "[]", '{"id": 1}', '{"text": "x"}'])
    def test_a_file_of_something_else_is_refused(self, line: str, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text(f'{{"id": "a"}}\n{line}\n')
        batch = langchain_rivya.ResumableBatch(make(Way("langchain"), "GMI", Backend()), path)

        with pytest.raises(errors.ConfigurationError, match="Line 2"):
            batch.run({"a": "Hi"})
        assert path.read_text().endswith(f"{line}\n")

    def test_a_success_stays_one_whatever_comes_later(self, tmp_path: Path) -> None:
        batch = langchain_rivya.ResumableBatch(make(Way("langchain"), "GMI", Backend()), tmp_path / "r.jsonl")
        for status in ("failed", "succeeded", "failed"):
            batch._file.append({"id": "a", "status": status})

        assert [record["status"] for record in batch.results()] == ["succeeded"]

    def test_only_the_owner_can_read_it(self, tmp_path: Path) -> None:
        ResultsFile(tmp_path / "r.jsonl").append({"id": "a"})

        assert (tmp_path / "r.jsonl").stat().st_mode & 0o077 == 0
