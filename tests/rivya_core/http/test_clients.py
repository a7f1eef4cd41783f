"""Clients: one client pool per event loop, closed with it; connections kept where they can be and released where not."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import respx
from port import Port
from reading import message

from rivya_core import errors
from rivya_core.http import client_pool, clients
from rivya_core.http.clients import Clients, shared_async_client, shared_client
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.rivya.wire import RivyaStreamDecoder

ONCE = RetryPolicy(0)


@pytest.fixture(scope="module")
def opened() -> Iterator[Port]:
    with Port() as port:
        yield port


@pytest.fixture
def port(opened: Port) -> Iterator[Port]:
    """The server, and a process that has made no client yet."""
    clients._shared_client.cache_clear()
    opened.wait_until_closed()
    opened.reset()
    yield opened
    clients.shared_client().close()
    clients._shared_client.cache_clear()


def get(url: str) -> Plan[httpx.Response]:
    return send_with_retries(httpx.Request("GET", url), ONCE)


def opening(url: str) -> Plan[Streaming[Any]]:
    """A stream that is settled and abandoned without anything to remember."""
    response = yield from send_with_retries(httpx.Request("POST", url, content=b"{}"), ONCE, keep_open=True)

    def settle(closing: Any) -> Plan[Any]:
        return closing
        yield

    def abandon() -> Plan[None]:
        return None
        yield

    return Streaming(response, RivyaStreamDecoder(response), settle, abandon)


def stream(url: str, *, stop: int | None = None) -> list[Any]:
    events = Clients().driver.stream(opening(url))
    taken = [event for _, event in zip(range(stop or 10**9), events, strict=False)]
    events.close()
    return taken


async def astream(url: str, *, stop: int | None = None) -> list[Any]:
    taken = []
    events = Clients().async_driver.stream(opening(url))
    async for event in events:
        taken.append(event)
        if len(taken) == stop:
            break
    await events.aclose()
    return taken


def several(kind: str, count: int, url: str, **how: Any) -> list[list[Any]]:
    """Streams in a row, through one of the drivers."""

    async def in_a_row() -> list[list[Any]]:
        return [await astream(url, **how) for _ in range(count)]

    return [stream(url, **how) for _ in range(count)] if kind == "sync" else asyncio.run(in_a_row())


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])


@BOTH
def test_twenty_streams_in_a_row_need_one_connection(kind: str, port: Port) -> None:
    """Stopping at the end mark would lose the connection each time; the end of the body is a moment away."""
    replies = several(kind, 20, port.url + "/stream")

    assert [message(reply)[0] for reply in replies] == ["piece piece "] * 20
    assert port.connections == 1


@BOTH
def test_a_body_that_never_ends_does_not_hold_the_caller(kind: str, port: Port) -> None:
    """After the end mark the reply is complete, whatever the connection does."""
    replies = several(kind, 2, port.url + "/open")

    assert [message(reply)[0] for reply in replies] == ["piece "] * 2
    assert port.connections == 2


@BOTH
def test_a_stream_that_is_left_early_releases_its_connection_at_once(kind: str, port: Port) -> None:
    """So that the provider stops generating, and nothing piles up."""
    assert len(several(kind, 3, port.url + "/drip", stop=2)[0]) == 2
    assert port.wait_until_closed()


@BOTH
def test_a_connection_that_ends_in_the_middle_is_a_broken_stream(kind: str, port: Port) -> None:
    with pytest.raises(errors.StreamBrokenError, match="ended early") as caught:
        several(kind, 1, port.url + "/chopped")

    assert caught.value.partial == "piece "
    assert isinstance(caught.value.__cause__, httpx.RequestError)


def test_four_event_loops_one_after_the_other_work(port: Port) -> None:
    """An async client belongs to its loop: one that is kept fails on every second loop."""

    async def twice() -> None:
        for _ in range(2):
            await Clients().async_driver.run(get(port.url + "/json"))

    for _ in range(4):
        asyncio.run(twice())

    assert (len(port.requests), port.connections) == (8, 4)
    assert port.wait_until_closed()
    assert not clients._pools


SCRIPT = """
import asyncio, gc, sys
import httpx
from rivya_core.http.clients import Clients
from rivya_core.http.retry import RetryPolicy, send_with_retries

