"""Image tasks: queued, processing, then succeeded or failed, after a number of polls or seconds."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError

if TYPE_CHECKING:
    from rivya_sandbox.accounts import Accounts, Entry
    from rivya_sandbox.ids import Ids
    from rivya_sandbox.rivya.images import ImageSpec

SLOW_FACTOR = 5


@dataclass
class Task:
    """One generation; `fault` is what a `Fault(task=…)` makes of it."""

    id: str
    account: str
    model: str
    image: ImageSpec
    entry: Entry
    created: float
    updated: float
    media_base: str
    fault: str | None = None
    polls: int = 0
    status: str = "queued"
    client_request_id: str | None = None
    references: tuple[str, ...] = ()
    params: dict[str, object] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.status in ("succeeded", "failed")

    @property
    def media_name(self) -> str:
        """The result's name on the media host."""
        return f"{self.id}.{self.image.suffix}"


class Tasks:
    """All tasks. Thread-safe.

    Attributes:
        ready_after: The number of polls until a task has ended. With 2, the first poll returns `processing` and the
            second `succeeded`; with 0 or 1 the first returns `succeeded`.
        ready_in: Seconds until a task has ended, by the sandbox's clock. `None` counts polls.
    """

    def __init__(self, ids: Ids, accounts: Accounts, ready_after: int, lock: threading.RLock | None = None) -> None:
        self.ready_after = ready_after
        self.ready_in: float | None = None
        self._ids = ids
        self._accounts = accounts
        self._lock = lock or threading.RLock()
        self._tasks: dict[str, Task] = {}

    def new_id(self) -> str:
        """Return an id for a new task."""
        return self._ids.new("task")

    def add(self, task: Task) -> None:
        """Add a task."""
        with self._lock:
            self._tasks[task.id] = task

    @property
    def all(self) -> list[Task]:
        """Every task, in order of creation."""
        with self._lock:
            return list(self._tasks.values())

    def poll(self, task_id: str, account: str, now: float) -> Task:
        """Return a task of the account, updated by this poll.

        Raises:
            ApiError: `not_found`.
        """
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or task.account != account:
                raise ApiError("not_found", "The task was not found.")
            task.polls += 1
            self._update(task, now)
            return task

    def by_media_name(self, name: str) -> Task | None:
        """Return the succeeded task of a name on the media host; `None` if its media have expired."""
        task = self._tasks.get(name.rpartition(".")[0])
        good = task is not None and task.status == "succeeded" and task.fault != "expired"
        return task if good else None

    def _update(self, task: Task, now: float) -> None:
        if task.ended:
            return
        before, task.status = task.status, self._status(task, now)
        if task.status != before:
            task.updated = now
        if task.ended:
            if self.ready_in is not None:
                task.updated = task.created + self.ready_in * _factor(task)
            self._accounts.settle(task.account, task.entry, task.entry.reserved * (task.status == "succeeded"))

    def _status(self, task: Task, now: float) -> str:
        if task.fault == "stuck" or not self._is_ready(task, now):
            return "processing"
        return "failed" if task.fault in ("fail", "fail_null") else "succeeded"

    def _is_ready(self, task: Task, now: float) -> bool:
        if self.ready_in is not None:
            return now - task.created >= self.ready_in * _factor(task)
        return task.polls >= self.ready_after * _factor(task)


def _factor(task: Task) -> int:
    return SLOW_FACTOR if task.fault == "slow" else 1
