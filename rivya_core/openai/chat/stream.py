"""Reading chat completions: the whole reply and the streamed one, into deltas.

https://platform.openai.com/docs/api-reference/chat/streaming. `parsing.py` reads what is in the objects, and
`tool_calls.py` finds out which call a piece belongs to; here they are put in order. Most chunks hold a few characters
of text and nothing else, so those take a short way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from rivya_core.chat_stream import ChatStreamDecoder, join, looks_like_sse, with_refusal
from rivya_core.http.error_responses import error_from_response, invalid_response, parse_json
from rivya_core.http.frame_cache import values_of
from rivya_core.http.headers import reported_headers
from rivya_core.http.json_codec import SurrogateBuffer, repaired
from rivya_core.http.library import httpx
from rivya_core.http.sse import Event
from rivya_core.openai.chat.parsing import Collected, failure_of, first_choice, is_error, said
from rivya_core.openai.chat.pieces import Rest, piece_of, with_piece
from rivya_core.openai.chat.think_tags import ThinkTags
from rivya_core.openai.reply_state import REASONING_KEYS, STATE_KEY, ReplyState, seal_state
from rivya_core.openai.tool_calls import ToolCalls, calls_with_state
from rivya_core.sessions.pointers import Origin
from rivya_core.types import ChatDelta

END_MARK = b"[DONE]"
KEEP_ALIVES = frozenset({b"", b"ping", b"PING", b"keep-alive", b"heartbeat", b"ok", b"null"})
PLAIN_KEYS = frozenset(
    "id object created model choices usage system_fingerprint service_tier obfuscation provider p".split()
)
"""Keys next to `choices` that only repeat the first chunk."""
PLAIN_CHOICE_KEYS = frozenset(
    "index delta finish_reason native_finish_reason stop_reason logprobs content_filter_results token_ids".split()
)
"""The same in a choice."""


def is_keep_alive(data: bytes) -> bool:
    """Whether the data of an event say nothing, or are a comment that a gateway has wrapped."""
    return data in KEEP_ALIVES or data.startswith(b":")


class Reading(NamedTuple):
    """What the caller wants of a reply, and where it comes from.

    Attributes:
        think_tags: Text in `<think>` tags is reasoning.
        headers: Whether the metadata include the response's headers.
        origin: Where the reply comes from; without it no state of the reply is kept.
    """

    think_tags: bool = False
    headers: bool = False
    origin: Origin | None = None


def read_whole(response: httpx.Response, reading: Reading) -> ChatDelta:
    """Return the reply in a whole response; a body that is a stream is read as one.

    Raises:
        APIError: The response is an error or not a chat completion.
    """
    if looks_like_sse(response):
        return join(CompletionsStreamDecoder(response, reading), response.content)
    value = parse_json(response)
    if is_error(value):
        raise error_from_response(response, value)
    choice = first_choice(value) if isinstance(value, dict) else None
    if choice is None:
        raise invalid_response(response, "has no choices")
    message = choice.get("message") or choice.get("delta") or {"content": choice.get("text")}
    failure = failure_of(choice)
    if failure is not None:
        raise error_from_response(response, failure)
    if not isinstance(message, dict) or not (choice.get("finish_reason") or any(message.values())):
        raise invalid_response(response, "has no message")
    collected = Collected()
    collected.top(value)
    collected.choice(choice)
    collected.message(message)
    return _whole(collected, message, response, reading)


def _whole(collected: Collected, message: Mapping[str, Any], response: httpx.Response, reading: Reading) -> ChatDelta:
    text, reasoning = said(message)
    if reading.think_tags and not reasoning:
        tags = ThinkTags()
        (text, reasoning), (text_left, reasoning_left) = tags.add(text), tags.finish()
        text, reasoning = text + text_left, reasoning + reasoning_left
    legacy = message.get("function_call")
    calls, states = calls_with_state(message.get("tool_calls") or ([legacy] if legacy else []))
    return ChatDelta(
        text,
        reasoning,
        calls,
        collected.usage,
        with_refusal(_metadata(collected, states, response, reading), said=bool(text or calls)),
        last=True,
        blocks=collected.blocks,
    )


def _metadata(
    collected: Collected, calls: Mapping[str, Any], response: httpx.Response, reading: Reading
) -> dict[str, Any]:
    """The reply's facts, with its state and, where they are wanted, the response's headers."""
    found = collected.metadata
    if reading.origin is not None and (collected.state or calls):
        state = ReplyState(repaired(collected.state), repaired(dict(calls)))
        found[STATE_KEY] = seal_state(state, reading.origin)
    if reading.headers:
        found["headers"] = reported_headers(response)
    return found


class CompletionsStreamDecoder(ChatStreamDecoder):
    """Decodes the body of a streamed chat completion."""

    unread = values_of("obfuscation", "p")

    def __init__(self, response: httpx.Response, reading: Reading) -> None:
        super().__init__(response)
        self._reading = reading
        self._collected = Collected()
        self._calls = ToolCalls()
        self._tags = ThinkTags() if reading.think_tags else None
        self._pieces: list[str] = []
        self._text, self._reasoning = SurrogateBuffer(), SurrogateBuffer()
        self._seen = self._marked = False
        self._quick = False

    @property
    def done(self) -> bool:
        """Whether the end mark came; usage may follow the finish reason."""
        return self._marked or self._failure is not None

    @property
    def partial(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def read(self, event: Event) -> list[ChatDelta]:
        """Return the deltas in one event."""
        try:
            chunk = from_json(event.data, allow_inf_nan=False)
        except ValueError:
            return self._read_odd(event)
        if self._quick and not event.name:
            text = _plain_text(chunk)
            if text is not None:
                self._pieces.append(text)
                return [ChatDelta(text)] if text else []
        return self._read_chunk(event.name, chunk)

    def piece_in(self, event: Event) -> tuple[Any, str] | None:
        """Return the delta without its text, and the text, if the chunk brings nothing else."""
        try:
            chunk = from_json(event.data, allow_inf_nan=False)
        except ValueError:
            return None
        return piece_of(chunk) if event.name != "error" else None

    def read_piece(self, rest: Rest, text: str) -> list[ChatDelta]:
        """Return the deltas in a chunk with this rest and this text."""
        key, others = rest
        if others or not self._quick:
            return self._said(with_piece(rest, text))
        if key == "content":
            self._pieces.append(text)
            return [ChatDelta(text)]
        if key in REASONING_KEYS and not self._reasoning.rest:
            self._collected.state_pieces.append({key: text})
            return [ChatDelta("", text)]
        return self._said(with_piece(rest, text))

    def closing(self) -> ChatDelta:
        """Return what was held back, with usage, metadata and blocks."""
        text, reasoning = self._tagged(self._text.finish()), self._reasoning.finish()
        left = self._tags.finish() if self._tags else ("", "")
        calls, last_text = self._calls.finish(), text[0] + left[0]
        said = bool(self._pieces or self._calls or last_text)
        return ChatDelta(
            last_text,
            reasoning + text[1] + left[1],
            calls,
            self._collected.usage,
            with_refusal(_metadata(self._collected, self._calls.state, self.response, self._reading), said=said),
            last=True,
            blocks=self._collected.blocks,
        )

    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a plain JSON response."""
        return read_whole(response, self._reading)

    def _read_odd(self, event: Event) -> list[ChatDelta]:
        """An event that is not plain JSON: the end, a keep-alive, half a character, or invalid data."""
        if self._marked or is_keep_alive(event.data):
            return []
        if event.data.startswith(END_MARK):
            self._marked = True
            self.complete = self.complete or self._seen
            return []
        if event.name == "error":
            raise error_from_response(self.response, {"error": event.data.decode("utf-8", "replace")})
        try:
            return self._read_chunk(event.name, self.parse_unusual(event.data))
        except ValueError:
            raise self.not_json(event.data) from None

    def _read_chunk(self, name: str, chunk: Any) -> list[ChatDelta]:
        if is_error(chunk) or name == "error":
            raise error_from_response(self.response, chunk if is_error(chunk) else {"error": chunk})
        if not isinstance(chunk, Mapping) or self._marked:
            return []
        self._collected.top(chunk)
        choice = first_choice(chunk)
        if choice is None:
            return []
        failure = failure_of(choice)
        if failure is not None:
            raise error_from_response(self.response, failure)
        self._seen = True
        self._collected.choice(choice)
        self.complete = self.complete or self._collected.finish_reason is not None
        return self._said(self._message(choice))

    def _message(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        """The delta; a whole message counts only where nothing was said before it."""
        message = choice.get("delta")
        if not message and not (self._pieces or self._calls):
            message = choice.get("message") or {"content": choice.get("text")}
        return message if isinstance(message, Mapping) else {}

    def _said(self, message: Mapping[str, Any]) -> list[ChatDelta]:
        self._collected.message(message)
        new_text, new_reasoning = said(message)
        text, tagged = self._tagged(self._text.add(new_text))
        reasoning = self._reasoning.add(new_reasoning) + tagged
        legacy = message.get("function_call")
        found = message.get("tool_calls") or legacy
        calls = self._calls.add(found) if found else ()
        self._quick = self._tags is None and not self._text.rest
        if text:
            self._pieces.append(text)
        return [ChatDelta(text, reasoning, calls)] if text or reasoning or calls else []

    def _tagged(self, text: str) -> tuple[str, str]:
        return self._tags.add(text) if self._tags else (text, "")


def _plain_text(chunk: Any) -> str | None:
    """The text of a chunk that holds nothing else; None for all other chunks."""
    if type(chunk) is not dict or chunk.get("usage") is not None or not chunk.keys() <= PLAIN_KEYS:
        return None
    choices = chunk.get("choices")
    choice = choices[0] if type(choices) is list and choices else None
    if type(choice) is not dict or choice.get("finish_reason") or choice.get("logprobs") is not None:
        return None
    if not choice.keys() <= PLAIN_CHOICE_KEYS:
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) > 1 + ("role" in delta):
        return None
    text = delta.get("content")
    return text if type(text) is str else None
