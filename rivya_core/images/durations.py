"""How long the image tasks of this process took, so that the next ones are polled around the expected moment."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import datetime
from threading import Lock

from rivya_core.images.api import ImageTask

MOST_KINDS = 256
"""Kinds of tasks (account, model and options) that a process remembers."""
MOST_TASKS = 20
"""Newest tasks of a kind that count."""
_lock = Lock()
_durations: OrderedDict[str, deque[float]] = OrderedDict()


def note_duration(kind: str, task: ImageTask) -> None:
    """Remember how long a task took by the server's own times; one without them teaches nothing."""
    seconds = _server_seconds(task)
    if seconds is None:
        return
    with _lock:
        _durations.setdefault(kind, deque(maxlen=MOST_TASKS)).append(seconds)
        _durations.move_to_end(kind)
        if len(_durations) > MOST_KINDS:
            _durations.popitem(last=False)


def known_durations(kind: str) -> Sequence[float]:
    """Return how long the newest tasks of a kind took, in seconds."""
    with _lock:
        return list(_durations.get(kind, ()))


def _server_seconds(task: ImageTask) -> float | None:
    try:
        begun, ended = (
            datetime.fromisoformat(str(at).replace("Z", "+00:00")) for at in (task.created_at, task.updated_at)
        )
        seconds = (ended - begun).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if seconds > 0 else None
