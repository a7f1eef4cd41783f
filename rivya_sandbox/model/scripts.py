"""Scripted answers, and the one place where the model is asked."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rivya_sandbox.refusals import Refusal
from rivya_sandbox.values import Answer, Context, Model

Line: TypeAlias = str | Callable[[Context], "str | Answer"]


@dataclass(frozen=True)
class Scripted:
    """One scripted answer."""

    line: Line
    thoughts: str = ""

    def __call__(self, context: Context) -> Answer:
        """Say the line."""
        said = self.line if isinstance(self.line, str) else self.line(context)
        return said if isinstance(said, Answer) else Answer(said, self.thoughts)


class Speaker:
    """Whoever answers next: the scripted answers in their order, then the model. Thread-safe.

    A callable line or a model of the user's own may block (a test that holds a turn open, a real server), so both
    run in a thread; the stand-in and plain text answer at once.
    """

    def __init__(self, model: Model, *, blocking: bool) -> None:
        self.model = model
        self._blocking = blocking
        self._lines: deque[Scripted] = deque()
        self._lock = threading.Lock()

    def queue(self, line: Line, thoughts: str) -> None:
        """Add a scripted answer."""
        with self._lock:
            self._lines.append(Scripted(line, thoughts))

    def clear(self) -> None:
        """Forget all scripted answers."""
        with self._lock:
            self._lines.clear()

    def scripted(self) -> Scripted | None:
        """Take the next scripted answer, if there is one."""
        with self._lock:
            return self._lines.popleft() if self._lines else None

    async def answer(self, context: Context) -> tuple[Answer, bool]:
        """The answer to a context, and whether it was scripted."""
        line = self.scripted()
        if line is not None and isinstance(line.line, str):
            return line(context), True
        if line is None and not self._blocking:
            return self.model(context), False
        return await asyncio.to_thread(heard, line or self.model, context), line is not None


def heard(model: Model, context: Context) -> Answer:
    """What a model says; one that raises is a server whose model failed.

    Raises:
        Refusal: `internal_error`.
    """
    try:
        return model(context)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal("internal_error", f"The model failed: {error}") from error
