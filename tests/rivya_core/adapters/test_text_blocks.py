"""Blocks of text in both frameworks and on every wire: what a caller puts on them is sent, and no two are joined."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from core_messages import digest_of
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import CachePoint, ChatMessage, TextBlock

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from langchain_rivya.chat_models.messages import to_core
from llamaindex_rivya import OpenAICompatible
from rivya_core.errors import NotSupportedError
from rivya_sandbox import Sandbox

CACHE = {"type": "ephemeral"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300)).decode()


class Wire:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if request.url.path.endswith("/responses"):
            output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}]
            return httpx.Response(200, json={"id": "r", "status": "completed", "output": output})
        if body.get("stream"):
            piece = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}
            return httpx.Response(
                200,
                text=f"data: {json.dumps(piece)}\n\ndata: [DONE]\n\n",
                headers={"content-type": "text/event-stream"},
            )
        choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice]})

    def options(self, **more: Any) -> dict[str, Any]:
        transport = httpx.MockTransport(self)
        clients = {"http_client": httpx.Client(transport=transport)}
        clients["http_async_client"] = httpx.AsyncClient(transport=transport)
        return {"model": "m", "base_url": "https://api.test/v1", "api_key": "sk-0123456789", **clients, **more}


def langchain(wire: Wire, messages: list[Any], way: str, **options: Any) -> dict[str, Any]:
    """The body that *messages* become."""
    model = ChatOpenAICompatible(**wire.options(**options))
    if way == "whole":
        model.invoke(messages)
    elif way == "async":
        asyncio.run(model.ainvoke(messages))
    else:
        list(model.stream(messages))
    return wire.bodies[-1]


@pytest.mark.parametrize("way", ["whole", "async", "stream"])
def test_what_a_caller_puts_on_a_block_goes_out(way: str) -> None:
    """On every role, at the top of the block or in LangChain's `extras`; what LangChain itself put there does not."""
    cached = {"type": "text", "text": "Long.", "cache_control": CACHE, "id": "lc_1", "index": 0}
    body = langchain(
        Wire(),
        [
            SystemMessage([cached, {"type": "text", "text": "Short."}]),
            HumanMessage([{"type": "text", "text": "Q", "extras": {"cache_control": CACHE, "own": 1}}]),
            AIMessage(
                [{**cached, "annotations": [], "citations": None}], tool_calls=[{"name": "f", "args": {}, "id": "1"}]
            ),
            ToolMessage([cached], tool_call_id="1"),
        ],
        way,
    )
    contents = [message["content"] for message in body["messages"]]
    block = {"type": "text", "text": "Long.", "cache_control": CACHE}
    assert contents == [
        [block, {"type": "text", "text": "Short."}],
        [{"type": "text", "text": "Q", "cache_control": CACHE, "own": 1}],
        [block],
        [block],
    ]


def test_what_a_caller_puts_on_an_image_and_in_the_responses_api_goes_out() -> None:
    """An image's cache point, and text blocks of the other API."""
    image = {"type": "image", "base64": PNG, "mime_type": "image/png", "cache_control": CACHE}
    text = {"type": "text", "text": "Q", "cache_control": CACHE}
    sent = langchain(Wire(), [HumanMessage([text, image])], "whole")["messages"][0]["content"]
    assert [part["cache_control"] for part in sent] == [CACHE, CACHE]

    body = langchain(Wire(), [HumanMessage([text, image])], "whole", use_responses_api=True)
    first, second = body["input"][0]["content"]
    assert first == {"type": "input_text", "text": "Q", "cache_control": CACHE}
    assert second["cache_control"] == CACHE
    assert langchain(Wire(), [HumanMessage([text])], "whole", use_responses_api=True)["input"][0]["content"] == [first]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cache_point_of_llamaindex_goes_out(asynchronous: bool) -> None:
    wire = Wire()
    model = OpenAICompatible(**wire.options())
    blocks = [TextBlock(text="Long."), CachePoint(cache_control=CACHE), TextBlock(text="Q")]
    messages = [ChatMessage(role="user", blocks=blocks)]
    asyncio.run(model.achat(messages)) if asynchronous else model.chat(messages)
    first, second = wire.bodies[-1]["messages"][0]["content"]
    assert (first["text"], first["cache_control"]["type"]) == ("Long.", "ephemeral")
    assert second == {"type": "text", "text": "Q"}


def test_documents_stand_on_lines_of_their_own() -> None:
    """In a message of a user, the system and a tool. Other blocks of text are pieces of one text, as in LangChain."""
    document = {"type": "text-plain", "text": "Two.", "mime_type": "text/plain"}
    parts = [{"type": "text", "text": "O"}, "ne.", {"type": "text", "text": ""}, document, document, "Three."]
    for message in (HumanMessage(parts), SystemMessage(parts), ToolMessage(parts, tool_call_id="1")):
        assert to_core([message])[0].text == "One.\nTwo.\nTwo.\nThree."
    assert to_core([AIMessage(["One.", "Two."])])[0].text == "One.Two."


