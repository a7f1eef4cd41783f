"""A connection that the server has closed meanwhile does not cost a call, on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from openai_asking import HI
from raw_server import RawServer, response

from rivya_core import errors
from rivya_core.http.clients import Clients
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.providers import COMPATIBLE

REPLY = response(
    b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}',
    headers=[b"content-type: application/json"],
)


class Restarting:
    """Serves the first request of each connection and ends the connection without a word at the second."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, _: bytes) -> Iterator[bytes]:
        self.requests += 1
        if self.requests % 2:
            yield REPLY
            yield b""


def ask(kind: str, server: RawServer, count: int, retries: int = 2) -> list[str]:
    model = OpenAIChat(Endpoint(COMPATIBLE, server.url), {"model": "m"}, RetryPolicy(retries, first_wait=0.001))
    if kind == "sync":
        with httpx.Client() as client:
            return [Driver(lambda: client).run(model.reply(HI)).text for _ in range(count)]

    async def several() -> list[str]:
        async with httpx.AsyncClient() as client:
            return [(await AsyncDriver(lambda: client).run(model.reply(HI))).text for _ in range(count)]

    return asyncio.run(several())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_connection_that_is_gone_is_replaced(kind: str) -> None:
    script = Restarting()
    with RawServer(script) as server:
        assert ask(kind, server, 3) == ["hi"] * 3
    assert script.requests == 5


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_without_retries_it_is_an_error_that_warns(kind: str) -> None:
    """`max_retries` is the number of extra requests, exactly."""
    with (
        RawServer(Restarting()) as server,
        pytest.raises(errors.ResponseLostError, match="charged"),
    ):
        ask(kind, server, 2, retries=0)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_new_connection_that_brings_nothing_is_a_lost_response(kind: str) -> None:
    """The server may have worked on it."""
    with RawServer(lambda _: ()) as server:
        with pytest.raises(errors.ResponseLostError):
            ask(kind, server, 1)
        assert len(server.requests) == 1


def test_the_shared_clients_are_followed_too() -> None:
    script = Restarting()
    with RawServer(script) as server:
        model = OpenAIChat(Endpoint(COMPATIBLE, server.url), {"model": "m"}, RetryPolicy(2, first_wait=0.001))
        assert [Clients().driver.run(model.reply(HI)).text for _ in range(2)] == ["hi"] * 2
    assert script.requests == 3
