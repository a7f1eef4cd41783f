"""No charged image is lost: after deadlines, cancellations, crashes and disk failures a task is resumed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from image_tools import ImageTools, Slept
from langchain_core.stores import InMemoryByteStore, InMemoryStore
from llama_index.core.storage.kvstore import SimpleKVStore

from langchain_rivya import RivyaImageTool, TaskInterruptedError
from rivya_core.errors import (
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
)
from rivya_core.images.result import GeneratedImage
from rivya_core.images.sqlite_task_store import SQLiteTaskStore
from rivya_core.images.task_store import (
    KeyValueTaskStore,
    MemoryTaskStore,
    TaskRecord,
    TaskStore,
)
from rivya_core.images.tool_backend import task_store_from
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")
CRASHING = Path(__file__).with_name("crashing.py")


def charged(box: Sandbox) -> list[int]:
    return [entry.final or 0 for entry in box.ledger()]


@pytest.mark.parametrize("kept", [None, "tasks.db"])
def test_a_task_is_resumed_after_a_deadline(
    box: Sandbox, tools: ImageTools, tmp_path: Path, kept: str | None, slept: Slept
) -> None:
    """One request, one charge, one image."""
    store = tmp_path / kept if kept else None
    box.tasks.ready_after = 10_000
    tool = tools.tool(deadline=0.05, task_store=store)
    with pytest.raises(TaskTimeoutError, match="Resume it by its id") as caught:
        tools.generate(tool)
    (pending,) = tools.call(tool, "pending")
    assert caught.value.task_id == pending.id == pending.task_id

    box.tasks.ready_after = 1
    later = tools.tool(task_store=store)
    image = tools.call(later, "resume", pending.id)
    assert pending.id == image["task_id"]
    assert ("A red fox" if kept else None) == image["prompt"]
    assert [3] == charged(box)
    if kept:
        assert [] == tools.call(tool, "pending")


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("before the answer", "submitting"),
        ("before it is noted", "submitting"),
        ("while it runs", "running"),
        ("before it is delivered", "running"),
    ],
)
def test_a_task_of_a_killed_process_is_resumed_with_one_charge(
    box: Sandbox, tmp_path: Path, moment: str, state: str
) -> None:
    """`kill -9` between the request and the result, at every moment: another process downloads the image."""
    store, out = tmp_path / "tasks.db", tmp_path / "out"
    box.tasks.ready_after = 1
    command = [sys.executable, str(CRASHING), moment, str(store), str(out)]
    killed = subprocess.run(command, check=False, timeout=60)
    assert -signal.SIGKILL == killed.returncode
    assert 1 == len(box.ledger())

    tool = RivyaImageTool(task_store=store, output_dir=out)
    (pending,) = tool.pending()
    assert state == pending.state
    image = tool.resume(pending.id)

    assert [3] == charged(box)
    assert box.tasks.all[0].id == image["task_id"]
    assert "A lighthouse" == image["prompt"]
    assert Path(image["path"]).read_bytes() == image.content
    assert [Path(image["path"]).name] == [path.name for path in out.iterdir()]
    assert [] == tool.pending()


def test_a_repeated_tool_call_after_a_crash_continues_its_task(box: Sandbox, tmp_path: Path) -> None:
    """A graph that runs its node again after a crash repeats the call's id and arguments; it is not a new request."""
    store = tmp_path / "tasks.db"
    call = {"type": "tool_call", "id": "call_7", "name": "generate_image", "args": {"prompt": "A lighthouse"}}
    box.tasks.ready_after = 10_000
    assert "error" == RivyaImageTool(task_store=store, deadline=0.05).invoke(call).status
    box.tasks.ready_after = 1
    message = RivyaImageTool(task_store=store).invoke(call)

    assert box.tasks.all[0].id == message.artifact["task_id"]
    assert [3] == charged(box)

    again = RivyaImageTool(task_store=store).invoke(call)  # the image was delivered, so this is a new request
    assert message.artifact["task_id"] != again.artifact["task_id"]
    other = {**call, "args": {"prompt": "Another"}}
    assert 3 == len([RivyaImageTool(task_store=store).invoke(other), *box.tasks.all]) - 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="/generations", drop="after", times=9),
        Fault(path="/generations", status=502, processed=True, times=9),
    ],
)
def test_a_create_without_a_response_is_resumed_by_its_key(box: Sandbox, tools: ImageTools, fault: Fault) -> None:
    """The task may exist; the same key returns the same task, charged once."""
    box.fault(fault)
    tool = tools.tool()
    with pytest.raises(TaskError, match=r"unknown whether image task .* was created.*not charged again") as caught:
        tools.generate(tool)
    box.faults.clear()

    assert caught.value.task_id == tools.call(tool, "pending")[0].id
    image = tools.call(tool, "resume", caught.value.task_id)
    assert "A red fox" == image["prompt"]
    assert [3] == charged(box)


