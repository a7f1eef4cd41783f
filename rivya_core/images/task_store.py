"""What is remembered of image tasks, so that nothing paid for is lost: before one is created, while it runs, after.

A record is written before its request leaves, with the idempotency key and the body. A process that dies in between
leaves enough behind to send the same request again and get the same task, charged once. No key of an account is ever
in a record; its owner is a fingerprint. The stores know nothing of tasks but their records.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Literal, Protocol, TypeVar

from rivya_core.http.plan import Plan, call

T = TypeVar("T")
State = Literal["submitting", "running", "done", "failed"]
UNFINISHED = ("submitting", "running")
KEY_PREFIX = "rivya_task_"
_lock = Lock()


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What is remembered of one task.

    Attributes:
        key: Idempotency key of the request, and the record's id before the task has one.
        origin: Fingerprint of base URL and account.
        body: The request's body: model, prompt, params.
        state: `submitting` (it may not exist yet), `running`, `done` or `failed`.
        task_id: The provider's id, once known.
        images: What came of it, as JSON.
        created_at: Seconds since 1970.
    """

    key: str
    origin: str
    body: Mapping[str, Any]
    state: State = "submitting"
    task_id: str | None = None
    images: tuple[Mapping[str, Any], ...] = ()
    created_at: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        """What `resume` takes: the task's id, or the request's key until there is one."""
        return self.task_id or self.key

    @property
    def unfinished(self) -> bool:
        """Whether there is still something to wait for."""
        return self.state in UNFINISHED

    def to_json(self) -> str:
        """Return the record as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> TaskRecord | None:
        """Return the record in *text*, or None for anything that is not one."""
        try:
            value = json.loads(text)
            record = TaskRecord(**{**value, "images": tuple(value.get("images", ()))})
        except (ValueError, TypeError, AttributeError):
            return None
        texts = isinstance(record.key, str) and isinstance(record.origin, str) and isinstance(record.body, dict)
        named = record.task_id is None or isinstance(record.task_id, str)
        return record if texts and named and record.state in {"done", "failed", *UNFINISHED} else None


class TaskStore(Protocol):
    """Remembers tasks. All methods are safe to call from any thread and may wait for a disk or a network."""

    durable: bool
    """Whether another process finds what was stored."""

    def put(self, record: TaskRecord) -> None:
        """Remember *record* in place of the one with its key."""
        ...

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with that key or task id."""
        ...

    def drop(self, key: str) -> None:
        """Forget a record: its request was refused and nothing came of it."""
        ...

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of tasks that may still bring something, oldest first."""
        ...

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that made that image."""
        ...


class MemoryTaskStore:
    """Remembers tasks in this process; for tools that were given no store.

    Args:
        size: Records to remember; the oldest finished one is forgotten first.
    """

    durable = False

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._records: OrderedDict[str, TaskRecord] = OrderedDict()

    def put(self, record: TaskRecord) -> None:
        """Remember *record*."""
        with _lock:
            self._records[record.key] = record
            if len(self._records) > self._size:
                done = next((key for key, kept in self._records.items() if not kept.unfinished), None)
                self._records.pop(done or next(iter(self._records)))

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with that key or task id."""
        with _lock:
            found = self._records.get(record_id)
            return found or next((one for one in self._records.values() if one.task_id == record_id), None)

    def drop(self, key: str) -> None:
        """Forget a record."""
        with _lock:
            self._records.pop(key, None)

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of tasks that may still bring something."""
        with _lock:
            return [record for record in self._records.values() if record.unfinished]

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that made that image."""
        with _lock:
            return _with_image(self._records.values(), image_id)


class KeyValues(Protocol):
    """A store of texts by key, as an adapter makes one out of a framework's."""

    def read(self, key: str) -> str | bytes | None:
        """Return the text under *key*."""
        ...

    def write(self, key: str, text: str) -> None:
        """Keep *text* under *key*."""
        ...

    def delete(self, key: str) -> None:
        """Forget *key*."""
        ...

    def keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin with *prefix*."""
        ...


class KeyValueTaskStore:
    """Remembers tasks in a framework's own key-value store."""

    durable = True

    def __init__(self, values: KeyValues) -> None:
        self._values = values

    def put(self, record: TaskRecord) -> None:
        """Remember *record*."""
        self._values.write(KEY_PREFIX + record.key, record.to_json())

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with that key or task id."""
        direct = self._read(KEY_PREFIX + record_id) if record_id.isalnum() else None
        return direct or next((record for record in self._all() if record.task_id == record_id), None)

    def drop(self, key: str) -> None:
        """Forget a record."""
        self._values.delete(KEY_PREFIX + key)

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of tasks that may still bring something, oldest first."""
        return sorted((record for record in self._all() if record.unfinished), key=lambda record: record.created_at)

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that made that image."""
        return _with_image(self._all(), image_id)

    def _all(self) -> list[TaskRecord]:
        found = (self._read(key) for key in list(self._values.keys(KEY_PREFIX)))
        return [record for record in found if record]

    def _read(self, key: str) -> TaskRecord | None:
        text = self._values.read(key)
        return None if text is None else TaskRecord.from_json(text)


def ask(store: TaskStore, work: Callable[[], T]) -> Plan[T]:
    """Ask *store*, off the event loop unless it is in this process's memory."""
    return work() if isinstance(store, MemoryTaskStore) else (yield from call(work))


def _with_image(records: Iterable[TaskRecord], image_id: str) -> TaskRecord | None:
    return next((one for one in records if any(image.get("id") == image_id for image in one.images)), None)
