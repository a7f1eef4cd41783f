"""Point 9: every block is sent or refused by name; roles are mapped; nothing is dropped in silence."""

from __future__ import annotations

import json

import pytest
from llama_backend import OpenAIRouter, Reply
from llama_calls import user
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    VideoBlock,
)
from samples import pdf, png, wav

BLOCKS = [
    ImageBlock(image=png()),
    ImageBlock(url="https://example.com/a.png"),
    AudioBlock(audio=wav(), format="wav"),
    VideoBlock(url="https://example.com/a.mp4"),
    DocumentBlock(data=pdf(), document_mimetype="application/pdf"),
    CitableBlock(title="Rivers", source="atlas", content=[TextBlock(text="The Rhine.")]),
    CitationBlock(cited_content=TextBlock(text="The Rhine."), source="atlas", title="R", additional_location_info={}),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_a_block_is_sent_or_refused_by_name(llm, backend, calls, block, role):
    """A block changes what is sent, or is refused with its type and the message's role."""
    said = ChatMessage(role=role, blocks=[TextBlock(text="See:"), block])
    plain = ChatMessage(role=role, blocks=[TextBlock(text="See:")])
    calls.run(llm, "chat", [plain, user("Go")])
    backend.requests, without = [], backend.requests[-1].body

    refusal = None
    try:
        calls.run(llm, "chat", [said, user("Go")])
    except Exception as error:  # noqa: BLE001 - any class of error, but it must tell
        refusal = str(error)

    if refusal is None:
        assert backend.requests[-1].body != without
    else:
        assert not backend.requests
        assert "by URL" in refusal or (type(block).__name__ in refusal and role in refusal)


def test_a_cache_point_is_no_obstacle(llm, backend, calls, candidate):
    """A hint for caches is not content: it is sent with the block before it, or not at all."""
    point = CachePoint(cache_control={"type": "ephemeral"})

    calls.run(llm, "chat", [ChatMessage(role="user", blocks=[TextBlock(text="Hi"), point])])
    calls.run(llm, "chat", [user("Hi")])

    cached, plain = (request.body for request in backend.requests)
    if candidate.wire is OpenAIRouter:
        (block,) = cached["messages"][-1]["content"]
        assert (block["text"], block["cache_control"]["type"]) == ("Hi", "ephemeral")
    else:
        assert cached == plain


def test_texts_are_joined_as_the_framework_joins_them(llm, backend, calls):
    """Two text blocks read as `ChatMessage.content` says."""
    message = ChatMessage(role="user", blocks=[TextBlock(text="one"), TextBlock(text="two")])

    calls.run(llm, "chat", [message])

    assert json.dumps(message.content)[1:-1] in json.dumps(backend.requests[0].body)


@pytest.mark.parametrize(("role", "same"), [("chatbot", "assistant"), ("model", "assistant")])
def test_roles_of_other_providers_are_mapped(llm, backend, calls, role, same):
    """`chatbot` and `model` are what other providers call the assistant."""
    for name in (role, same):
        calls.run(llm, "chat", [user("Hi"), ChatMessage(role=name, content="Hello"), user("Go")])

    assert backend.requests[0].body == backend.requests[1].body


def test_reasoning_does_not_become_text(llm, backend, calls):
    """An earlier reply's reasoning is never sent as text."""
    thinking = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="SECRET-THOUGHT"), TextBlock(text="Hello")])

    calls.run(llm, "chat", [user("Hi"), thinking, user("Go")])

    said = [m.get("content") for m in backend.requests[0].body.get("messages", [])]
    assert "SECRET-THOUGHT" not in json.dumps(said or backend.requests[0].body)


def test_a_reply_can_be_sent_back(llm, backend, calls):
    """What the model said goes into the next turn as it was, after a round trip through JSON too."""
    backend.say(Reply("An answer.", reasonings="Hm."), Reply("a"), Reply("b"))
    reply = calls.run(llm, "chat", [user("Hi")]).message
    again = ChatMessage.model_validate_json(reply.model_dump_json())

    assert again.content == "An answer."
    calls.run(llm, "chat", [user("Hi"), reply, user("Go")])
    calls.run(llm, "chat", [user("Hi"), again, user("Go")])
    assert len(backend.requests) == 3


def test_the_callers_messages_stay_as_they_were(llm, calls):
    """Neither the list nor a message in it is changed."""
    messages = [ChatMessage(role="system", content="Be brief."), user("Hi")]
    before = [message.model_dump() for message in messages]

    calls.run(llm, "chat", messages)
    calls.each(llm, "stream_chat", messages)

    assert [message.model_dump() for message in messages] == before
