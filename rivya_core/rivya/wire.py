"""Rivya's chat API: the request body, the whole reply and the streamed reply.

https://rivya.ai/docs/api-chat. A request holds one message; the session holds the history. `frames.py` reads a frame;
this module joins the frames so that no text is lost or repeated. `sessions/pointers.py` chooses the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from rivya_core.chat_stream import ChatStreamDecoder, join, looks_like_sse
from rivya_core.errors import APIError, ContextOverflowError, InvalidInputError
from rivya_core.http.error_responses import error_from_response, invalid_response, parse_json
from rivya_core.http.json_codec import loads_frame
from rivya_core.http.library import httpx
from rivya_core.http.sse import Event
from rivya_core.rivya.frames import Frame, read_frame, read_reply
from rivya_core.rivya.metadata import merged_facts, merged_usage
from rivya_core.rivya.text_assembler import TextAssembler
from rivya_core.rivya.vocabulary import END_MARK, NO_WORDS
from rivya_core.types import ChatDelta, Usage

WHOLE_PATH = "/chat/completions"
STREAM_PATH = "/chat/completions/stream"
LONGEST_MESSAGE = 20_000
"""Most characters of one message, as on every chat model's page."""
NOT_BARE = re.compile(r'\s*([{\["]|<!doctype|<html)', re.IGNORECASE)
"""First characters of JSON and of HTML pages; other data that is not JSON is a piece of bare text."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of a chat request; None is not sent.

    Attributes:
        model: Public chat model id.
        reasoning_effort: For example `low`, as far as the model supports it.
        enable_web_search: Has effect only where the model supports it.
        client_request_id: The caller's id for tracing.
    """

    model: str
    reasoning_effort: str | None = None
    enable_web_search: bool | None = None
    client_request_id: str | None = None


def chat_body(options: ChatOptions, text: str, session_id: str | None, file_ids: Sequence[str]) -> dict[str, Any]:
    """Return the request body of one turn."""
    optional = {
        "session_id": session_id,
        "attachments": [{"file_id": file_id} for file_id in file_ids] or None,
        "reasoning_effort": options.reasoning_effort,
        "enable_web_search": options.enable_web_search,
        "client_request_id": options.client_request_id,
    }
    present = {key: value for key, value in optional.items() if value is not None}
    return {"model": options.model, "message": text, **present}


def check_text(text: str) -> None:
    """Refuse an invalid message before anything is sent or charged.

    Raises:
        InvalidInputError: The message is empty.
        ContextOverflowError: The message is too long.
    """
    if not text.strip():
        raise InvalidInputError("The message is empty; Rivya's chat requires text. Nothing was sent.")
    if len(text) > LONGEST_MESSAGE:
        raise ContextOverflowError(
            f"The message has {len(text):,} characters; Rivya's chat takes at most {LONGEST_MESSAGE:,}. Nothing was "
            "sent. Trim or summarise the history, or use a model of GMI Cloud or Evolink."
        )


def read_whole(response: httpx.Response) -> ChatDelta:
    """Return the reply in a whole body; a body that is a stream is read as a stream.

    Raises:
        APIError: The response is an error or not a chat reply.
    """
    if looks_like_sse(response):
        return join(RivyaStreamDecoder(response), response.content)
    reply = _reply_or_error(response, parse_json(response))
    if isinstance(reply, APIError):
        raise reply  # raised here, where no local variable holds data that the server may have repeated
    return reply


def _reply_or_error(response: httpx.Response, value: Any) -> ChatDelta | APIError:
    frame = read_reply(value) if isinstance(value, Mapping) else Frame()
    if frame.error is not None:
        return error_from_response(response, frame.error)
    if not (frame.text or frame.facts.get("session_id") or frame.facts.get("id")):
        return invalid_response(response, "is not a chat reply")
    return ChatDelta(frame.text, frame.reasoning, usage=frame.usage, metadata=frame.facts, last=True)


