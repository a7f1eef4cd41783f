"""Plans that run together, and bodies that come piece by piece: through both drivers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import httpx
import pytest

from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.plan import Pause, Plan, Receive, call, pause, together


class Way:
    """A driver of one sort, with a transport that answers by function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.slept: list[float] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200)

    def run(self, plan: Plan[Any], **client: Any) -> Any:
        transport = httpx.MockTransport(lambda request: self.answer(request))
        if self.name == "sync":
            made = httpx.Client(transport=transport, **client)
            return Driver(lambda: made, self.slept.append).run(plan)

        async def pause(seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.sleep(0)

        async def whole() -> Any:
            made = httpx.AsyncClient(transport=transport, **client)
            return await AsyncDriver(lambda: made, pause).run(plan)

        return asyncio.run(whole())


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.param)


def value(number: int) -> Plan[int]:
    yield from pause(number)
    return number * number


def test_results_come_in_the_order_of_the_plans(way: Way) -> None:
    assert [number * number for number in range(20)] == way.run(together([value(n) for n in range(20)], 4))
    assert sorted(range(20)) == sorted(way.slept)


@pytest.mark.parametrize("at_once", [1, 3, 50])
def test_so_many_run_at_a_time_and_no_more(way: Way, at_once: int) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def busy() -> Plan[None]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        for _ in range(20):
            yield from pause(0)
            yield from call(lambda: threading.Event().wait(0.0005))
        with lock:
            running -= 1

    way.run(together([busy() for _ in range(10)], at_once))
    assert (1 if at_once == 1 else 2) <= most <= min(at_once, 10)


def test_none_is_none(way: Way) -> None:
    assert [] == way.run(together([], 5))


def test_the_first_failure_is_the_steps_and_the_rest_is_left_out(way: Way) -> None:
    """The plan that asked gets it and may continue; plans that have not begun never do."""
    begun: list[int] = []

    def one(number: int) -> Plan[None]:
        begun.append(number)
        yield from pause(0)
        if number == 1:
            raise IndexError("number one")

    def asking() -> Plan[str]:
        try:
            yield from together([one(number) for number in range(50)], 2)
        except IndexError as error:
            return f"caught {error}"
        return "nothing"

    assert "caught number one" == way.run(asking())
    assert len(begun) < 50


def test_plans_may_run_plans_together(way: Way) -> None:
    def pair(number: int) -> Plan[list[int]]:
        return (yield from together([value(number), value(number + 1)], 2))

    assert [[0, 1], [1, 4], [4, 9]] == way.run(together([pair(n) for n in range(3)], 2))


def test_each_sees_the_callers_context(way: Way) -> None:
    """Tracing and stream writers of frameworks live in context variables."""
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("here")

    def look() -> Plan[str]:
        yield from pause(0)
        return variable.get()

    assert ["here"] * 3 == way.run(together([look() for _ in range(3)], 3))


def test_a_cancelled_caller_leaves_no_plan_running() -> None:
    """Each running plan is cancelled and cleans up before the cancellation passes."""
    ended: list[str] = []

    def forever() -> Plan[None]:
        try:
            while True:
                yield Pause(0)
        finally:
            ended.append("cleaned up")

    async def cancelled() -> None:
        driver = AsyncDriver(httpx.AsyncClient, lambda _: asyncio.sleep(0))
        task = asyncio.create_task(  # noqa: RUF006 - it is kept
            driver.run(together([forever() for _ in range(3)], 3))
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert ["cleaned up"] * 3 == ended


def test_an_interrupt_does_not_wait_for_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the caller at once; what was not begun never is."""
    release, begun = threading.Event(), list[int]()

    def stuck(number: int) -> Plan[None]:
        begun.append(number)
        yield from call(release.wait)

    def interrupt(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Driver(httpx.Client).run(together([stuck(number) for number in range(10)], 2))
    monkeypatch.undo()
    release.set()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread() and "work" in thread.name:
            thread.join(5)

    assert 2 >= len(begun)


def test_a_body_comes_piece_by_piece_and_nothing_of_the_client_goes_along(way: Way) -> None:
    """No headers, no login, no redirects; the sink sees the head first."""
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert not {"authorization", "x-own", "cookie"} & set(request.headers)
        return httpx.Response(302, headers={"location": "/next"}, stream=Pieces([b"a", b"bc"]))

    def sink(response: httpx.Response) -> Any:
        seen.append(response.status_code)
        return seen.append

    def receiving() -> Plan[httpx.Response]:
        response: httpx.Response = yield Receive(httpx.Request("GET", "https://x.test/"), sink)
        return response

    way.answer = answer
    client = {"headers": {"authorization": "secret", "x-own": "1"}, "cookies": {"a": "b"}, "auth": ("u", "p")}
    response = way.run(receiving(), follow_redirects=True, **client)

    assert [302, b"a", b"bc"] == seen
    assert response.is_closed


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        yield from self.pieces

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


def test_a_sink_that_wants_no_body_or_objects_ends_the_step(way: Way) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Pieces([b"x"] * 5))

    taken: list[bytes] = []

    def objecting(piece: bytes) -> None:
        taken.append(piece)
        raise ValueError("enough")

    def receiving(sink: Any) -> Plan[Any]:
        try:
            return (yield Receive(httpx.Request("GET", "https://x.test/"), sink))
        except ValueError as error:
            return str(error)

    way.answer = answer
    assert 200 == way.run(receiving(lambda _: None)).status_code
    assert "enough" == way.run(receiving(lambda _: objecting))
    assert [b"x"] == taken
