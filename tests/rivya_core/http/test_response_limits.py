"""However much a server sends, and however long, memory and time have an end and the outcome is one of our errors."""

from __future__ import annotations

import asyncio
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from both_drivers import Runner
from raw_server import RawServer, opening, response

from rivya_core import errors
from rivya_core.http import response_body
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.response_body import MEGABYTE, Limits
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.providers import COMPATIBLE
from rivya_core.types import Message, Text

HI = (Message("user", (Text("Hi"),)),)
SMALL = Limits(max_response_bytes=4 * MEGABYTE, stream_idle_timeout=30)
IMPATIENT = Limits(max_response_bytes=4 * MEGABYTE, stream_idle_timeout=0.3)
EVENTS = b"content-type: text/event-stream"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def get(server: RawServer, limits: Limits = SMALL) -> Any:
    endpoint = Endpoint(COMPATIBLE, server.url, limits=limits)
    return send_with_retries(endpoint.request("GET", "/models"), RetryPolicy(0))


def run(kind: str, plan: Any) -> Any:
    if kind == "sync":
        return Clients().driver.run(plan)
    return asyncio.run(_arun(plan))


async def _arun(plan: Any) -> Any:
    return await Clients().async_driver.run(plan)


def stream(kind: str, server: RawServer, limits: Limits = SMALL) -> list[Any]:
    model = OpenAIChat(Endpoint(COMPATIBLE, server.url, limits=limits), {"model": "m"}, RetryPolicy(0))
    if kind == "sync":
        return list(Clients().driver.stream(model.stream(HI)))

    async def all_of_it() -> list[Any]:
        return [delta async for delta in Clients().async_driver.stream(model.stream(HI))]

    return asyncio.run(all_of_it())


def gzipped(pieces: Iterator[bytes] | list[bytes], wbits: int = 31) -> Iterator[bytes]:
    press = zlib.compressobj(9, wbits=wbits)
    for piece in pieces:
        if data := press.compress(piece):
            yield data
    yield press.flush()


