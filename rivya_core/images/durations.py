"""How long image tasks took by the server's times, so that the next ones are polled around the expected moment.

Durations are kept for this process, and in a task store that can keep them, so that other processes know them, too.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from threading import Lock

from rivya_core.http.plan import Plan
from rivya_core.images.api import ImageTask
from rivya_core.images.task_store import MOST_DURATIONS, DurationStore, TaskRecord, TaskStore, ask
from rivya_core.rivya.credits import price_key

log = logging.getLogger("rivya")

ENOUGH = 3
"""Durations of tasks with the same options that are needed, so that those with other options do not count."""
MOST_KINDS = 512
"""Kinds of tasks that a process remembers."""
TIMELESS = ("seed", "negative_prompt")
"""Options that differ from task to task and do not decide how long it takes."""


class ProcessDurations:
    """Durations in this process's memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: OrderedDict[str, deque[float]] = OrderedDict()

    def add_duration(self, kinds: Sequence[str], seconds: float) -> None:
        """Remember how long a task of these kinds took; the kinds that are unused for longest are forgotten."""
        with self._lock:
            for kind in kinds:
                self._seconds.setdefault(kind, deque(maxlen=MOST_DURATIONS)).append(seconds)
                self._seconds.move_to_end(kind)
            while len(self._seconds) > MOST_KINDS:
                self._seconds.popitem(last=False)

    def durations(self, kind: str) -> list[float]:
        """Return how long the newest tasks of a kind took, in seconds, the newest last."""
        with self._lock:
            return list(self._seconds.get(kind, ()))


IN_PROCESS = ProcessDurations()


def note_duration(store: TaskStore, record: TaskRecord, task: ImageTask) -> Plan[None]:
    """Remember how long a task took. A task without the server's times teaches nothing, nor does an unknown request."""
    seconds, kinds = _server_seconds(task), kinds_of(record)
    if seconds is None or not kinds:
        return
    IN_PROCESS.add_duration(kinds, seconds)
    if isinstance(store, DurationStore):
        try:
            yield from ask(store, lambda: store.add_duration(kinds, seconds))
        except Exception:  # noqa: BLE001 - a store may raise anything, and the image must not be lost
            log.warning("The task store failed; the duration of task %s was not stored.", record.id, exc_info=True)


def known_durations(store: TaskStore, record: TaskRecord) -> Plan[Sequence[float]]:
    """Return how long earlier tasks took: those with the same options, or those of the same model if they are few."""
    kinds = kinds_of(record)
    if kinds and isinstance(store, DurationStore):
        try:
            return (yield from ask(store, lambda: _longest([store, IN_PROCESS], kinds)))
        except Exception:  # noqa: BLE001 - a store may raise anything
            log.warning("The task store failed; only the durations of this process are known.", exc_info=True)
    return _longest([IN_PROCESS], kinds)


def kinds_of(record: TaskRecord) -> tuple[str, ...]:
    """Return what makes tasks take about as long: account, model and options; then account and model alone.

    The request of a task that another program submitted is unknown; it has no kind.
    """
    model, params = record.body.get("model"), record.body.get("params") or {}
    if not model:
        return ()
    options = {key: value for key, value in params.items() if key not in TIMELESS}
    facts = (price_key({"model": model, "params": options}), repr(model))
    return tuple(sha256(f"{record.origin}\n{fact}".encode()).hexdigest()[:32] for fact in facts)


def _longest(stores: Sequence[DurationStore], kinds: Sequence[str]) -> Sequence[float]:
    """Return the most durations of the first kind of which enough are known, else of the last kind."""
    known: Sequence[float] = ()
    for kind in kinds:
        known = max(([float(seconds) for seconds in store.durations(kind)] for store in stores), key=len)
        if len(known) >= ENOUGH:
            break
    return known


def _server_seconds(task: ImageTask) -> float | None:
    try:
        begun, ended = (
            datetime.fromisoformat(str(at).replace("Z", "+00:00")) for at in (task.created_at, task.updated_at)
        )
        seconds = (ended - begun).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if seconds > 0 else None
