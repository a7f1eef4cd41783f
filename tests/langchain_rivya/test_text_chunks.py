"""What is copied from a pattern is what the validated chunk or reply is, for everything that is done with it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, AIMessageChunk, message_to_dict
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_rivya.chat_models.text_chunks import text_chunk, text_message, text_result

SLOTS = ("__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")


def validated(text: str, reasoning: str = "") -> ChatGenerationChunk:
    further: Any = {"additional_kwargs": {"reasoning_content": reasoning}} if reasoning else {}
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **further))


@pytest.mark.parametrize("text", [("",), ("Hello",), ("wörld 👋\n",), ("", "Why?"), ("Hello", "Why?")])
def test_it_equals_the_validated_chunk_in_every_respect(text: Any) -> None:
    """On each supported version of langchain-core: values, types, what counts as set, and what pydantic keeps beside."""
    ours, theirs = text_chunk(*text), validated(*text)

    assert ours == theirs
    for mine, its in ((ours, theirs), (ours.message, theirs.message)):
        assert type(mine) is type(its)
        assert {key: type(value) for key, value in vars(mine).items()} == {k: type(v) for k, v in vars(its).items()}
        assert {slot: getattr(mine, slot) for slot in SLOTS} == {slot: getattr(its, slot) for slot in SLOTS}


USES: dict[str, Any] = {
    "dump": lambda chunk: chunk.model_dump(),
    "unset left out": lambda chunk: chunk.model_dump(exclude_unset=True),
    "repr": repr,
    "message as dict": lambda chunk: message_to_dict(chunk.message),
    "copy": lambda chunk: chunk.model_copy(update={"text": "x"}).model_dump(),
    "deep copy": lambda chunk: copy.deepcopy(chunk).model_dump(),
    "pickle": lambda chunk: pickle.loads(pickle.dumps(chunk)).model_dump(),
    "added": lambda chunk: (chunk + text_chunk(" there")).model_dump(),
    "added from the left": lambda chunk: (validated("Oh, ") + chunk).model_dump(),
    "blocks": lambda chunk: chunk.message.content_blocks,
    "text": lambda chunk: (chunk.text, chunk.message.text),
    "dumped": lambda chunk: dumpd(chunk.message),
    "json": lambda chunk: type(chunk.message).model_validate_json(chunk.message.model_dump_json()).model_dump(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("text", [("Hello",), ("", "Why?")], ids=["text", "reasoning"])
def test_it_behaves_as_the_validated_chunk(text: Any, use: Any) -> None:
    assert use(text_chunk(*text)) == use(validated(*text))


def test_it_can_be_changed_as_langchain_does() -> None:
    """Core writes an id and metadata into chunks."""
    ours, theirs = text_chunk("Hello"), validated("Hello")
    for chunk in (ours, theirs):
        chunk.message.id = "run-1"
        chunk.message.response_metadata["a"] = 1

    assert ours.model_dump() == theirs.model_dump()
    assert ours.message.model_fields_set == theirs.message.model_fields_set


def test_no_two_chunks_share_anything_that_can_be_changed() -> None:
    first, second = text_chunk("a"), text_chunk("b")
    first.message.response_metadata["x"] = 1
    first.message.tool_call_chunks.append({"name": "f"})  # type: ignore[typeddict-item]
    first.message.id = "run-1"

    assert second == validated("b")


USAGE = UsageMetadata(input_tokens=1, output_tokens=2, total_tokens=3, input_token_details={"cache_read": 1})
METADATA = {"model_provider": "rivya", "model_name": "m", "id": "r", "usage": {"cost": 0.1}}


@pytest.mark.parametrize("usage", [USAGE, None])
@pytest.mark.parametrize("text", ["", "wörld 👋\n"])
def test_a_whole_reply_equals_the_validated_one_in_every_respect(text: str, usage: UsageMetadata | None) -> None:
    message = AIMessage(content=text, response_metadata=dict(METADATA), usage_metadata=usage)
    theirs = ChatResult(generations=[ChatGeneration(message=message)], llm_output={"model_name": "m"})

    ours = text_result(text_message(text, dict(METADATA), usage), {"model_name": "m"})

    assert ours == theirs
    assert pickle.loads(pickle.dumps(ours)) == theirs
    assert ours.model_dump() == theirs.model_dump()
    assert ours.model_dump(exclude_unset=True) == theirs.model_dump(exclude_unset=True)
    assert dumpd(ours.generations[0].message) == dumpd(message)
    pairs = (ours, theirs), (ours.generations[0], theirs.generations[0]), (ours.generations[0].message, message)
    for mine, its in pairs:
        assert type(mine) is type(its)
        assert {key: type(value) for key, value in vars(mine).items()} == {k: type(v) for k, v in vars(its).items()}
        assert {slot: getattr(mine, slot) for slot in SLOTS} == {slot: getattr(its, slot) for slot in SLOTS}


def test_no_two_replies_share_anything_that_can_be_changed() -> None:
    first, second = (text_result(text_message("a", {}, None), {}) for _ in range(2))
    first.generations[0].message.additional_kwargs["x"] = 1
    first.generations[0].message.response_metadata["x"] = 1
    first.generations.clear()

    assert second == ChatResult(generations=[ChatGeneration(message=AIMessage("a"))], llm_output={})
