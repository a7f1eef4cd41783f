"""Records of image tasks, so that no image that was charged is lost.

A record is written before its request is sent, with the idempotency key and the body. If the process dies, another one
can send the same request again and get the same task, charged once. A record never holds an account's key; it holds a
fingerprint of the account.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from rivya_core.http.plan import Plan, call

T = TypeVar("T")
State = Literal["submitting", "running", "done", "failed"]
UNFINISHED = ("submitting", "running")
KEY_PREFIX = "rivya_task_"
DURATIONS_PREFIX = "rivya_durations_"
MOST_IMAGES = 10_000
"""Images that a process remembers by their ids; the oldest are forgotten first."""
MOST_DURATIONS = 20
"""Newest durations of a kind of task that count."""
_lock = Lock()


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The record of one task.

    Attributes:
        key: Idempotency key of the request, and the record's id before the task has one.
        origin: Fingerprint of base URL and account.
        body: Body of the request: model, prompt, params.
        state: `submitting` (the task may not exist yet), `running`, `done` or `failed`.
        task_id: The provider's id, once known.
        images: The generated images, as JSON values.
        created_at: Seconds since 1970.
        references: Digests of the reference images, in order; their URLs differ after each upload.
    """

    key: str
    origin: str
    body: Mapping[str, Any]
    state: State = "submitting"
    task_id: str | None = None
    images: tuple[Mapping[str, Any], ...] = ()
    created_at: float = field(default_factory=time.time)
    references: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id that `resume` takes: the task's id, or the request's key until the task has an id."""
        return self.task_id or self.key

    @property
    def unfinished(self) -> bool:
        """Whether the task may still be running."""
        return self.state in UNFINISHED

    def to_json(self) -> str:
        """Return the record as a JSON string."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> TaskRecord | None:
        """Return the record in *text*, or None if *text* is not a record."""
        try:
            value = json.loads(text)
            known = {name: value[name] for name in TaskRecord.__slots__ if name in value}  # a newer version has more
            lists = {name: tuple(value.get(name, ())) for name in ("images", "references")}
            record = TaskRecord(**{**known, **lists})
        except (ValueError, TypeError, AttributeError):
            return None
        texts = isinstance(record.key, str) and isinstance(record.origin, str) and isinstance(record.body, dict)
        named = record.task_id is None or isinstance(record.task_id, str)
        return record if texts and named and record.state in {"done", "failed", *UNFINISHED} else None


_records_by_image: OrderedDict[str, TaskRecord] = OrderedDict()


class TaskStore(Protocol):
    """Stores task records. All methods are thread-safe and may block on a disk or a network."""

    durable: bool
    """Whether other processes can read the records."""

    def put(self, record: TaskRecord) -> None:
        """Store *record*, replacing the record with the same key."""
        ...

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with this key or task id."""
        ...

    def drop(self, key: str) -> None:
        """Delete the record of a request that was refused."""
        ...

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of unfinished tasks, oldest first."""
        ...

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that generated this image."""
        ...


@runtime_checkable
class DurationStore(Protocol):
    """What a task store has in addition if it keeps durations for other processes."""

    def add_duration(self, kinds: Sequence[str], seconds: float) -> None:
        """Store how long a task of these kinds took."""
        ...

    def durations(self, kind: str) -> Sequence[float]:
        """Return how long the newest tasks of a kind took, the newest last, at most `MOST_DURATIONS`."""
        ...


class MemoryTaskStore:
    """Stores records in this process's memory; the default of the image tools.

    Tasks are those of one tool. Images outlive it: every tool of the process finds them by their ids.

    Args:
        size: Most records to keep; the oldest finished record is deleted first.
    """

    durable = False

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._records: OrderedDict[str, TaskRecord] = OrderedDict()

    def put(self, record: TaskRecord) -> None:
        """Store *record*."""
        with _lock:
            self._records[record.key] = record
            for image in record.images:
                _records_by_image[str(image.get("id"))] = record
            while len(_records_by_image) > MOST_IMAGES:
                _records_by_image.popitem(last=False)
            if len(self._records) > self._size:
                done = next((key for key, kept in self._records.items() if not kept.unfinished), None)
                self._records.pop(done or next(iter(self._records)))

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with this key or task id."""
        with _lock:
            found = self._records.get(record_id)
            return found or next((one for one in self._records.values() if one.task_id == record_id), None)

    def drop(self, key: str) -> None:
        """Delete a record."""
        with _lock:
            self._records.pop(key, None)

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of unfinished tasks."""
        with _lock:
            return [record for record in self._records.values() if record.unfinished]

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that generated this image."""
        with _lock:
            return _records_by_image.get(image_id)


class KeyValues(Protocol):
    """A store of strings by key, which an adapter implements with a framework's store."""

    def read(self, key: str) -> str | bytes | None:
        """Return the text under *key*."""
        ...

    def write(self, key: str, text: str) -> None:
        """Store *text* under *key*."""
        ...

    def delete(self, key: str) -> None:
        """Delete *key*."""
        ...

    def keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin with *prefix*."""
        ...


class KeyValueTaskStore:
    """Stores records in a framework's key-value store."""

    durable = True

    def __init__(self, values: KeyValues) -> None:
        self._values = values

    def put(self, record: TaskRecord) -> None:
        """Store *record*."""
        self._values.write(KEY_PREFIX + record.key, record.to_json())

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with this key or task id."""
        direct = self._read(KEY_PREFIX + record_id) if record_id.isalnum() else None
        return direct or next((record for record in self._all() if record.task_id == record_id), None)

    def drop(self, key: str) -> None:
        """Delete a record."""
        self._values.delete(KEY_PREFIX + key)

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of unfinished tasks, oldest first."""
        return sorted((record for record in self._all() if record.unfinished), key=lambda record: record.created_at)

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that generated this image."""
        return _with_image(self._all(), image_id)

    def add_duration(self, kinds: Sequence[str], seconds: float) -> None:
        """Store how long a task of these kinds took. Of two processes that store at one moment, only one is heard."""
        for kind in kinds:
            known = [*self.durations(kind), seconds][-MOST_DURATIONS:]
            self._values.write(DURATIONS_PREFIX + kind, json.dumps(known))

    def durations(self, kind: str) -> list[float]:
        """Return how long the newest tasks of a kind took, in seconds, the newest last."""
        text = self._values.read(DURATIONS_PREFIX + kind)
        try:
            known = json.loads(text or "[]")
        except ValueError:
            return []
        return [one for one in known if isinstance(one, float)] if isinstance(known, list) else []

    def _all(self) -> list[TaskRecord]:
        found = (self._read(key) for key in list(self._values.keys(KEY_PREFIX)))
        return [record for record in found if record]

    def _read(self, key: str) -> TaskRecord | None:
        text = self._values.read(key)
        return None if text is None else TaskRecord.from_json(text)


def ask(store: TaskStore, work: Callable[[], T]) -> Plan[T]:
    """Run *work* on *store*, off the event loop unless the store is in memory."""
    return work() if isinstance(store, MemoryTaskStore) else (yield from call(work))


def _with_image(records: Iterable[TaskRecord], image_id: str) -> TaskRecord | None:
    return next((one for one in records if any(image.get("id") == image_id for image in one.images)), None)
