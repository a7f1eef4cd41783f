"""Point 11: event loops, threads, streams left early, copies."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from llama_backend import EVENTS, Raw, Reply
from llama_calls import user


def slow(backend, pieces=200):
    """A stream of several seconds, in the wire of the class under test."""

    def answer(request):
        raw = backend.wire.render(Reply(("word ",) * pieces), request)
        return Raw(raw.pieces, headers=EVENTS, pause=0.02)

    return answer


def test_event_loops_come_and_go(llm):
    """Four `asyncio.run` in a row, each with a loop of its own."""
    for _ in range(4):
        assert asyncio.run(llm.achat([user("Hi")])).message.content == "ok"


def test_threads_share_a_model(llm, backend):
    """Sixteen calls from eight threads."""
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda n: llm.chat([user(f"Hi {n}")]).message.content, range(16)))

    assert texts == ["ok"] * 16
    assert len(backend.requests) == 16


def test_streams_run_side_by_side(llm, backend):
    """Ten streams at once do not mix."""
    backend.say(*[lambda request: Reply(tuple(f"{request.body}"))] * 10)

    async def one(number: int) -> str:
        text = ""
        async for chunk in await llm.astream_chat([user(f"number {number} of many")]):
            text += chunk.delta
        return text

    async def every() -> list[str]:
        return await asyncio.gather(*(one(number) for number in range(10)))

    for number, text in enumerate(asyncio.run(every())):
        assert f"number {number} of many" in text


@pytest.mark.parametrize("name", ["stream_chat", "stream_complete"])
def test_a_stream_left_early_frees_the_connection_at_once(llm, backend, calls, name):
    """`close()` and `aclose()` end the request themselves, before the loop or the collector comes by."""
    backend.say(slow(backend))
    closed = []

    def gone() -> None:
        closed.append(name)
        assert backend.requests[0].left.wait(2)

    calls.some(llm, name, 2, "Hi" if "complete" in name else [user("Hi")], then=gone)

    assert closed
    assert backend.requests[0].written < 100


def test_a_cancelled_task_frees_the_connection(llm, backend):
    """Cancelling the task that reads a stream ends the request."""
    backend.say(slow(backend))

    async def read() -> None:
        async for _ in await llm.astream_chat([user("Hi")]):
            pass

    async def run() -> None:
        task = asyncio.ensure_future(read())
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(backend.requests[0].left.wait, 2)

    asyncio.run(run())


def test_streams_in_a_row_share_a_connection(llm, backend):
    """A stream that was read to its end gives its connection back."""
    for _ in range(5):
        list(llm.stream_chat([user("Hi")]))

    assert backend.connections <= 1  # an earlier test's may still be open


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda llm: pickle.loads(pickle.dumps(llm))])
def test_copies_of_a_used_model_work(make, backend, calls, how):
    """A copy keeps its configuration and can be used."""
    llm = make(model="other-model", max_retries=7)
    calls.run(llm, "chat", [user("Hi")])

    twin = how(llm)

    assert (twin.model, twin.max_retries) == ("other-model", 7)
    assert calls.run(twin, "chat", [user("Hi")]).message.content == "ok"
    assert calls.run(llm, "chat", [user("Hi")]).message.content == "ok"
    assert backend.requests[1].body["model"] == "other-model"


def test_the_event_loop_stays_responsive(llm, backend):
    """A slow answer does not block the loop."""
    backend.say(lambda request: time.sleep(0) or Raw(backend.wire.render(Reply("ok"), request).pieces, pause=0.1))
    ticks = []

    async def tick() -> None:
        while True:
            ticks.append(threading.get_ident())
            await asyncio.sleep(0.01)

    async def run() -> None:
        ticking = asyncio.ensure_future(tick())
        await llm.achat([user("Hi")])
        ticking.cancel()

    asyncio.run(run())

    assert len(ticks) > 3