class RivyaStreamDecoder(ChatStreamDecoder):
    """Decodes the body of a streamed reply."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response)
        self._text = TextAssembler()
        self._reasoning = TextAssembler()
        self._usage: Usage | None = None
        self._facts: dict[str, Any] = {}
        self._marked = False
        self._closed = False
        self._bare: set[str] = set()
        self._json: set[str] = set()

    @property
    def done(self) -> bool:
        """Whether the end mark has arrived, or an end with all the metadata that may follow it."""
        if self._marked or self._failure is not None:
            return True
        return self._closed and "session_id" in self._facts and self._usage is not None

    @property
    def partial(self) -> str:
        """The text so far."""
        return self._text.so_far

    def read(self, event: Event) -> list[ChatDelta]:
        """Return the delta in one event."""
        if END_MARK.fullmatch(event.data):
            self._marked = self.complete = True
            return []
        frame = read_frame(event.name, self._payload(event))
        if frame.error is not None:
            raise error_from_response(self.response, frame.error)
        if frame.facts or frame.usage:
            self._repeats.forget()  # later frames that repeat old values must not replace the values of this one
        return self._add(frame)

    def piece_in(self, event: Event) -> tuple[Any, str] | None:
        """Return the frame without its text, and the text, if it holds only the next piece."""
        if not event.data.startswith(b"{") or event.name in self._bare:
            return None
        try:
            frame = read_frame(event.name, loads_frame(event.data))
        except ValueError:
            return None
        if frame.form != "piece" or frame.ends or bool(frame.text) == bool(frame.reasoning):
            return None
        rest = frame._replace(text="", reasoning="")
        return (bool(frame.reasoning), rest), frame.reasoning or frame.text

    def read_piece(self, rest: Any, text: str) -> list[ChatDelta]:
        """Return the delta in a frame with this rest and this text."""
        if rest[0]:
            reasoning = self._reasoning.piece(text)
            return [ChatDelta("", reasoning)] if reasoning else []
        text = self._text.piece(text)
        return [ChatDelta(text)] if text else []

    def closing(self) -> ChatDelta:
        """Return usage and metadata."""
        facts = {**self._facts, "text_disagrees": True} if self._text.disagrees else self._facts
        return ChatDelta(self._text.end(), self._reasoning.end(), usage=self._usage, metadata=facts, last=True)

    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a body that is not a stream."""
        return read_whole(response)

    def _add(self, frame: Frame) -> list[ChatDelta]:
        self._facts = merged_facts(self._facts, frame.facts)
        self._usage = merged_usage(self._usage, frame.usage)
        self.complete = self.complete or frame.ends
        self._closed = self._closed or frame.closes
        reasoning = self._reasoning.add(frame.reasoning, frame.form, final=frame.ends)
        text = self._text.add(frame.text, frame.form, final=frame.ends)
        return [ChatDelta(text, reasoning)] if text or reasoning else []

    def _payload(self, event: Event) -> Any:
        """The JSON of an event, or its text if events of that name are bare text."""
        text = event.data.decode("utf-8", "replace")
        if event.name in self._bare:
            return text
        value = self._json_of(event.data)
        if isinstance(value, (dict, list)):
            self._json.add(event.name)
        if value is not None and (isinstance(value, (dict, list, str)) or event.name in self._json):
            return value if isinstance(value, (dict, list, str)) else {}
        return self._bare_text(event, text)

    def _json_of(self, data: bytes) -> Any:
        try:
            return from_json(data, allow_inf_nan=False)
        except ValueError:
            pass
        try:
            return self.parse_unusual(data)
        except ValueError:
            return None

    def _bare_text(self, event: Event, text: str) -> Any:
        if not text.strip() or text.strip().lower() in NO_WORDS:
            return {}
        if event.name in self._json or NOT_BARE.match(text):
            raise self.not_json(event.data)
        self._bare.add(event.name)
        return text