def test_a_refused_request_leaves_no_record(box: Sandbox, tools: ImageTools) -> None:
    box.fault(Fault(path="/generations", code="validation_failed", message="No such thing."))
    tool = tools.tool()
    with pytest.raises(BadRequestError, match="No such thing"):
        tools.generate(tool)

    assert [] == tools.call(tool, "pending")
    assert [] == box.ledger()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="/media", status=404),
        Fault(path="/media", status=500, times=99),
        Fault(path="/media", status=200, body=b"<html>", headers={"content-type": "text/html"}),
        Fault(path="/generations", method="GET", status=401),
    ],
)
def test_any_failure_after_the_request_leaves_the_task(box: Sandbox, tools: ImageTools, fault: Fault) -> None:
    """The error names the task and the cause; resuming returns the image."""
    box.fault(fault)
    tool = tools.tool()
    with pytest.raises(TaskError, match=r"Lost contact with image task .*still running") as caught:
        tools.generate(tool)
    box.faults.clear()

    assert caught.value.__cause__ is not None
    assert isinstance(tools.call(tool, "resume", caught.value.task_id), GeneratedImage)
    assert [3] == charged(box)


def test_a_full_disk_leaves_the_task(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    tool = RivyaImageTool(output_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TaskInterruptedError, match="No space left"):
            tool.generate("p")

    assert tool.resume(tool.pending()[0].id).path
    assert [3] == charged(box)


def test_a_cancelled_call_leaves_its_id(
    box: Sandbox, tmp_path: Path, slept: Slept, caplog: pytest.LogCaptureFixture
) -> None:
    """The task is in the store, and the log says how to resume it."""
    tool = RivyaImageTool(task_store=tmp_path / "tasks.db")
    box.tasks.ready_after = 10_000

    async def cancelled() -> None:
        call = asyncio.ensure_future(tool.agenerate("p"))
        while not box.ledger():  # noqa: ASYNC110 - the sandbox runs elsewhere and sends no signal
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with caplog.at_level(logging.WARNING, "rivya"):
        asyncio.run(cancelled())
    (pending,) = tool.pending()
    box.tasks.ready_after = 1

    assert re.search(f"task ({pending.id}|{pending.key}) was interrupted", caplog.text)
    assert tool.resume(pending.id)["task_id"] == box.tasks.all[0].id
    assert [3] == charged(box)


@pytest.mark.parametrize("request_cut", [True, False])
def test_an_interrupt_leaves_its_id(
    box: Sandbox, slept: Slept, request_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a notebook, while the request is sent or the task is polled."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    tool = RivyaImageTool()
    with monkeypatch.context() as patch:
        if request_cut:
            patch.setattr("rivya_core.images.api.read_task", interrupt)
        else:
            slept.then = interrupt
        with pytest.raises(KeyboardInterrupt) as caught:
            tool.generate("p")
    slept.then = lambda _: None
    (pending,) = tool.pending()

    assert pending.id == caught.value.task_id  # type: ignore[attr-defined]
    assert tool.resume(pending.id)
    assert [3] == charged(box)


def test_a_failed_task_is_not_pending(box: Sandbox, tools: ImageTools) -> None:
    box.fault(Fault(task="fail_null"))
    tool = tools.tool()
    with pytest.raises(TaskFailedError):
        tools.generate(tool)

    assert [] == tools.call(tool, "pending")
    assert [0] == charged(box)


def test_a_task_without_a_record_is_resumed_by_its_id(box: Sandbox, tools: ImageTools) -> None:
    """An id that the provider does not know is a clear error."""
    other = tools.generate(tools.tool())
    tool = tools.tool()

    again = tools.call(tool, "resume", other["task_id"])
    assert (other["id"], other["model"]) == (again["id"], again["model"])
    with pytest.raises(NotFoundError, match="Check the task id"):
        tools.call(tool, "resume", "task_nonsense")


def test_a_store_that_fails_before_the_request_stops_it(box: Sandbox, tools: ImageTools, tmp_path: Path) -> None:
    """Without a record, nothing is charged."""
    invalid = tmp_path / "tasks.db"
    invalid.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigurationError, match=r"nothing was sent.*not a database"):
        tools.generate(tools.tool(task_store=invalid))

    assert [] == box.ledger()


def test_a_store_that_fails_afterwards_does_not_affect_the_image(
    box: Sandbox, tools: ImageTools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put = MemoryTaskStore.put

    def fail_later(self: MemoryTaskStore, record: TaskRecord) -> None:
        if record.task_id:
            raise OSError("disk gone")
        put(self, record)

    monkeypatch.setattr(MemoryTaskStore, "put", fail_later)
    assert isinstance(tools.generate(tools.tool()), GeneratedImage)
    assert "was not stored" in caplog.text


def test_an_image_of_another_process_can_be_named(box: Sandbox, tmp_path: Path) -> None:
    """With a store, an agent may change an image from before a restart, but not an image of another account."""
    store = tmp_path / "tasks.db"
    image = RivyaImageTool(task_store=store, output_dir=tmp_path).generate("p")
    later = RivyaImageTool(task_store=store)
    assert later.invoke({"prompt": "wider", "reference_images": [image["id"]]}).startswith("Image img_")

    box.add_key("rvya_sk_other", account="other")
    stranger = RivyaImageTool(task_store=store, api_key="rvya_sk_other")
    assert "There is no image" in stranger.invoke({"prompt": "wider", "reference_images": [image["id"]]})
    assert [] == stranger.pending()


STORES = {
    "memory": lambda _: MemoryTaskStore(),
    "sqlite": lambda path: SQLiteTaskStore(path / "tasks.db"),
    "langchain": lambda _: _langchain(InMemoryStore()),
    "langchain bytes": lambda _: _langchain(InMemoryByteStore()),
    "llamaindex": lambda _: _llamaindex(SimpleKVStore()),
}


def _langchain(store: Any) -> TaskStore:
    from langchain_rivya.tools.stores import as_task_store

    return as_task_store(store)


def _llamaindex(store: Any) -> TaskStore:
    from llamaindex_rivya.tools.stores import as_task_store

    return as_task_store(store)


@pytest.mark.parametrize("kind", STORES)
def test_all_stores_behave_the_same(kind: str, tmp_path: Path) -> None:
    store = STORES[kind](tmp_path)
    first = TaskRecord("a1", "me", {"model": "m", "prompt": "ü"}, created_at=1.0)
    second = TaskRecord("b2", "me", {}, "running", "task_2", created_at=2.0)
    store.put(second)
    store.put(first)
    assert first == store.get("a1")
    assert second == store.get("b2") == store.get("task_2")
    assert None is store.get("missing")
    assert {"a1", "b2"} == {record.key for record in store.unfinished()}

    done = TaskRecord("b2", "me", {}, "done", "task_2", ({"id": "img_1", "more": []},), 2.0)
    store.put(done)
    assert [first] == store.unfinished()
    assert done == store.with_image("img_1")
    assert None is store.with_image("img_2")
    store.drop("a1")
    assert [] == store.unfinished()
    assert None is store.get("a1")


@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
def test_invalid_records_in_a_shared_store_are_skipped(kind: str) -> None:
    """Other applications may use the same keys."""
    store = STORES[kind](Path())
    assert isinstance(store, KeyValueTaskStore)
    good = TaskRecord("a1", "me", {}, "running", "t")
    store.put(good)
    garbage = [
        "",
        "{",
        "[]",
        "5",
        '{"key": 1, "origin": "me", "body": {}}',
        '{"key": "k", "origin": "o", "body": {}, "state": "x"}',
        '{"key": "k"}',
    ]
    for number, text in enumerate(garbage):
        store._values.write(f"rivya_task_{number}", text)

    assert [good] == store.unfinished()
    assert None is store.get("0")


def test_values_that_are_not_text_are_skipped() -> None:
    langchain, llamaindex = InMemoryStore(), SimpleKVStore()
    langchain.mset([("rivya_task_a", {"a": 1})])
    llamaindex.put("rivya_task_a", {"record": 5}, collection="rivya_image_tasks")

    assert None is _langchain(langchain).get("a")
    assert None is _llamaindex(llamaindex).get("a")


def test_memory_drops_finished_tasks_first() -> None:
    store = MemoryTaskStore(size=2)
    store.put(TaskRecord("open", "me", {}))
    store.put(TaskRecord("done", "me", {}, "done"))
    store.put(TaskRecord("new", "me", {}))
    assert ["open", "new"] == [record.key for record in store.unfinished()]
    store.put(TaskRecord("newer", "me", {}))
    assert ["new", "newer"] == [record.key for record in store.unfinished()]


def test_a_store_file_is_private_and_holds_no_key(box: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    RivyaImageTool(task_store=str(path)).generate("p")

    assert 0o600 == path.stat().st_mode & 0o777
    assert box.api_key.encode() not in path.read_bytes()


def test_an_invalid_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="`task_store` must be the path"):
        task_store_from(5)
    own = MemoryTaskStore()
    assert own is task_store_from(own)


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_tools_accept_their_frameworks_stores(box: Sandbox, framework: str) -> None:
    tools = ImageTools(framework, "sync")
    store: Any = InMemoryByteStore() if framework == "langchain" else SimpleKVStore()
    box.tasks.ready_after = 10_000
    with pytest.raises(TaskTimeoutError):
        tools.generate(tools.tool(task_store=store, deadline=0.05))
    box.tasks.ready_after = 1
    tool = tools.tool(task_store=store)

    assert "A red fox" == tool.resume(tool.pending()[0].id)["prompt"]
