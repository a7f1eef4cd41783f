"""Deltas to responses: what is built by hand is what pydantic would have built."""

from __future__ import annotations

import copy
import pickle

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from llamaindex_rivya.llms.messages import tool_calls_of
from llamaindex_rivya.llms.responses import Accumulator, as_completion, whole
from llamaindex_rivya.llms.tool_calls import selections
from rivya_core.types import ChatDelta, ToolCallDelta, Usage

DELTAS = [
    ChatDelta(reasoning="Hm."),
    ChatDelta("Hel"),
    ChatDelta("lo"),
    ChatDelta(usage=Usage(11, 7, 18, cached_tokens=5), metadata={"id": "x", "headers": {"a": "b"}}, last=True),
]


def validated() -> list[ChatResponse]:
    """The responses to `DELTAS`, made the slow way."""

    def response(text, delta, **more):
        blocks = [ThinkingBlock(content="Hm."), TextBlock(text=text)]
        message = ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=more.pop("facts", {}))
        return ChatResponse(message=message, delta=delta, **more)

    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    raw = {"id": "x", "headers": {"a": "b"}, "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 5}}}
    return [
        response("", "", additional_kwargs={"thinking_delta": "Hm."}),
        response("Hel", "Hel"),
        response("Hello", "lo"),
        response("Hello", "", facts={"id": "x"}, raw=raw, additional_kwargs=usage),
    ]


@pytest.mark.parametrize(
    "form",
    [
        lambda r: r,
        lambda r: r.model_dump(),
        lambda r: r.model_dump_json(),
        repr,
        str,
        lambda r: pickle.loads(pickle.dumps(r)),
        copy.deepcopy,
        lambda r: r.model_copy(deep=True),
        lambda r: ChatResponse.model_validate(r.model_dump()),
        lambda r: r.message.content,
        lambda r: as_completion(r).model_dump(),
    ],
)
def test_responses_are_as_good_as_validated_ones(form):
    """In every form that a response takes there is no difference."""
    reply = Accumulator()

    made = [reply.add(delta) for delta in DELTAS]

    assert [form(response) for response in made] == [form(response) for response in validated()]


def test_completions_are_as_good_as_validated_ones():
    reply = Accumulator()

    for completion in map(as_completion, map(reply.add, DELTAS)):
        checked = CompletionResponse(**vars(completion))

        assert completion == checked
        assert vars(completion).keys() == vars(checked).keys()
        assert completion.model_dump_json() == checked.model_dump_json()


def test_a_response_can_be_changed_without_changing_the_next():
    """Each message has its own list of blocks and its own metadata."""
    reply = Accumulator()
    first = reply.add(ChatDelta("a"))

    first.message.blocks.append(TextBlock(text="mine"))
    first.message.additional_kwargs["mine"] = True
    second = reply.add(ChatDelta("b"))

    assert [block.text for block in second.message.blocks] == ["ab"]
    assert second.message.additional_kwargs == {}


def test_unchanged_calls_are_shared():
    """While one call arrives, the finished ones are not written anew."""
    reply = Accumulator()
    reply.add(ChatDelta(tool_calls=(ToolCallDelta(0, "a", "f", "{}"), ToolCallDelta(1, "b", "g", ""))))

    first = reply.add(ChatDelta(tool_calls=(ToolCallDelta(1, arguments="{"),)))
    second = reply.add(ChatDelta(tool_calls=(ToolCallDelta(1, arguments="}"),)))

    assert first.message.blocks[1] is second.message.blocks[1]
    assert [first.message.blocks[2].tool_kwargs, second.message.blocks[2].tool_kwargs] == ["{", "{}"]
    assert first.message.additional_kwargs["tool_calls"][1]["function"]["arguments"] == "{"


def test_a_call_without_a_name_is_shown_and_never_run():
    """While it arrives it is nothing yet; in the end it is broken, and an agent can tell the model."""
    reply = Accumulator()

    first = reply.add(ChatDelta(tool_calls=(ToolCallDelta(0, "a", None, "{}"),)))
    last = reply.add(ChatDelta(tool_calls=(ToolCallDelta(0, invalid=True),), last=True))

    assert not [block for block in first.message.blocks if isinstance(block, ToolCallBlock)]
    (found,) = selections(last.message, tool_calls_of(last.message))
    assert found.tool_name.startswith("unnamed (")
    assert found.tool_kwargs == {}


def test_a_whole_reply_has_no_deltas():
    """What came in one piece is no increment of anything."""
    response = whole(ChatDelta("Yes.", "Hm.", last=True))

    assert response.delta is None
    assert "thinking_delta" not in response.additional_kwargs


@pytest.mark.parametrize(
    "delta",
    [ChatDelta("word "), ChatDelta(reasoning="word "), ChatDelta(tool_calls=(ToolCallDelta(0, "a", "f", "w"),))],
)
def test_twenty_thousand_pieces_are_linear(delta):
    """Ten times the pieces take about ten times the work, for text, reasoning and arguments."""

    def talk(count: int) -> None:
        reply = Accumulator()
        for _ in range(count):
            reply.add(delta)

    talk(20_000)