def endless(piece: bytes = b" " * 65536) -> Iterator[bytes]:
    return itertools.repeat(piece)


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
JSON = b"content-type: application/json"
BOMBS = {
    "endless": lambda: (opening(JSON), endless()),
    "endless gzip": lambda: (opening(JSON, b"content-encoding: gzip"), gzipped(endless(bytes(MEGABYTE)))),
    "endless deflate": lambda: (opening(JSON, b"content-encoding: deflate"), gzipped(endless(bytes(MEGABYTE)), -15)),
    "stated": lambda: (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", endless()),
}


@BOTH
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_response_has_a_largest_size(kind: str, bomb: Any, server: RawServer) -> None:
    """Decompressed, and measured in what this process takes for it."""

    def script(_: bytes) -> Iterator[bytes]:
        head, body = bomb()
        yield head
        yield from body

    server.script = script
    tracemalloc.start()
    try:
        with pytest.raises(errors.InvalidResponseError, match="max_response_bytes"):
            run(kind, get(server))
        assert tracemalloc.get_traced_memory()[1] < 4 * SMALL.max_response_bytes
    finally:
        tracemalloc.stop()


@BOTH
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_stream_has_a_largest_size(kind: str, bomb: Any, server: RawServer) -> None:
    def script(_: bytes) -> Iterator[bytes]:
        head, body = bomb()
        yield head.replace(JSON, EVENTS)
        yield from body

    server.script = script
    with pytest.raises(errors.RivyaError, match=r"max_response_bytes|larger than"):
        stream(kind, server, Limits(4 * MEGABYTE, 60))


@BOTH
@pytest.mark.parametrize("encoding", [b"", b"content-encoding: gzip"])
@pytest.mark.parametrize("status", ["429 Slow", "500 Broken", "401 No"])
def test_of_an_error_the_first_megabyte_is_enough(kind: str, status: str, encoding: bytes, server: RawServer) -> None:
    """It keeps its class, so that a 429 is still repeated."""
    words = itertools.chain([b"Slow down, please. "], endless())

    def script(_: bytes) -> Iterator[bytes]:
        yield opening(*[encoding] * bool(encoding), status=status)
        yield from gzipped(words) if encoding else words

    server.script = script
    with pytest.raises(errors.APIError) as caught:
        run(kind, get(server))
    assert caught.value.status == int(status[:3])
    assert "Slow down" in str(caught.value)
    assert len(caught.value.body) <= MEGABYTE


@BOTH
@pytest.mark.parametrize("wbits", [31, 15, -15], ids=["gzip", "zlib", "bare deflate"])
def test_compressed_responses_are_read(kind: str, wbits: int, server: RawServer) -> None:
    body = b"".join(gzipped([b'{"a": "' + b"x" * 300_000 + b'"}'], wbits))
    encoding = b"content-encoding: gzip" if wbits == 31 else b"content-encoding: deflate"
    server.script = lambda _: [response(body, headers=[JSON, encoding])]

    assert run(kind, get(server)).json() == {"a": "x" * 300_000}
    assert b"accept-encoding: gzip, deflate\r\n" in server.requests[0].lower()


@BOTH
def test_a_compressed_stream_is_read_as_it_comes(kind: str, server: RawServer) -> None:
    press = zlib.compressobj(wbits=31)
    frames = [b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'] * 3 + [b"data: [DONE]\n\n"]
    pieces = [press.compress(frame) + press.flush(zlib.Z_SYNC_FLUSH) for frame in frames]
    server.script = lambda _: [opening(EVENTS, b"content-encoding: gzip"), *pieces]

    assert "".join(delta.text for delta in stream(kind, server)) == "aaa"


@BOTH
@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"\xff", b"x" * 500])
def test_an_encoding_that_was_not_asked_for_is_not_followed(kind: str, encoding: bytes, server: RawServer) -> None:
    """Each layer of gzip could multiply the size by a thousand."""
    server.script = lambda _: [response(b"xxxx", headers=[b"content-encoding: " + encoding])]
    with pytest.raises(errors.InvalidResponseError, match="was not asked for"):
        run(kind, get(server))


@BOTH
@pytest.mark.parametrize("body", [b"nothing like gzip", b"\x1f\x8b\x08\x00broken", b"\x1f"])
def test_broken_compression_is_a_lost_response(kind: str, body: bytes, server: RawServer) -> None:
    server.script = lambda _: [response(body, headers=[b"content-encoding: gzip"])]
    with pytest.raises(errors.ResponseLostError, match="gzip"):
        run(kind, get(server))


def many_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in itertools.count():
        yield b"x-header-%d: value\r\n" % number


def long_header() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nx-header: "
    yield from endless(b"x" * 65536)


@BOTH
@pytest.mark.parametrize("headers", [many_headers, long_header])
def test_headers_have_an_end(kind: str, headers: Any, server: RawServer) -> None:
    server.script = lambda _: headers()
    with pytest.raises(errors.RivyaError):
        run(kind, get(server))
    assert server.sent < 8 * MEGABYTE


def test_headers_have_an_end_through_any_transport(runner: Runner) -> None:
    headers = [("a", "b")] * 2000
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=Whole(b"{}")))
    with pytest.raises(errors.InvalidResponseError, match="headers"):
        runner.run(
            send_with_retries(httpx.Request("GET", "https://x.test"), RetryPolicy(0)),
            runner.client(transport=transport),
        )


class Whole(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Any:
        yield self.body

    async def __aiter__(self) -> Any:
        yield self.body


def test_a_transport_that_gives_a_body_whole_is_held_to_the_size(runner: Runner) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=bytes(5 * MEGABYTE)))
    request = Endpoint(COMPATIBLE, "https://x.test", limits=SMALL).request("GET", "/models")
    with pytest.raises(errors.InvalidResponseError, match="max_response_bytes"):
        runner.run(send_with_retries(request, RetryPolicy(0)), runner.client(transport=transport))


