"""The drivers: steps are carried out, failures are thrown into the plan, streams are settled or abandoned, never both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from both_drivers import Runner
from reading import RIVYA, TEXT, frames, message

from rivya_core import errors
from rivya_core.http.drivers import AsyncDriver
from rivya_core.http.plan import Plan, Streaming, call, pause
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.rivya.wire import RivyaStreamDecoder

URL = "https://rivya.test/api/v1/chat/completions/stream"
EVENTS = {"content-type": "text/event-stream"}
BODY = next(path for path in RIVYA if path.stem == "named").read_bytes()


def watched(notes: list[str], settle: Callable[[], None] = lambda: None) -> Plan[Streaming[Any]]:
    """A stream that notes how it ended."""
    response = yield from send_with_retries(httpx.Request("POST", URL, content=b"{}"), RetryPolicy(0), keep_open=True)

    def settled(closing: Any) -> Plan[Any]:
        yield from call(settle)
        notes.append("settled")
        return closing

    def abandon() -> Plan[None]:
        yield from call(lambda: notes.append("abandoned"))

    return Streaming(response, RivyaStreamDecoder(response), settled, abandon)


def test_steps_are_carried_out_in_order(runner: Runner) -> None:
    """A pause is a value until a driver takes it; blocking work is done off the event loop."""

    def plan() -> Plan[tuple[int, bool]]:
        yield from pause(1.5)
        here = yield from call(lambda: threading.current_thread() is threading.main_thread())
        yield from pause(0.5)
        return 7, here

    assert runner.run(plan()) == (7, runner.kind == "sync")
    assert runner.slept == [1.5, 0.5]


def test_a_failed_step_is_the_plans_business(runner: Runner) -> None:
    def plan() -> Plan[str]:
        try:
            yield from call(lambda: 1 // 0)
        except ZeroDivisionError:
            yield from pause(3.0)
            return "mended"
        return "not raised"

    assert runner.run(plan()) == "mended"
    assert runner.slept == [3.0]


@respx.mock
def test_a_whole_stream_is_settled_before_its_closing_events_come(runner: Runner) -> None:
    respx.post(URL).respond(headers=EVENTS, content=BODY)
    notes: list[str] = []
    events = runner.stream(watched(notes))

    assert message(events)[0] == TEXT
    assert notes == ["settled"]


@respx.mock
def test_a_stream_that_is_left_is_abandoned(runner: Runner) -> None:
    respx.post(URL).respond(headers=EVENTS, content=BODY)
    notes: list[str] = []

    assert len(runner.stream(watched(notes), stop_after=2)) == 2
    assert notes == ["abandoned"]


@respx.mock
def test_a_stream_that_is_left_at_its_last_event_is_not_abandoned(runner: Runner) -> None:
    """It is settled already, so leaving it changes nothing."""
    respx.post(URL).respond(headers=EVENTS, content=frames('{"delta":"a"}', "[DONE]"))
    notes: list[str] = []

    assert len(runner.stream(watched(notes), stop_after=2)) == 2
    assert notes == ["settled"]


BROKEN = {
    "stops": frames('{"delta":"a"}'),
    "error": frames('{"delta":"a"}', '{"error":{"code":"internal_error","message":"x"}}'),
    "page": b"<html>502</html>",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@respx.mock
def test_a_stream_that_fails_is_abandoned(runner: Runner, body: bytes) -> None:
    respx.post(URL).respond(headers=EVENTS, content=body)
    notes: list[str] = []

    with pytest.raises(errors.RivyaError):
        runner.stream(watched(notes))
    assert notes == ["abandoned"]


@respx.mock
def test_a_stream_that_cannot_be_settled_is_abandoned(runner: Runner) -> None:
    respx.post(URL).respond(headers=EVENTS, content=BODY)
    notes: list[str] = []

    def fail() -> None:
        raise errors.LedgerError("down")

    with pytest.raises(errors.LedgerError):
        runner.stream(watched(notes, fail))
    assert notes == ["abandoned"]


@respx.mock
def test_an_opening_that_fails_is_neither(runner: Runner) -> None:
    respx.post(URL).respond(401)
    notes: list[str] = []

    with pytest.raises(errors.AuthenticationError):
        runner.stream(watched(notes))
    assert notes == []


def test_a_cancelled_caller_waits_for_blocking_work_to_end() -> None:
    """What is cleaned up afterwards must find it done, not half done."""
    begun, may_end, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        done.set()

    def plan() -> Plan[None]:
        try:
            yield from call(work)
        finally:
            assert done.is_set()

    async def cancel() -> None:
        task = asyncio.ensure_future(AsyncDriver(httpx.AsyncClient).run(plan()))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert done.is_set()


@respx.mock
def test_cancelling_a_stream_abandons_it() -> None:
    notes: list[str] = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield frames('{"delta":"a"}')
            await asyncio.sleep(60)

    respx.post(URL).mock(return_value=httpx.Response(200, headers=EVENTS, stream=Endless()))

    async def cancel() -> None:
        async with httpx.AsyncClient() as client:
            events = AsyncDriver(lambda: client).stream(watched(notes))
            assert (await anext(events)).text == "a"
            task = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    assert notes == ["abandoned"]
