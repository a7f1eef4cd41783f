"""A key that a server repeats is in no local variable of a traceback, no message and no log line, on every path."""

from __future__ import annotations

import asyncio
import itertools
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from llama_index.core.llms import ChatMessage
from raw_server import RawServer, opening, response

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from llamaindex_rivya import OpenAICompatible, Rivya
from rivya_core.http.transport_errors import forget_locals

KEY = "sk-a-key-that-is-repeated"
TEAM = "token-in-a-header-of-any-name"
ECHO = f"{KEY} {TEAM}".encode()
BASE64 = [b64encode(b"x" * before + KEY.encode()) for before in range(3)]
SPELLINGS = (KEY, TEAM, *(text[4:28].decode() for text in BASE64))
EVENTS = b"content-type: text/event-stream"
JSON = b"content-type: application/json"

SCRIPTS: dict[str, Callable[[bytes], Any]] = {
    "error": lambda _: [response(b'{"error": {"message": "Bad key ' + ECHO + b'"}}', status="401 No", headers=[JSON])],
    "error as text": lambda _: [response(b"Bad key " + ECHO, status="403 No", headers=[b"x-echo: " + ECHO])],
    "error without words": lambda _: [response(status=f"500 No {KEY} {TEAM}", headers=[b"content-type: " + ECHO])],
    "error in base64": lambda _: [response(b" ".join(BASE64), status="500 No")],
    "success with an error": lambda _: [response(b'{"error": {"message": "' + ECHO + b'"}}', headers=[JSON])],
    "success with a reason": lambda _: [response(b"{}", status=f"200 {KEY}", headers=[JSON, b"x-request-id: " + ECHO])],
    "no JSON": lambda _: [response(b"<html>" + ECHO, headers=[JSON])],
    "no reply": lambda _: [response(b'{"seen": "' + ECHO + b'"}', headers=[JSON])],
    "no choices": lambda _: [response(b'{"choices": [{"message": {}, "seen": "' + ECHO + b'"}]}', headers=[JSON])],
    "odd choices": lambda _: [response(b'{"choices": {"seen": "' + ECHO + b'"}}', headers=[JSON])],
    "cut body": lambda _: [opening(JSON, b"content-length: 9999"), b'{"seen": "' + ECHO],
    "broken gzip": lambda _: [response(ECHO, headers=[JSON, b"content-encoding: gzip"])],
    "no HTTP": lambda _: [b"GARBAGE " + ECHO + b"\r\n\r\n"],
    "broken head": lambda _: [b"HTTP/1.1 200 OK\r\nx echo " + ECHO + b"\r\n\r\n"],
    "error frame": lambda _: [opening(EVENTS), b'data: {"error": {"message": "Bad key ' + ECHO + b'"}}\n\n'],
    "named error frame": lambda _: [opening(EVENTS), b"event: error\ndata: Bad key " + ECHO + b"\n\n"],
    "frame without JSON": lambda _: [opening(EVENTS), b"data: {" + ECHO + b"\n\n"],
    "end in the middle": lambda _: [opening(EVENTS), b'data: {"seen": "' + ECHO + b'"}\n\n'],
    "end in a frame": lambda _: [opening(EVENTS), b'data: {"seen": "' + ECHO],
    "comment": lambda _: [opening(EVENTS), b": " + ECHO + b"\n\n"],
    "broken chunks": lambda _: [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"9f\r\n: " + ECHO,
        b"\r\nrubbish " + ECHO,
    ],
    "endless event": lambda _: itertools.chain([opening(EVENTS), b"data: "], itertools.repeat(ECHO * 2000)),
}


async def _drained(stream: Any) -> None:
    async for _ in await stream if asyncio.iscoroutine(stream) else stream:
        pass


def _langchain(kind: type[Any]) -> Callable[[str], dict[str, Callable[[], Any]]]:
    def ways(url: str) -> dict[str, Callable[[], Any]]:
        model = kind(model="m", base_url=url, api_key=KEY, max_retries=0, default_headers={"x-team": TEAM})
        return {
            "invoke": lambda: model.invoke("Hi"),
            "stream": lambda: list(model.stream("Hi")),
            "ainvoke": lambda: asyncio.run(model.ainvoke("Hi")),
            "astream": lambda: asyncio.run(_drained(model.astream("Hi"))),
        }

    return ways


def _llama(kind: type[Any]) -> Callable[[str], dict[str, Callable[[], Any]]]:
    def ways(url: str) -> dict[str, Callable[[], Any]]:
        model = kind(model="m", base_url=url, api_key=KEY, max_retries=0, default_headers={"x-team": TEAM})
        messages = [ChatMessage("Hi")]
        return {
            "invoke": lambda: model.chat(messages),
            "stream": lambda: list(model.stream_chat(messages)),
            "ainvoke": lambda: asyncio.run(model.achat(messages)),
            "astream": lambda: asyncio.run(_drained(model.astream_chat(messages))),
        }

    return ways


MODELS = {
    "ChatOpenAICompatible": _langchain(ChatOpenAICompatible),
    "ChatRivya": _langchain(ChatRivya),
    "OpenAICompatible": _llama(OpenAICompatible),
    "Rivya": _llama(Rivya),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def shown(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """All that a traceback with locals shows of *error* and of what led to it, but for this file's own."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield from (str(error), repr(error), repr(vars(error)))
    yield repr([vars(found) for found in vars(error).values() if isinstance(found, (httpx.Request, httpx.Response))])
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals["__name__"] != __name__:
            for name, value in list(frame.f_locals.items()):
                yield f"{frame.f_globals['__name__']}:{frame.f_code.co_name}: {name} = {value!r}"
        trace = trace.tb_next
    yield from shown(error.__cause__, seen)
    yield from shown(error.__context__, seen)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
def test_a_repeated_key_is_nowhere(
    way: str, model: Any, script: Any, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = script
    with caplog.at_level(logging.DEBUG, "rivya"), pytest.raises(Exception, match=r".") as caught:
        model(server.url)[way]()
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("rivya")]
    lines = [*shown(caught.value, set()), *logged]

    assert not [line for line in lines if any(spelling in line for spelling in SPELLINGS)]


def test_what_still_runs_or_waits_keeps_its_locals() -> None:
    """Only functions that have ended are cleared, and only the core's and the transport's."""

    def waits() -> Iterator[int]:
        kept = "kept"
        try:
            raise ValueError
        except ValueError as exc:
            errors.append(exc)
        yield 1
        yield len(kept)

    errors: list[ValueError] = []
    waits.__globals__["__name__"], name = "rivya_core.test", __name__
    try:
        generator = waits()
        next(generator)
        forget_locals(errors[0])
        assert next(generator) == 4
    finally:
        waits.__globals__["__name__"] = name
