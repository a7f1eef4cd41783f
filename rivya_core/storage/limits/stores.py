"""Where the state of rate limits is kept: in this process, in a SQLite file, or in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import astuple
from threading import Lock
from typing import Any, Protocol, TypeVar

from rivya_core.storage.limits.bucket import State, at_time

R = TypeVar("R")
Change = Callable[[State], tuple[State, R]]
"""Returns the next state and a result; it may be called several times."""


class LimitStore(Protocol):
    """Keeps the state of limits by name."""

    def update(self, name: str, change: Change[R]) -> R:
        """Apply *change* to the state of *name* at the store's own time, as one step, and return its result.

        Raises:
            ConfigurationError: The store cannot be used.
        """
        ...


class MemoryStore:
    """Keeps limits in this process; a copy that is unpickled begins anew.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, Lock()
        self._states: dict[str, State] = {}

    def update(self, name: str, change: Change[R]) -> R:
        """Apply *change* as one step."""
        with self._lock:
            state, result = change(at_time(self._states.get(name, State()), self._clock()))
            self._states[name] = state
            return result

    def __reduce__(self) -> tuple[Any, ...]:
        return MemoryStore, (self._clock,)


def dump(state: State) -> str:
    """Return *state* as text."""
    return json.dumps(astuple(state))


def load(text: str | bytes | None) -> State:
    """Return the state in *text*; what is not one begins anew."""
    try:
        values = json.loads(text or "[]")
        return State(*(float(value) for value in values))
    except (ValueError, TypeError):
        return State()
