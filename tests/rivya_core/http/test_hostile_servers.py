"""Whatever bytes, headers, encodings and JSON a server sends, on every wire, the outcome is a result or our own error."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_tools import image_file
from llama_index.core.llms import ChatMessage
from pydantic import SecretStr

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from llamaindex_rivya import OpenAICompatible, Rivya
from rivya_core import errors
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.images.api import create_task, get_task, wait_for_task
from rivya_core.images.catalogue import fetch_models
from rivya_core.images.downloads import download
from rivya_core.images.polling import PollingPolicy
from rivya_core.media.fetch_url import FetchRules, fetch_image
from rivya_core.models import list_models
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.openai.responses.client import OpenAIResponses
from rivya_core.providers import COMPATIBLE, RIVYA
from rivya_core.rivya.credits import read_credits
from rivya_core.rivya.files import upload_file
from rivya_core.rivya.session_chat import RivyaWire
from rivya_core.rivya.session_records import read_session
from rivya_core.rivya.wire import ChatOptions
from rivya_core.sessions.ledger import MemoryLedger
from rivya_core.types import Message, Text

KEY = SecretStr("rvya_sk_secret_key")
PNG = image_file()
HI = (Message("user", (Text("Hi"),)),)
ONCE = RetryPolicy(1, first_wait=0.0)
RIVYA_AT = Endpoint(RIVYA, "http://host.test/api/v1", KEY)
OTHER_AT = Endpoint(COMPATIBLE, "http://host.test/v1", KEY)
TRUSTED = FetchRules(allowed=True, trusted_hosts=frozenset({"host.test"}), seconds=5)


def rivya() -> RivyaWire:
    return RivyaWire(RIVYA_AT, ChatOptions("m"), MemoryLedger(), ONCE)


def outcome_text(_: Any) -> Plan[None]:
    yield from ()


# What a good response holds, and the plan that reads it; streams are lists of frames.
TASK = {
    "id": "t1",
    "status": "succeeded",
    "model": "m",
    "result": {"primary_url": "http://host.test/x.png", "urls": []},
}
CALL = {"id": "c1", "type": "function", "index": 0, "function": {"name": "f", "arguments": '{"a": 1}'}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}
TEXT = {
    "type": "message",
    "id": "m1",
    "content": [{"type": "output_text", "text": "hi", "annotations": [{"type": "x"}]}],
}
REASONED = {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}]}
SAID, IMAGE = {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}
CITED = {"type": "url_citation", "url_citation": {"url": "http://x"}}
SEARCHED = {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"query": "x"}}
ASKED = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": "{}"}
REPLY = {
    "id": "x",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "message": {"content": [SAID, IMAGE], "tool_calls": [CALL], "reasoning": "hm", "annotations": [CITED]},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "hi", "logprob": -1, "top_logprobs": [{"token": "hi", "bytes": [1]}]}]},
        }
    ],
    "usage": USAGE,
    "citations": ["http://x"],
}
WHOLE: dict[str, tuple[Callable[[], Plan[Any]], Any]] = {
    "rivya": (lambda: rivya().reply(HI), {"id": "x", "session_id": "s", "message": {"role": "assistant", "content": "hi"}, "credits": {"final": 1}, "usage": USAGE}),
    "chat": (lambda: OpenAIChat(OTHER_AT, {"model": "m", "think_tags": True, "include_response_headers": True}, ONCE).reply(HI), REPLY),
    "responses": (
        lambda: OpenAIResponses(OTHER_AT, {"model": "m", "include_response_headers": True}, ONCE).reply(HI),
        {"id": "r", "status": "completed", "output": [SEARCHED, TEXT, REASONED, ASKED], "usage": {"input_tokens": 1}, "created_at": 1},
    ),
    "models": (lambda: list_models(OTHER_AT, ONCE), {"data": [{"id": "m", "owned_by": "x", "created": 1}]}),
    "credits": (lambda: read_credits(RIVYA_AT, ONCE), {"current_credits": 5}),
    "files": (lambda: upload_file(RIVYA_AT, PNG, "a.png", "image/png", ONCE), {"id": "f", "url": "http://host.test/f"}),
    "session": (lambda: read_session(RIVYA_AT, "s", ONCE), {"id": "s", "messages": [{"id": "m", "role": "assistant", "content": "hi"}]}),
    "image order": (lambda: create_task(RIVYA_AT, {"model": "m"}, "k", ONCE), {"id": "t", "status": "queued", "reserved_credits": 4}),
    "image task": (lambda: get_task(RIVYA_AT, "t", ONCE), TASK),
    "image polling": (lambda: wait_for_task(RIVYA_AT, "t", PollingPolicy(0.01, 0, 0, 0), outcome_text), {"data": {**TASK, "error": None}}),
    "image models": (lambda: fetch_models(RIVYA_AT, ONCE), {"data": [{"id": "m", "category": "image", "credits": 1, "params": [{"name": "size", "options": ["1"]}]}]}),
}  # fmt: skip
STREAMED: dict[str, tuple[Callable[[], Plan[Any]], list[Any]]] = {
    "rivya": (lambda: rivya().stream(HI), [{"delta": {"content": "hi"}}, {"type": "reasoning", "text": "hm"}, {"session_id": "s", "usage": USAGE, "done": True}]),
    "chat": (
        lambda: OpenAIChat(OTHER_AT, {"model": "m", "think_tags": True}, ONCE).stream(HI),
        [{"choices": [{"delta": {"content": "hi"}}]}, {"choices": [{"delta": {"tool_calls": [CALL]}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}],
    ),
    "responses": (
        lambda: OpenAIResponses(OTHER_AT, {"model": "m"}, ONCE).stream(HI),
        [
            {"type": "response.created", "response": {"id": "r"}},
            {"type": "response.output_text.delta", "delta": "hi", "output_index": 0},
            {"type": "response.function_call_arguments.delta", "delta": "{}", "output_index": 1, "item_id": "f1"},
            {"type": "response.output_item.done", "item": ASKED, "output_index": 1},
            {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [TEXT, SEARCHED, ASKED], "usage": USAGE}},
        ],
    ),
}  # fmt: skip
BYTES: dict[str, Callable[[], Plan[Any]]] = {
    "result": lambda: download("http://host.test/x.png", "x", None, RIVYA_AT.base_url, retry=ONCE),
    "image by URL": lambda: fetch_image("http://host.test/x.png", TRUSTED, ONCE),
}

ODD_TEXTS = [
    "",
    "\ud83d",
    "a\ude00",
    "\0",
    "\x1b[31m",
    "x" * 3000,
    "NaN",
    "null",
    "true",
    "0",
    "{",
    '"',
    "[" * 300,
    '{"a":"\ud83d"}',
    "é👋",
]
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 10**30, 10**400, 1.5, float("nan"), float("inf"), -float("inf"), [], {}, [None], [[]], {"": None},
    {"error": {"message": 5}}, {"type": "x"}, *ODD_TEXTS,
]  # fmt: skip
RAW = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"<html>",
    b"[" * 5000,
    b"{",
    b"null",
    b"5",
    b'"x"',
    b"\xef\xbb\xbf{}",
    b'{"a": 1e999}',
    b"1" * 5000,
    b'{"a": "\\ud83d"}',
    b'["' + b"\\u0041" * 50 + b"[" * 3000,
]
CHARSETS = ["utf-16", "utf-8-sig", "latin-1", "hex", "zip", "idna", "undefined", "\udcff", "utf-7", "x" * 300]
KINDS = ["application/json", "text/event-stream", "text/html", "text/plain", "image/png", "", "a/b/c;;=", "\udcff"]
HEADERS = [
    (b"x-note", bytes(range(1, 256))), (b"retry-after", b"\xff"), (b"retry-after", b"0"), (b"retry-after", b"Sat, 99 Foo"),
    (b"x-request-id", b"\xe4" * 300), (b"content-encoding", b"gzip"), (b"content-encoding", b"br"), (b"content-encoding", b"\xff"),
    (b"content-length", b"5"), (b"location", b"http://\xff/"), (b"location", b"http://[::1/"), (b"set-cookie", b"\xff=\xff"), (b"content-range", b"bytes x"),
    (b"etag", b"\xff"), (b"x-ratelimit-reset-requests", b"9m9s9"), (b"\xff", b"x"), (b"transfer-encoding", b"x"),
]  # fmt: skip
STATUSES = [200, 200, 200, 200, 201, 204, 206, 302, 400, 401, 404, 408, 409, 416, 422, 429, 500, 503, 599]


def changed(value: Any, data: st.DataObject) -> Any:
    """*value* with a few of its parts replaced by odd ones."""
    value = copy.deepcopy(value)
    for _ in range(data.draw(st.integers(0, 3))):
        here = value
        while isinstance(here, (dict, list)) and here:
            key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
            if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.integers(0, 2)) == 0:
                here[key] = copy.deepcopy(data.draw(st.sampled_from(ODD_VALUES)))
                break
            here = here[key]
    return value


def encoded(value: Any, data: st.DataObject) -> bytes:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]))
    return text.encode(encoding, "surrogatepass" if "utf" in encoding else "replace")


def framed(frames: list[Any], data: st.DataObject) -> bytes:
    lines = []
    for frame in frames:
        name = data.draw(
            st.sampled_from(["", "", "", "event: error\n", "event: ping\n", "event: \xff\n", "id: 1\n", ": x\n"])
        )
        body = (
            json.dumps(changed(frame, data), ensure_ascii=data.draw(st.booleans()))
            if data.draw(st.integers(0, 9))
            else "rubbish"
        )
        lines.append(f"{name}data: {body}".encode("utf-8", "surrogatepass"))
    end = data.draw(st.sampled_from([b"\n\ndata: [DONE]\n\n", b"\n\n", b""]))
    return data.draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])).join(lines) + end


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, body: bytes, size: int) -> None:
        self.pieces = [body[at : at + size] for at in range(0, len(body), size)]

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


def answering(body: bytes, kind: str, data: st.DataObject) -> Callable[[httpx.Request], httpx.Response]:
    status = data.draw(st.sampled_from(STATUSES))
    charset = data.draw(st.sampled_from([None, None, None, *CHARSETS]))
    shown = data.draw(st.sampled_from([kind, kind, kind, *KINDS])) + (f"; charset={charset}" if charset else "")
    headers = [
        (b"content-type", shown.encode("utf-8", "surrogateescape")),
        *data.draw(st.lists(st.sampled_from(HEADERS), max_size=2)),
    ]
    size = data.draw(st.sampled_from([1 + len(body), 7]))
    return lambda _: httpx.Response(status, headers=headers, stream=Pieces(body, size))


def outcome(
    plan: Plan[Any], answer: Callable[[httpx.Request], httpx.Response], *, asynchronous: bool, streamed: bool
) -> Any:
    """The result; an error of this package counts as one, any other error passes."""
    transport = httpx.MockTransport(answer)
    try:
        if not asynchronous:
            driver = Clients(sync=httpx.Client(transport=transport)).driver
            return list(driver.stream(plan)) if streamed else driver.run(plan)

        async def run() -> Any:
            driver = Clients(asynchronous=httpx.AsyncClient(transport=transport)).async_driver
            return [event async for event in driver.stream(plan)] if streamed else await driver.run(plan)

        return asyncio.run(run())
    except errors.RivyaError as error:
        return error


def check_text(result: Any) -> None:
    """What is handed on can be written again, and no error repeats the key."""
    if isinstance(result, errors.RivyaError):
        assert KEY.get_secret_value() not in str(result)
        str(result).encode()
    for delta in result if isinstance(result, list) else [result]:
        if hasattr(delta, "tool_calls"):
            calls = [[call.id, call.name, call.arguments] for call in delta.tool_calls]
            parts = [delta.text, delta.reasoning, calls, dict(delta.metadata), list(delta.blocks)]
            json.dumps(parts, ensure_ascii=False).encode()


FUZZ = settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
BOTH = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@BOTH
@pytest.mark.parametrize("wire", WHOLE)
@FUZZ
@given(data=st.data())
def test_whole_responses(wire: str, data: st.DataObject, *, asynchronous: bool) -> None:
    plan, good = WHOLE[wire]
    body = data.draw(st.sampled_from(RAW)) if data.draw(st.integers(0, 3)) == 0 else encoded(changed(good, data), data)

    check_text(outcome(plan(), answering(body, "application/json", data), asynchronous=asynchronous, streamed=False))


@BOTH
@pytest.mark.parametrize("wire", STREAMED)
@FUZZ
@given(data=st.data())
def test_streams(wire: str, data: st.DataObject, *, asynchronous: bool) -> None:
    plan, good = STREAMED[wire]
    body = data.draw(st.sampled_from(RAW)) if data.draw(st.integers(0, 5)) == 0 else framed(good, data)

    check_text(outcome(plan(), answering(body, "text/event-stream", data), asynchronous=asynchronous, streamed=True))


@BOTH
@pytest.mark.parametrize("wire", BYTES)
@FUZZ
@given(data=st.data())
def test_downloads(wire: str, data: st.DataObject, *, asynchronous: bool) -> None:
    body = data.draw(st.sampled_from([*RAW, PNG, PNG[:20]]))

    outcome(BYTES[wire](), answering(body, "image/png", data), asynchronous=asynchronous, streamed=False)


def langchain_ways(model: Any) -> dict[str, Callable[[], Any]]:
    async def astream() -> list[Any]:
        return [chunk async for chunk in model.astream("Hi")]

    return {
        "whole": lambda: model.invoke("Hi"),
        "stream": lambda: list(model.stream("Hi")),
        "awhole": lambda: asyncio.run(model.ainvoke("Hi")),
        "astream": lambda: asyncio.run(astream()),
    }


def llama_ways(model: Any) -> dict[str, Callable[[], Any]]:
    async def astream() -> list[Any]:
        return [chunk async for chunk in await model.astream_chat([ChatMessage("Hi")])]

    return {
        "whole": lambda: model.chat([ChatMessage("Hi")]),
        "stream": lambda: list(model.stream_chat([ChatMessage("Hi")])),
        "awhole": lambda: asyncio.run(model.achat([ChatMessage("Hi")])),
        "astream": lambda: asyncio.run(astream()),
    }


MODELS: dict[str, tuple[Any, Any, str, dict[str, Any]]] = {
    "ChatRivya": (langchain_ways, ChatRivya, "rivya", {}),
    "ChatOpenAICompatible": (langchain_ways, ChatOpenAICompatible, "chat", {"think_tags": True}),
    "ChatOpenAICompatible, Responses": (langchain_ways, ChatOpenAICompatible, "responses", {"use_responses_api": True}),
    "Rivya": (llama_ways, Rivya, "rivya", {}),
    "OpenAICompatible": (llama_ways, OpenAICompatible, "chat", {"think_tags": True}),
    "OpenAICompatible, Responses": (llama_ways, OpenAICompatible, "responses", {"use_responses_api": True}),
}


@pytest.mark.parametrize("way", ["whole", "stream", "awhole", "astream"])
@pytest.mark.parametrize("name", MODELS)
@FUZZ
@given(data=st.data())
def test_through_the_frameworks(name: str, way: str, data: st.DataObject) -> None:
    """What they make of a reply raises nothing else either."""
    ways, kind, wire, options = MODELS[name]
    streamed = way in {"stream", "astream"}
    body = framed(STREAMED[wire][1], data) if streamed else encoded(changed(WHOLE[wire][1], data), data)
    transport = httpx.MockTransport(answering(body, "text/event-stream" if streamed else "application/json", data))
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    model = kind(
        model="m", base_url="http://host.test/v1", api_key=KEY.get_secret_value(), max_retries=0, **clients, **options
    )
    try:
        result = ways(model)[way]()
    except errors.RivyaError as error:
        result = error

    check_text(result if isinstance(result, errors.RivyaError) else None)


def each_part(value: Any, odd: Any) -> Iterator[Any]:
    """*value* with each of its parts in turn replaced by *odd*."""
    yield odd
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for other in each_part(value[key], odd):
            made = copy.copy(value)
            made[key] = other
            yield made


@pytest.mark.parametrize("odd", [True, "x", [{}], {"type": []}], ids=str)
@pytest.mark.parametrize("way", ["whole", "stream"])
@pytest.mark.parametrize("name", MODELS)
def test_each_part_may_be_odd(name: str, way: str, odd: Any) -> None:
    """What random changes meet too seldom."""
    ways, kind, wire, options = MODELS[name]
    good, frames = WHOLE[wire][1], STREAMED[wire][1]
    bodies = [json.dumps(made).encode() for made in each_part(good, odd)]
    if way == "stream":
        streams = [
            [*frames[:at], made, *frames[at + 1 :]] for at in range(len(frames)) for made in each_part(frames[at], odd)
        ]
        bodies = [b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in stream) for stream in streams]
    waiting = iter(bodies)
    media = "text/event-stream" if way == "stream" else "application/json"
    client = httpx.Client(
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-type": media}, content=next(waiting))
        )
    )
    model = kind(model="m", base_url="http://host.test/v1", api_key="k", max_retries=0, http_client=client, **options)
    for _ in bodies:
        with suppress(errors.RivyaError):
            ways(model)[way]()


@pytest.mark.parametrize("wire", [*WHOLE, *STREAMED])
def test_the_good_responses_are_good(wire: str) -> None:
    """Else the rest would prove nothing."""
    for table, kind in ((WHOLE, "application/json"), (STREAMED, "text/event-stream")):
        if wire in table:
            plan, good = table[wire]
            frames = (
                b"".join(b"data: %s\n\n" % json.dumps(frame).encode() for frame in good) if table is STREAMED else b""
            )
            body = frames + b"data: [DONE]\n\n" if table is STREAMED else json.dumps(good).encode()
            answers = itertools.repeat((200, {"content-type": kind}, body))

            def answer(_: httpx.Request, answers: Any = answers) -> httpx.Response:
                status, headers, content = next(answers)
                return httpx.Response(status, headers=headers, content=content)

            result = outcome(plan(), answer, asynchronous=False, streamed=table is STREAMED)
            assert not isinstance(result, errors.RivyaError), result
