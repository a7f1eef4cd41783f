"""The plain values that pass between the sandbox's rooms: messages, answers, replies.

What lives here knows no HTTP and no provider's wire; both halves of the sandbox speak in these values.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

TOKENS_PER_IMAGE = 85


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image that a message carries.

    Attributes:
        file_id: The id under which the Files API keeps it; empty for an image that came inline.
        sha256: Hexadecimal digest of the image's bytes.
    """

    file_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the model sees it.

    Attributes:
        role: `system`, `user`, `assistant` or `tool`.
        text: The text, exactly as it arrived.
        attachments: The images, in order.
        name: The speaker's name, where the wire has one.
        tool_calls: Calls that an assistant message asks for, as the wire gave them.
        tool_call_id: Which call a `tool` message answers.
    """

    role: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    name: str | None = None
    tool_calls: tuple[Any, ...] = ()
    tool_call_id: str | None = None

    @property
    def tokens(self) -> int:
        """A deterministic count: four characters to a token, 85 tokens to an image."""
        return count_tokens(self.text) + TOKENS_PER_IMAGE * len(self.attachments)


Context: TypeAlias = tuple[Message, ...]
"""Everything that the model sees in one turn, oldest message first, the new one last."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says: the text, and the thoughts behind it where it shows them."""

    text: str
    thoughts: str = ""


class Model(Protocol):
    """Whatever answers: `rivya_sandbox.model.stand_in.StandIn` here, a real server behind the same call elsewhere."""

    def __call__(self, context: Context, /) -> Answer:
        """Answer the last message of `context`."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one turn."""

    input_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


def count_tokens(text: str) -> int:
    """A quarter of the characters, rounded up."""
    return -(-len(text) // 4)


def usage_of(context: Context, answer: Answer) -> Usage:
    """Count a turn: the whole context is read, text and thoughts are written; each at least one token."""
    written = count_tokens(answer.text) + count_tokens(answer.thoughts)
    return Usage(max(1, sum(message.tokens for message in context)), max(1, written))


def iso(seconds: float) -> str:
    """An instant as the API writes it: ISO 8601, UTC, milliseconds."""
    moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Ids:
    """New ids. Random, or with a seed always the same sequence.

    Random by default, so that ids of two sandboxes in one process (or of one before and after `reset()`)
    never meet in a client's memory.
    """

    def __init__(self, seed: str | None = None) -> None:
        self._seed = seed
        self._drawn = 0
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """An id such as `file_0f3a…`, with 20 hexadecimal digits."""
        if self._seed is None:
            return f"{prefix}_{secrets.token_hex(10)}"
        with self._lock:
            self._drawn += 1
            drawn = self._drawn
        return f"{prefix}_{hashlib.sha256(f'{self._seed}:{drawn}'.encode()).hexdigest()[:20]}"
