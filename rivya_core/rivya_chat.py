"""Rivya's chat wire: the request body, the whole reply and the streamed one.

https://rivya.ai/docs/api-chat. One message goes out, the history is the session's. What a frame means is told by
`rivya_frames`; here the frames are put together so that no text is lost or doubled. Sessions are not chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic_core import from_json

from rivya_core.answers import error_from, invalid_answer, json_of
from rivya_core.chat import ChatDelta, Usage
from rivya_core.decoding import ChatStream, join, says_stream
from rivya_core.errors import ContextOverflowError, InvalidInputError, StreamBrokenError
from rivya_core.rivya_frames import Frame, read_frame, read_reply
from rivya_core.sse import Event

WHOLE_PATH = "/chat/completions"
STREAM_PATH = "/chat/completions/stream"
LONGEST_MESSAGE = 20_000
"""Characters that one message may have on every chat model's page."""
EFFORTS = ("default", "minimal", "low", "medium", "high", "xhigh")
END_MARK = b"[DONE]"
WORDS_WITHOUT_MEANING = frozenset({b"", b"ping", b"PING", b"ok", b"OK", b"keep-alive", b"heartbeat"})


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What a chat request may say beside its message; None is not sent.

    Attributes:
        model: Public chat model id.
        reasoning_effort: One of `EFFORTS`, as far as the model supports it.
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
    """Refuse a message that the provider would refuse, before anything is sent or paid.

    Raises:
        InvalidInputError: The message is empty.
        ContextOverflowError: It is longer than a message may be.
    """
    if not text.strip():
        raise InvalidInputError("The message is empty; Rivya's chat needs some text. Nothing was sent.")
    if len(text) > LONGEST_MESSAGE:
        raise ContextOverflowError(
            f"The message is {len(text):,} characters long and Rivya's chat takes {LONGEST_MESSAGE:,}; nothing was "
            "sent. Trim or summarise the history, or use a model behind `ChatGMI` or `ChatEvolink`."
        )


def read_whole(response: httpx.Response) -> ChatDelta:
    """Return the reply in a whole answer; an answer that came as a stream is read as one.

    Raises:
        APIError: The answer is an error or not a chat reply.
    """
    if says_stream(response):
        return join(RivyaStream(response), response.content)
    value = json_of(response)
    frame = read_reply(value) if isinstance(value, Mapping) else Frame()
    if frame.error is not None:
        raise error_from(response, frame.error)
    if not (frame.text or frame.facts.get("session_id") or frame.facts.get("id")):
        raise invalid_answer(response, "is not a chat reply")
    return ChatDelta(frame.text, frame.thought, usage=frame.usage, metadata=frame.facts, last=True)


class RivyaStream(ChatStream):
    """Decodes the body of a streamed reply."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response)
        self._text = _Said()
        self._thought = _Said()
        self._usage: Usage | None = None
        self._facts: dict[str, Any] = {}
        self._marked = False

    @property
    def done(self) -> bool:
        """Whether the end mark came, or an end with all the facts that may follow it."""
        knows_all = "session_id" in self._facts and self._usage is not None
        return self._marked or (self.complete and knows_all) or self._failure is not None

    @property
    def partial(self) -> str:
        """The text so far."""
        return self._text.so_far

    def read(self, event: Event) -> list[ChatDelta]:
        """Return the delta in one event."""
        if self._marked or event.data in WORDS_WITHOUT_MEANING:
            return []
        if event.data.startswith(END_MARK):
            self._marked = self.complete = True
            return []
        frame = read_frame(event.name, self._json(event))
        if frame.error is not None:
            raise error_from(self.response, frame.error)
        return self._add(frame)

    def closing(self) -> ChatDelta:
        """Return usage and metadata."""
        agrees = not (self._text.disagrees or self._thought.disagrees)
        facts = self._facts if agrees else {**self._facts, "text_disagrees": True}
        return ChatDelta(usage=self._usage, metadata=facts, last=True)

    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a plain answer."""
        return read_whole(response)

    def _add(self, frame: Frame) -> list[ChatDelta]:
        self._facts.update(frame.facts)
        self._usage = frame.usage or self._usage
        self.complete = self.complete or frame.ends
        text = self._text.add(frame.text, whole=frame.whole, final=frame.ends)
        thought = self._thought.add(frame.thought, whole=frame.whole, final=frame.ends)
        return [ChatDelta(text, thought)] if text or thought else []

    def _json(self, event: Event) -> Any:
        try:
            return from_json(event.data)
        except ValueError:
            if event.name and not event.data.lstrip().startswith((b"{", b"[", b'"')):
                return event.data.decode("utf-8", "replace")  # a named event with bare text
            raise StreamBrokenError(
                f"The stream holds a frame that is not JSON: {event.data[:200]!r}.", partial=self.partial
            ) from None


class _Said:
    """Text put together from pieces and from repetitions of the whole."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.disagrees = False

    @property
    def so_far(self) -> str:
        return "".join(self._pieces)

    def add(self, text: str, *, whole: bool | None, final: bool) -> str:
        """Return what *text* adds to what was said."""
        new = text if whole is False or not text else self._beyond(text, whole=whole, final=final)
        if new:
            self._pieces.append(new)
        return new

    def _beyond(self, text: str, *, whole: bool | None, final: bool) -> str:
        said = self.so_far
        if text.startswith(said):
            return text[len(said) :]
        if whole is None:
            return text
        if final and said.strip() != text.strip():
            self.disagrees = True  # the deltas stand, but the session holds something else
        return ""