PINGS = {
    "comments": b": ping\n\n",
    "named": b"event: ping\ndata: {}\n\n",
    "typed": b'data: {"type": "ping"}\n\n',
    "empty chunks": b'data: {"choices":[{"delta":{}}]}\n\n',
    "blank lines": b"\n",
    "half an event": b"data: x",
}


@BOTH
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("ping", PINGS.values(), ids=PINGS)
def test_a_stream_of_pings_ends(kind: str, ping: bytes, server: RawServer, *, begun: bool) -> None:
    def script(_: bytes) -> Iterator[bytes]:
        yield opening(EVENTS)
        if begun:
            yield b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
        while True:
            yield ping
            time.sleep(0.02)

    server.script = script
    started = time.monotonic()
    with pytest.raises(errors.StreamBrokenError, match="stream_idle_timeout") as caught:
        stream(kind, server, IMPATIENT)
    assert caught.value.partial == ("Hel" if begun else "")
    assert time.monotonic() - started < 3


@BOTH
def test_pings_between_pieces_end_nothing(kind: str, server: RawServer) -> None:
    """Nor does a caller that takes its time with a piece."""

    def script(_: bytes) -> Iterator[bytes]:
        yield opening(EVENTS)
        for _ in range(6):
            yield b": ping\n\n"
            time.sleep(0.05)
            yield b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n: ping\n\n'
            time.sleep(0.05)
        yield b"data: [DONE]\n\n"

    server.script = script
    assert "".join(delta.text for delta in stream(kind, server, Limits(stream_idle_timeout=0.25))) == "aaaaaa"


def test_the_callers_own_time_does_not_count(server: RawServer) -> None:
    def script(_: bytes) -> Iterator[bytes]:
        yield opening(EVENTS)
        yield b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
        time.sleep(0.1)
        yield b": ping\n\n"
        time.sleep(0.1)
        yield b"data: [DONE]\n\n"

    server.script = script
    model = OpenAIChat(Endpoint(COMPATIBLE, server.url, limits=IMPATIENT), {"model": "m"}, RetryPolicy(0))
    taken = []
    for delta in Clients().driver.stream(model.stream(HI)):
        taken.append(delta.text)
        time.sleep(0.4)

    assert "".join(taken) == "a"


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("pause", [0.02, 0.0])
@pytest.mark.parametrize("piece", [b"y", b"x: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_that_dribbles_ends(kind: str, piece: bytes, pause: float, streamed: bool, server: RawServer) -> None:
    """However it is sent, and however fast; without a pause it may also be too large."""

    def script(_: bytes) -> Iterator[bytes]:
        yield b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nx-first: "
        while True:
            yield piece
            time.sleep(pause)

    server.script = script
    too_large = (errors.ResponseLostError,) if pause == 0 else ()
    with pytest.raises((errors.APITimeoutError, *too_large)):
        stream(kind, server, IMPATIENT) if streamed else run(kind, get(server, IMPATIENT))


@BOTH
def test_a_body_that_dribbles_ends(kind: str, server: RawServer) -> None:
    """A byte before each timeout would hold the caller for ever."""

    def script(_: bytes) -> Iterator[bytes]:
        yield opening(JSON)
        while True:
            yield b" "
            time.sleep(0.02)

    server.script = script
    with pytest.raises(errors.APITimeoutError, match=r"within 0\.3 s"):
        run(kind, get(server, IMPATIENT))


@BOTH
def test_an_error_that_dribbles_is_an_error(kind: str, server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "ERROR_BODY_SECONDS", 0.2)

    def script(_: bytes) -> Iterator[bytes]:
        yield opening(status="429 Slow")
        while True:
            yield b"x"
            time.sleep(0.02)

    server.script = script
    with pytest.raises(errors.RateLimitError):
        run(kind, get(server))