def test_a_plain_text_document_keeps_its_title() -> None:
    """Given as text or as base64; one that is named by URL is a file."""
    document = {"type": "text-plain", "title": "Report", "context": "Draft", "mime_type": "text/plain"}
    asked = [{"type": "text", "text": "Summarise."}, {**document, "text": "Body."}]
    assert to_core([HumanMessage(asked)])[0].text == "Summarise.\nReport\nDraft\nBody."
    encoded = base64.b64encode("Grüße".encode()).decode()
    assert to_core([HumanMessage([{**document, "base64": encoded}])])[0].text == "Report\nDraft\nGrüße"
    (media,) = to_core([HumanMessage([{**document, "url": "https://x.test/a.txt"}])])[0].media
    assert (media.kind, media.url, media.name) == ("file", "https://x.test/a.txt", "Report")


def test_what_is_on_a_block_does_not_change_a_digest() -> None:
    """The model sees the same, so a session continues when a cache point moves."""
    plain, cached = ({"type": "text", "text": "Q"}, {"type": "text", "text": "Q", "cache_control": CACHE})
    assert digest_of(to_core([HumanMessage([plain])])) == digest_of(to_core([HumanMessage([cached])]))
    assert digest_of(to_core([HumanMessage("Q")])) == digest_of(to_core([HumanMessage([cached])]))


IMAGES = [
    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
    {"type": "media", "mime_type": "image/png", "data": PNG},
    {"type": "image", "data": PNG, "mimeType": "image/png"},
    {"type": "non_standard", "value": {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}},
]
UNKNOWN = [
    {"type": "picture", "data": PNG},
    {"type": "picture", "deep": {"er": [{"bytes": PNG}]}},
    {"type": "picture", "source": {"media_type": "image/png", "at": "https://x.test/1"}},
    {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
    {"type": "non_standard", "value": {"blob": f"data:image/png;base64,{PNG}"}},
]


@pytest.fixture
def rivya(sandbox: Sandbox) -> ChatRivya:
    return ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)


def ask(model: ChatRivya, message: HumanMessage, way: str) -> None:
    if way == "whole":
        model.invoke([message])
    elif way == "async":
        asyncio.run(model.ainvoke([message]))
    else:
        list(model.stream([message]))


@pytest.mark.parametrize("way", ["whole", "async", "stream"])
@pytest.mark.parametrize("block", IMAGES, ids=lambda block: block["type"])
def test_images_in_other_packages_forms_are_attached(rivya: ChatRivya, sandbox: Sandbox, block: Any, way: str) -> None:
    message = HumanMessage([{"type": "text", "text": "Look."}, block])
    ask(rivya, message, way)
    (seen,) = sandbox.journal.turns[-1].context
    assert (seen.text, len(seen.attachments)) == ("Look.", 1)
    assert to_core([message])[0].media[0].mime_type == "image/png"


@pytest.mark.parametrize("way", ["whole", "async", "stream"])
@pytest.mark.parametrize("block", UNKNOWN)
def test_media_of_unknown_form_are_refused_by_rivya(rivya: ChatRivya, sandbox: Sandbox, block: Any, way: str) -> None:
    """Before anything is sent; written into the prompt they would be charged as text that no model can read."""
    message = HumanMessage([{"type": "text", "text": "Look."}, block])
    with pytest.raises(NotSupportedError, match="Nothing was sent"):
        ask(rivya, message, way)
    assert not sandbox.journal.turns


def test_blocks_of_plain_facts_are_still_written_for_rivya(rivya: ChatRivya) -> None:
    """A block of unknown form without media is text that a model can read."""
    block = {"type": "search_result", "title": "Rhine", "url": "https://x.test", "score": 0.5, "text": "long " * 100}
    assert rivya.invoke([HumanMessage([{"type": "text", "text": "Read."}, block])]).text


def test_streamed_calls_are_numbered_from_0_where_merging_allows_it() -> None:
    """In v1, LangChain merges a call with a text of the same index; there the numbers begin far away."""
    delta: dict[str, Any] = {"content": "Let me see."}
    calls = [
        {"index": number, "id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for number in (0, 1)
    ]
    pieces = [{"delta": delta}, {"delta": {"tool_calls": calls}}, {"delta": {}, "finish_reason": "tool_calls"}]
    text = "".join(f"data: {json.dumps({'choices': [{'index': 0, **piece}]})}\n\n" for piece in pieces)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=text + "data: [DONE]\n\n", headers={"content-type": "text/event-stream"})

    for version, numbers in (("v0", [0, 1]), ("v1", [1000, 1001])):
        client = httpx.Client(transport=httpx.MockTransport(answer))
        model = ChatOpenAICompatible(
            model="m",
            base_url="https://api.test/v1",
            api_key="sk-0123456789",
            http_client=client,
            output_version=version,
        )
        whole = None
        for chunk in model.stream("hi"):
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        assert [call["index"] for call in whole.tool_call_chunks] == numbers
        assert [(call["name"], call["id"]) for call in whole.tool_calls] == [("f", "c0"), ("f", "c1")]
        assert whole.text == "Let me see."
