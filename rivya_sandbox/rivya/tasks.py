"""Image tasks: queued, processing, then succeeded or failed, as the looks at them or the clock say."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.refusals import Refusal

if TYPE_CHECKING:
    from rivya_sandbox.accounts import Accounts, Entry
    from rivya_sandbox.rivya.pictures import Order
    from rivya_sandbox.values import Ids

SLOWNESS = 5


@dataclass
class Task:
    """One generation."""

    id: str
    account: str
    model: str
    order: Order
    entry: Entry
    created: float
    updated: float
    media_base: str
    fate: str | None = None
    looks: int = 0
    status: str = "queued"
    client_request_id: str | None = None
    references: tuple[str, ...] = ()
    params: dict[str, object] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ("succeeded", "failed")

    @property
    def media_name(self) -> str:
        """The result's name on the media host."""
        return f"{self.id}.{self.order.suffix}"


class Tasks:
    """All tasks. Thread-safe.

    Attributes:
        ready_after: How many looks it takes until a task has ended. With 2, the first look says `processing` and
            the second `succeeded`; with 0 or 1 the first look does.
        ready_in: Seconds after which a task has ended instead, by the sandbox's clock; `None` for looks.
    """

    def __init__(self, ids: Ids, accounts: Accounts, ready_after: int, lock: threading.RLock | None = None) -> None:
        self.ready_after = ready_after
        self.ready_in: float | None = None
        self._ids = ids
        self._accounts = accounts
        self._lock = lock or threading.RLock()
        self._tasks: dict[str, Task] = {}

    def new_id(self) -> str:
        """An id for a task to be."""
        return self._ids.new("task")

    def add(self, task: Task) -> None:
        """Take a task in."""
        with self._lock:
            self._tasks[task.id] = task

    @property
    def all(self) -> list[Task]:
        """Every task, in order of creation."""
        with self._lock:
            return list(self._tasks.values())

    def look(self, task_id: str, account: str, now: float) -> Task:
        """One task of the account, moved on by this look.

        Raises:
            Refusal: `not_found`.
        """
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None or task.account != account:
                raise Refusal("not_found", "The task was not found.")
            task.looks += 1
            self._move_on(task, now)
            return task

    def by_media_name(self, name: str) -> Task | None:
        """The succeeded task behind a name on the media host; `None` if its media are gone."""
        task = self._tasks.get(name.rpartition(".")[0])
        good = task is not None and task.status == "succeeded" and task.fate != "expired"
        return task if good else None

    def _move_on(self, task: Task, now: float) -> None:
        if task.ended:
            return
        before, task.status = task.status, self._status(task, now)
        if task.status != before:
            task.updated = now
        if task.ended:
            self._accounts.settle(task.account, task.entry, task.entry.reserved * (task.status == "succeeded"))

    def _status(self, task: Task, now: float) -> str:
        if task.fate == "stuck" or not self._is_ready(task, now):
            return "processing"
        return "failed" if task.fate in ("fail", "fail_null") else "succeeded"

    def _is_ready(self, task: Task, now: float) -> bool:
        patience = SLOWNESS if task.fate == "slow" else 1
        if self.ready_in is not None:
            return now - task.created >= self.ready_in * patience
        return task.looks >= self.ready_after * patience
