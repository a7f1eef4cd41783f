"""The small rooms: JSON text, characters, think tags, usage, quirks, and the beginnings of bodies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rivya_core.chat_stream import read_usage
from rivya_core.errors import BadRequestError
from rivya_core.openai.chat import quirks
from rivya_core.openai.chat.refusals import quirk_from_error
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading
from rivya_core.openai.chat.think_tags import ThinkTags
from rivya_core.types import Usage

TAGGED = {
    "<think>hm</think>yes": ("yes", "hm"),
    "  <thinking>hm</thinking>\n\nyes": ("yes", "hm"),
    "<think></think>\nyes <think>no</think>": ("yes <think>no</think>", ""),
    "yes <think>no</think>": ("yes <think>no</think>", ""),
    "<think>cut off </thi": ("", "cut off </thi"),
    "<thin": ("<thin", ""),
    "<b>yes</b>": ("<b>yes</b>", ""),
    "": ("", ""),
    "<think>a < b </t x</think>": ("", "a < b </t x"),
}


@pytest.mark.parametrize("text", TAGGED)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_reasoning_in_tags_however_it_is_cut(text: str, size: int) -> None:
    tags = ThinkTags()
    parts = [tags.add(text[at : at + size]) for at in range(0, len(text), size)] + [tags.finish()]

    assert ("".join(said for said, _ in parts), "".join(reasoning for _, reasoning in parts)) == TAGGED[text]


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        (None, None),
        ([], None),
        ({"prompt_tokens": None}, None),
        ({"prompt_tokens": "3", "completion_tokens": 4.0}, Usage(3, 4, 7)),
        ({"total_tokens": 7}, Usage(0, 0, 7)),
        ({"prompt_tokens": True, "total_tokens": 7}, Usage(0, 0, 7)),
        ({"prompt_tokens": -3, "completion_tokens": "x", "total_tokens": float("inf")}, Usage(0, 0, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_cache_hit_tokens": 2}, Usage(3, 4, 7, cached_tokens=2)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "gmi_cached_tokens": 2}, Usage(3, 4, 7, cached_tokens=2)),
    ],
    ids=str,
)
def test_token_counts_in_all_their_forms(value: Any, usage: Usage | None) -> None:
    assert read_usage(value) == usage


def test_what_was_learned_is_kept_within_bounds() -> None:
    for number in range(quirks.MOST_MODELS + 5):
        quirks.remember("http://x", str(number), quirks.Quirks(no_stream_options=True))

    assert quirks.known("http://x", "0") == quirks.NONE
    assert quirks.known("http://x", str(quirks.MOST_MODELS)).no_stream_options
    assert quirk_from_error(BadRequestError("x"), {}, quirks.NONE) is None


def stream(kind: str) -> CompletionsStreamDecoder:
    request = httpx.Request("POST", "http://backend.test/v1")
    return CompletionsStreamDecoder(httpx.Response(200, headers={"content-type": kind}, request=request), Reading())


REPLY = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
EVENTS = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/octet-stream", ""])
@pytest.mark.parametrize("content", [REPLY, EVENTS, b"\n \r\n" + REPLY, b"\n\n" + EVENTS, b"\xef\xbb\xbf" + EVENTS])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_a_body_is_shows_in_its_first_bytes(kind: str, content: bytes, size: int) -> None:
    """Not in its type: plain answers come as streams and the other way round."""
    decoder = stream(kind)
    deltas = [delta for at in range(0, len(content), size) for delta in decoder.feed(content[at : at + size])]

    assert "".join(delta.text for delta in [*deltas, *decoder.finish()]) == "Hi"
