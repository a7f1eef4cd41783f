"""Point 2: the streaming contract, and that a stream says what a whole reply says."""

from __future__ import annotations

import copy

import pytest
from llama_backend import Reply
from llama_calls import user
from llama_index.core.base.llms.types import TextBlock, ThinkingBlock
from llama_index.core.callbacks.token_counting import get_tokens_from_response

REPLY = Reply(("Hel", "lo, ", "wörld", "\n\nEnd."), reasonings=("I ", "ponder."))
TEXT, REASONING = "Hello, wörld\n\nEnd.", "I ponder."


def test_messages_are_cumulative_and_deltas_are_increments(llm, backend, calls):
    """Each chunk's message is everything so far, and the deltas put together are the whole text."""
    backend.say(REPLY)

    chunks = calls.each(llm, "stream_chat", [user("Hi")])

    so_far = ""
    for chunk in chunks:
        so_far += chunk.delta
        assert (chunk.message.content or "") == so_far
    assert so_far == TEXT


def test_the_last_chunk_is_complete(llm, backend, calls):
    """Text, reasoning and usage are all in the last chunk, where agents and token counters read them."""
    backend.say(REPLY)

    last = calls.each(llm, "stream_chat", [user("Hi")])[-1]

    assert last.message.role == "assistant"
    assert last.message.content == TEXT
    assert "".join(b.content for b in last.message.blocks if isinstance(b, ThinkingBlock)) == REASONING
    assert get_tokens_from_response(last) == (11, 7)


def test_every_chunk_has_exactly_one_text_block(llm, backend, calls):
    """Text comes in one block, never in one a chunk: LlamaIndex joins blocks with line breaks."""
    backend.say(REPLY)

    for chunk in calls.each(llm, "stream_chat", [user("Hi")]):
        assert sum(isinstance(block, TextBlock) for block in chunk.message.blocks) == 1


def test_an_empty_reply_is_still_a_chunk(llm, backend, calls):
    """A reply without a word gives a chunk with an assistant's message: agents remember the last one."""
    backend.say(Reply(""))

    chunks = calls.each(llm, "stream_chat", [user("Hi")])

    assert chunks
    assert chunks[-1].message.role == "assistant"
    assert chunks[-1].message.content == ""


def test_reasoning_arrives_as_deltas(llm, backend, calls):
    """Agents read `thinking_delta` from the response; joined, they are the whole reasoning."""
    backend.say(REPLY)

    chunks = calls.each(llm, "stream_chat", [user("Hi")])

    assert "".join(chunk.additional_kwargs.get("thinking_delta") or "" for chunk in chunks) == REASONING


@pytest.mark.parametrize("reply", [REPLY, Reply("short"), Reply("")], ids=["long", "short", "empty"])
def test_a_stream_ends_with_what_a_whole_reply_says(llm, backend, calls, reply):
    """The last chunk and the whole reply are the same but for ids and sessions."""
    backend.say(reply, reply)

    whole = calls.run(llm, "chat", [user("Hi")])
    last = calls.each(llm, "stream_chat", [user("Hi")])[-1]

    assert last.message.blocks == whole.message.blocks
    assert last.message.additional_kwargs.keys() == whole.message.additional_kwargs.keys()
    assert last.additional_kwargs == whole.additional_kwargs
    assert get_tokens_from_response(last) == get_tokens_from_response(whole) == (11, 7)


def test_chunks_stay_as_they_were(llm, backend, calls):
    """A chunk that is kept does not change while the rest arrives."""
    backend.say(REPLY, REPLY)

    kept, copies = [], []
    for chunk in llm.stream_chat([user("Hi")]):
        kept.append(chunk)
        copies.append(copy.deepcopy(chunk))

    assert kept == copies
    assert len({id(chunk.message.blocks) for chunk in kept}) == len(kept)


def test_completions_stream_alike(llm, backend, calls):
    """`stream_complete` keeps the same contract in `text` and `delta`."""
    backend.say(REPLY)

    chunks = calls.each(llm, "stream_complete", "Hi")

    assert "".join(chunk.delta for chunk in chunks) == TEXT == chunks[-1].text
    assert get_tokens_from_response(chunks[-1]) == (11, 7)


def test_long_streams_come_whole(llm, backend):
    """Thousands of chunks are one text."""
    backend.say(Reply(("word ",) * 4_000))

    *_, last = llm.stream_chat([user("Hi")])

    assert last.message.content == "word " * 4_000
