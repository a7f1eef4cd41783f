"""Concurrent plans in threads, for the blocking driver; `drivers.py` has the counterpart for event loops."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any

from rivya_core.http.plan import Plan


def together(run: Callable[[Plan[Any]], Any], plans: Sequence[Plan[Any]], at_once: int) -> list[Any]:
    """Carry out *plans* in threads. An interrupt does not wait for running plans; they end on their own."""
    work = _Work(run, plans)
    threads = [Thread(target=copy_context().run, args=(work.share,), daemon=True) for _ in plans[:at_once]]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        work.stop()
    if work.failures:
        raise work.failures[0]
    return work.results


class _Work:
    """Plans that several threads carry out."""

    def __init__(self, run: Callable[[Plan[Any]], Any], plans: Sequence[Plan[Any]]) -> None:
        self._run, self._waiting, self._lock = run, deque(enumerate(plans)), Lock()
        self.results: list[Any] = [None] * len(plans)
        self.failures: list[BaseException] = []

    def share(self) -> None:
        """Carry out plans until none is left or one has failed."""
        while (found := self._next()) is not None:
            index, plan = found
            try:
                self.results[index] = self._run(plan)
            except BaseException as exc:  # noqa: BLE001 - raised in the calling thread
                self.failures.append(exc)

    def stop(self) -> None:
        """Prevent further plans from beginning."""
        with self._lock:
            self._waiting.clear()

    def _next(self) -> tuple[int, Plan[Any]] | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting and not self.failures else None
