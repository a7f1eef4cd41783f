"""Runs the model: the scripted answers in their order, then the model itself."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rivya_sandbox.errors import ApiError
from rivya_sandbox.values import Answer, Model, ModelRequest

ScriptLine: TypeAlias = str | Callable[[ModelRequest], "str | Answer"]


@dataclass(frozen=True)
class ScriptedAnswer:
    """One scripted answer."""

    line: ScriptLine
    reasoning: str = ""

    def __call__(self, request: ModelRequest) -> Answer:
        """Return the answer."""
        said = self.line if isinstance(self.line, str) else self.line(request)
        return said if isinstance(said, Answer) else Answer(said, self.reasoning)


class ModelRunner:
    """Asks the next scripted answer or the model. Thread-safe.

    A scripted callable and a model of the user's own may block, so they run in a thread. The stand-in and scripted
    text reply at once.
    """

    def __init__(self, model: Model, *, blocking: bool) -> None:
        self.model = model
        self._blocking = blocking
        self._script: deque[ScriptedAnswer] = deque()
        self._lock = threading.Lock()

    def queue(self, line: ScriptLine, reasoning: str) -> None:
        """Add a scripted answer."""
        with self._lock:
            self._script.append(ScriptedAnswer(line, reasoning))

    def clear(self) -> None:
        """Remove all scripted answers."""
        with self._lock:
            self._script.clear()

    async def answer(self, request: ModelRequest) -> tuple[Answer, bool]:
        """Return the answer to a request, and whether it was scripted.

        Raises:
            ApiError: `internal_error`: the model or the scripted callable raised an exception.
        """
        scripted = self._next()
        if scripted is not None and isinstance(scripted.line, str):
            return scripted(request), True
        if scripted is None and not self._blocking:
            return self.model(request), False
        return await asyncio.to_thread(call_model, scripted or self.model, request), scripted is not None

    def _next(self) -> ScriptedAnswer | None:
        with self._lock:
            return self._script.popleft() if self._script else None


def call_model(model: Model, request: ModelRequest) -> Answer:
    """Call a model. An exception becomes a server error.

    Raises:
        ApiError: `internal_error`, or the error that the model raised.
    """
    try:
        return model(request)
    except ApiError:
        raise
    except Exception as error:
        raise ApiError("internal_error", f"The model failed: {error}") from error
