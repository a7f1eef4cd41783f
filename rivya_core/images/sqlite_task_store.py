"""A task store in a SQLite file; imported only when it is used."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rivya_core.errors import ConfigurationError
from rivya_core.images.task_store import MOST_DURATIONS, UNFINISHED, TaskRecord
from rivya_core.storage.sqlite_file import SQLiteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (key TEXT PRIMARY KEY, task_id TEXT, state TEXT, created_at REAL, record TEXT);
CREATE INDEX IF NOT EXISTS tasks_by_id ON tasks (task_id);
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state);
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, key TEXT);
CREATE TABLE IF NOT EXISTS durations (kind TEXT, seconds REAL);
CREATE INDEX IF NOT EXISTS durations_by_kind ON durations (kind);
"""


class SQLiteTaskStore:
    """Stores image tasks in a file that several processes of one host can share.

    Args:
        path: Path of the file. It is created when the first task is stored, readable only by its owner.

    Raises:
        ConfigurationError: Raised by every method if the file cannot be used.
    """

    durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = SQLiteFile(path, SCHEMA, timeout=30)

    @property
    def path(self) -> Path:
        """Absolute path of the file."""
        return Path(self._file.path)

    def put(self, record: TaskRecord) -> None:
        """Store *record*; it is on disk when this returns."""
        row = (record.key, record.task_id, record.state, record.created_at, record.to_json())
        images = [(str(image.get("id")), record.key) for image in record.images]
        with self._transaction(durably=True) as database:
            database.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?)", row)
            database.executemany("INSERT OR REPLACE INTO images VALUES (?, ?)", images)

    def get(self, record_id: str) -> TaskRecord | None:
        """Return the record with this key or task id."""
        found = self._select("WHERE key = ? OR task_id = ?", (record_id, record_id))
        return found[0] if found else None

    def drop(self, key: str) -> None:
        """Delete a record."""
        with self._transaction() as database:
            database.execute("DELETE FROM tasks WHERE key = ?", (key,))

    def unfinished(self) -> list[TaskRecord]:
        """Return the records of unfinished tasks, oldest first."""
        return self._select("WHERE state IN (?, ?) ORDER BY created_at", UNFINISHED)

    def with_image(self, image_id: str) -> TaskRecord | None:
        """Return the record of the task that generated this image."""
        found = self._select("WHERE key = (SELECT key FROM images WHERE id = ?)", (image_id,))
        return found[0] if found else None

    def add_duration(self, kinds: Sequence[str], seconds: float) -> None:
        """Store how long a task of these kinds took; only the newest durations of a kind are kept."""
        forget = (
            "DELETE FROM durations WHERE rowid IN "
            "(SELECT rowid FROM durations WHERE kind = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)"
        )
        with self._transaction() as database:
            for kind in kinds:
                database.execute("INSERT INTO durations VALUES (?, ?)", (kind, seconds))
                database.execute(forget, (kind, MOST_DURATIONS))

    def durations(self, kind: str) -> list[float]:
        """Return how long the newest tasks of a kind took, in seconds, the newest last."""
        newest = "SELECT seconds FROM durations WHERE kind = ? ORDER BY rowid DESC LIMIT ?"
        with self._transaction() as database:
            found = database.execute(newest, (kind, MOST_DURATIONS)).fetchall()
        return [seconds for (seconds,) in reversed(found)]

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def _select(self, condition: str, values: tuple[str, ...]) -> list[TaskRecord]:
        with self._transaction() as database:
            rows = database.execute(f"SELECT record FROM tasks {condition}", values).fetchall()  # noqa: S608 - ours
        return [record for (text,) in rows if (record := TaskRecord.from_json(text))]

    @contextmanager
    def _transaction(self, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.transaction(durably=durably) as database:
                yield database
        except (sqlite3.Error, OSError) as exc:
            raise ConfigurationError(
                f"`task_store` cannot use the file {self._file.path!r}: {exc}. Check the path, its permissions and the "
                "disk."
            ) from exc