def get():
    return send_with_retries(httpx.Request("GET", sys.argv[1]), RetryPolicy(0))

async def crowd():
    await asyncio.gather(*(Clients().async_driver.run(get()) for _ in range(30)))

for _ in range(4):
    asyncio.run(crowd())
    gc.collect()
Clients().driver.run(get())
"""

FORK = """
import asyncio, os, sys
import httpx
from rivya_core.http.clients import Clients
from rivya_core.http.retry import RetryPolicy, send_with_retries

def get():
    return send_with_retries(httpx.Request("GET", sys.argv[1]), RetryPolicy(0))

def sync():
    return Clients().driver.run(get()).json()["connection"]

async def both():
    mine = (await Clients().async_driver.run(get())).json()["connection"]
    child = os.fork()
    if not child:
        os._exit(0 if sync() != before and asyncio_child() != mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (await Clients().async_driver.run(get())).json()["connection"] == mine

def asyncio_child():
    asyncio.events._set_running_loop(None)
    async def ask():
        return (await Clients().async_driver.run(get())).json()["connection"]
    return asyncio.run(ask())

before = sync()
asyncio.run(both())
assert sync() == before
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_is_left_open_or_unawaited(port: Port) -> None:
    """No `ResourceWarning` from clients, loops or generators, with warnings as errors."""
    done = run(SCRIPT, port.url + "/json")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_forked_process_has_clients_of_its_own(port: Port) -> None:
    """Sharing a socket would mix the answers of two processes."""
    done = run(FORK, port.url + "/json")

    assert done.returncode == 0, done.stderr


def test_after_a_fork_everything_is_made_anew(port: Port) -> None:
    """What runs in the child, seen from here: the parent's clients are left alone, not ended."""

    async def before_and_after() -> None:
        mine, client = shared_async_client(), shared_client()
        clients._forget()
        assert shared_async_client() is not mine
        assert shared_client() is not client
        assert not mine.is_closed
        assert not client.is_closed
        clients._left_to_parent.pop()
        await mine.aclose()
        client.close()

    asyncio.run(before_and_after())


def test_a_loop_that_was_closed_without_ending_its_generators_is_forgotten(port: Port) -> None:
    """Some hosts stop loops roughly; the next loop clears up after them."""
    loop = asyncio.new_event_loop()

    async def ask() -> httpx.AsyncClient:
        await Clients().async_driver.run(get(port.url + "/json"))
        return shared_async_client()

    client = loop.run_until_complete(ask())
    loop.run_until_complete(client.aclose())
    loop.close()
    assert loop in clients._pools
    asyncio.run(ask())

    assert loop not in clients._pools


def test_all_threads_share_one_client(port: Port) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> int:
        barrier.wait(5)
        Clients().driver.run(get(port.url + "/slow"))
        return id(shared_client())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert port.connections == 8


def test_one_caller_at_a_time_keeps_to_one_connection(port: Port) -> None:
    async def in_a_row() -> None:
        for _ in range(10):
            await Clients().async_driver.run(get(port.url + "/json"))

    asyncio.run(in_a_row())

    assert port.connections == 1


def test_a_crowd_gets_as_many_small_clients_as_it_needs(port: Port) -> None:
    """And each of them carries few requests, because a client costs more the more connections it has."""

    async def crowd() -> list[int]:
        await asyncio.gather(*(Clients().async_driver.run(get(port.url + "/slow")) for _ in range(21)))
        (kept,) = clients._pools.values()
        assert [member.busy for member in kept.pool._members] == [0] * 11
        assert shared_async_client() is kept.pool._members[0]
        return [member.busy for member in kept.pool._members]

    assert asyncio.run(crowd())
    assert port.connections == 21


def test_a_crowd_comes_back_to_the_connections_that_it_left(port: Port) -> None:
    async def twice() -> None:
        for _ in range(2):
            await asyncio.gather(*(Clients().async_driver.run(get(port.url + "/slow")) for _ in range(20)))

    asyncio.run(twice())

    assert port.connections == 20


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until it is so."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def test_what_a_crowd_leaves_behind_is_closed_after_a_while(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections are bounded by the clients that stay."""
    monkeypatch.setattr(client_pool, "MAX_IDLE_CLIENTS", 2)
    monkeypatch.setattr(client_pool, "IDLE_SECONDS", 0.02)

    async def crowd() -> None:
        await asyncio.gather(*(Clients().async_driver.run(get(port.url + "/slow")) for _ in range(20)))
        (kept,) = clients._pools.values()
        await until(lambda: len(kept.pool._members) == 2 and port.open <= 4)
        await Clients().async_driver.run(get(port.url + "/json"))

    asyncio.run(crowd())

    assert port.connections == 20


def test_a_failed_or_cancelled_request_leaves_its_place(port: Port) -> None:
    async def fail() -> None:
        with pytest.raises(errors.APIConnectionError):
            await Clients().async_driver.run(get("http://127.0.0.1:1/json"))
        task = asyncio.ensure_future(Clients().async_driver.run(get(port.url + "/slow")))
        await asyncio.sleep(0.03)
        assert shared_async_client().busy == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert shared_async_client().busy == 0

    asyncio.run(fail())


def test_a_request_that_is_read_at_once_leaves_its_place_too(port: Port) -> None:
    async def ask() -> None:
        client = shared_async_client()
        assert (await client.get(port.url + "/json")).status_code == 200
        assert client.busy == 0

    asyncio.run(ask())


def test_a_loop_may_end_while_a_crowd_is_being_dismissed(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_pool, "MAX_IDLE_CLIENTS", 1)

    async def crowd() -> None:
        await asyncio.gather(*(Clients().async_driver.run(get(port.url + "/slow")) for _ in range(6)))

    asyncio.run(crowd())

    assert port.wait_until_closed()


@BOTH
def test_no_cookie_is_kept(kind: str, port: Port) -> None:
    """All accounts share these clients; one's cookie must not reach another's request."""

    async def twice() -> None:
        for _ in range(2):
            await Clients().async_driver.run(get(port.url + "/json"))

    if kind == "sync":
        [Clients().driver.run(get(port.url + "/json")) for _ in range(2)]
    else:
        asyncio.run(twice())

    assert all("cookie" not in headers for _, headers in port.requests)
    assert len(port.requests) == 2


def ask(kind: str, url: str) -> None:
    if kind == "sync":
        Clients().driver.run(get(url))
    else:

        async def once() -> None:
            await Clients().async_driver.run(get(url))

        asyncio.run(once())


@BOTH
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_used(kind: str, variable: str, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, port.url)
    ask(kind, "http://rivya.test/api/json")

    assert [path for path, _ in port.requests] == ["http://rivya.test/api/json"]


@BOTH
def test_the_environments_exceptions_from_the_proxy_are_respected(
    kind: str, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ask(kind, port.url + "/json")

    assert [path for path, _ in port.requests] == ["/json"]


@BOTH
@pytest.mark.parametrize("wrapped_by", ["functools", "hand"])
def test_whoever_wraps_httpx_to_see_the_requests_sees_them(
    kind: str, wrapped_by: str, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracing tools do; the transport is called directly only when httpx is unpatched."""
    client = httpx.Client if kind == "sync" else httpx.AsyncClient
    original, seen = client.send, []

    def send(self: Any, request: httpx.Request, **how: Any) -> Any:
        seen.append(str(request.url))
        return original(self, request, **how)

    monkeypatch.setattr(client, "send", functools.wraps(original)(send) if wrapped_by == "functools" else send)
    ask(kind, port.url + "/json")

    assert seen == [port.url + "/json"]


@BOTH
@respx.mock
def test_respx_can_stand_in_for_the_wire(kind: str) -> None:
    route = respx.get("https://rivya.test/x").respond(json={})
    ask(kind, "https://rivya.test/x")

    assert route.call_count == 1
    assert route.calls.last.request.extensions["timeout"]["read"] == 120.0


def test_a_callers_own_clients_are_used() -> None:
    mine = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"mine": True})))
    with mine:
        assert Clients(sync=mine).driver.run(get("https://rivya.test/x")).json() == {"mine": True}

    async def own() -> Any:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"mine": True}))
        async with httpx.AsyncClient(transport=transport) as client:
            return (await Clients(asynchronous=client).async_driver.run(get("https://rivya.test/x"))).json()

    assert asyncio.run(own()) == {"mine": True}
