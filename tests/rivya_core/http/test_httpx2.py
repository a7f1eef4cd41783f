"""Clients and timeouts of httpx2 serve wherever httpx's do, in both frameworks and both colours."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from image_tools import image_file
from llama_index.core.llms import ChatMessage
from raw_server import RawServer, opening, response

from langchain_rivya import ChatGMI, RivyaImageTool
from llamaindex_rivya import GMI, RivyaImageToolSpec
from rivya_core import errors
from rivya_core.http.httpx2_clients import adapted, check_client
from rivya_core.http.request_defaults import read_timeout
from rivya_core.images.polling import PollingPolicy
from rivya_sandbox import Sandbox

httpx2 = pytest.importorskip("httpx2")

KEY = "sk-a-key-for-httpx2"


def langchain_ways(**how: Any) -> dict[str, Callable[[], Any]]:
    model = ChatGMI(api_key=KEY, max_retries=0, **how)

    async def astream() -> str:
        return "".join([chunk.text async for chunk in model.astream("Say hi")])

    return {
        "whole": lambda: model.invoke("Say hi").text,
        "stream": lambda: "".join(chunk.text for chunk in model.stream("Say hi")),
        "awhole": lambda: asyncio.run(model.ainvoke("Say hi")).text,
        "astream": lambda: asyncio.run(astream()),
    }


def llama_ways(**how: Any) -> dict[str, Callable[[], Any]]:
    model = GMI(api_key=KEY, max_retries=0, **how)
    messages = [ChatMessage("Say hi")]

    async def astream() -> str:
        return "".join([chunk.delta or "" async for chunk in await model.astream_chat(messages)])

    return {
        "whole": lambda: model.chat(messages).message.content,
        "stream": lambda: "".join(chunk.delta or "" for chunk in model.stream_chat(messages)),
        "awhole": lambda: asyncio.run(model.achat(messages)).message.content,
        "astream": lambda: asyncio.run(astream()),
    }


made: list[Any] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while made:
        made.pop().close()


def clients(**how: Any) -> dict[str, Any]:
    """One of each; connections of the async one end with their loop."""
    made.append(httpx2.Client(**how))
    limits = httpx2.Limits(max_keepalive_connections=0)
    return {"http_client": made[-1], "http_async_client": httpx2.AsyncClient(limits=limits, **how)}


BOTH = pytest.mark.parametrize("ways", [langchain_ways, llama_ways], ids=["langchain", "llamaindex"])
EVERY_WAY = pytest.mark.parametrize("way", ["whole", "stream", "awhole", "astream"])


@BOTH
@EVERY_WAY
def test_a_client_of_httpx2_is_used_with_all_that_it_was_set_up_with(ways: Any, way: str) -> None:
    """Its headers, its hooks and its authentication; ours win."""
    whole = response(
        b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}',
        headers=[b"content-type: application/json"],
    )
    events = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    with RawServer() as server:
        server.script = lambda request: (
            [opening(b"content-type: text/event-stream"), events] if b'"stream":true' in request else [whole]
        )
        how = clients(headers={"x-own": "blue", "authorization": "theirs"}, timeout=7)

        assert ways(base_url=server.url, **how)[way]() == "hi"
        (request,) = server.requests
    assert b"x-own: blue" in request.lower()
    assert f"authorization: bearer {KEY}".encode() in request.lower()
    assert b"theirs" not in request


@BOTH
@EVERY_WAY
def test_its_failures_are_our_errors(ways: Any, way: str) -> None:
    with pytest.raises(errors.APIConnectionError, match=r"127\.0\.0\.1:1"):
        ways(base_url="http://127.0.0.1:1", **clients())[way]()


@BOTH
@EVERY_WAY
@pytest.mark.parametrize("cut", ["head", "body"])
def test_a_response_that_breaks_off(ways: Any, way: str, cut: str) -> None:
    begun = (
        opening(b"content-type: text/event-stream", b"content-length: 999")
        + b'data: {"choices":[{"delta":{"content":"h'
    )
    with RawServer(lambda _: [begun] if cut == "body" else []) as server, pytest.raises(errors.ResponseLostError):
        ways(base_url=server.url, **clients())[way]()


@BOTH
@pytest.mark.parametrize("way", ["whole", "awhole"])
def test_limits_hold(ways: Any, way: str) -> None:
    with (
        RawServer(lambda _: [response(b" " * 5000)]) as server,
        pytest.raises(errors.InvalidResponseError, match="4,000"),
    ):
        ways(base_url=server.url, max_response_bytes=4000, **clients())[way]()


@BOTH
@pytest.mark.parametrize("way", ["whole", "awhole"])
def test_a_closed_client_is_said_so(ways: Any, way: str) -> None:
    closed = clients()
    closed["http_client"].close()
    asyncio.run(closed["http_async_client"].aclose())
    with pytest.raises(errors.ConfigurationError, match="is closed"):
        ways(base_url="http://127.0.0.1:1", **closed)[way]()


def test_a_transport_of_httpx2_may_give_a_body_whole() -> None:
    reply = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=reply)))

    assert langchain_ways(http_client=client)["whole"]() == "hi"


@pytest.mark.parametrize("kind", [RivyaImageTool, RivyaImageToolSpec])
def test_image_tools_take_them_too(kind: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """References are uploaded from a file, and results are downloaded."""
    monkeypatch.setattr(PollingPolicy, "delays", lambda _: itertools.repeat(0.01))
    tool = kind(api_key=sandbox.api_key, base_url=sandbox.rivya_url, timeout=httpx2.Timeout(9), **clients())
    logo = tool.add_image(image_file(), "logo")
    if kind is RivyaImageTool:
        image = tool.generate("a fox", reference_images=[logo])
    else:
        image = tool.generate_image("a fox", reference_images=[logo])

    assert image.data


def test_timeouts_of_both_are_read() -> None:
    assert read_timeout(httpx2.Timeout(7, connect=2)) == httpx.Timeout(7, connect=2)
    assert ChatGMI(api_key=KEY, timeout=httpx2.Timeout(7)).timeout == httpx.Timeout(7)
    assert GMI(api_key=KEY, timeout=httpx2.Timeout(7)).timeout == httpx.Timeout(7)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_of_the_wrong_colour_is_refused(library: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"`http_client`: .*`httpx2\.Client`, not AsyncClient"):
        ChatGMI(api_key=KEY, http_client=library.AsyncClient())
    with pytest.raises(errors.ConfigurationError, match=r"`http_async_client`: .*`httpx2\.AsyncClient`, not Client"):
        GMI(api_key=KEY, http_async_client=library.Client())


def test_without_httpx2_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "httpx2")
    client = httpx.Client()

    assert adapted(client) is client is check_client(client, asynchronous=False)
    assert read_timeout(5) == httpx.Timeout(5)
    with pytest.raises(ValueError, match=r"httpx\.Client"):
        check_client("x", asynchronous=False)
