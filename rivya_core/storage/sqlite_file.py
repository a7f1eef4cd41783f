"""A SQLite file that several threads and processes share.

SQLite's locks are POSIX locks, and those have a trap: closing *any* descriptor of a file drops all locks that the
process holds on it. So nothing here or elsewhere opens a database file but SQLite itself. A missing file is created
once, under a lock that every connection of this process takes before it opens the file.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from weakref import WeakSet

LOCK_PAUSE = 0.01

_creation = Lock()
_files: WeakSet[SQLiteFile] = WeakSet()
_inherited: list[sqlite3.Connection] = []
"""Connections of the parent of a forked process. SQLite forbids even closing them here."""

Identity = tuple[int, int]


class SQLiteFile:
    """One file, opened at the first use, with one connection that the threads of this process take in turn.

    A copy that is unpickled opens the file again. A file that is replaced while it is open is opened again, too.

    Args:
        path: The file; its directory must exist. It is created readable for its owner alone.
        schema: Statements that create what is missing.
        timeout: Seconds to wait for the locks of other processes.
    """

    _connection: sqlite3.Connection | None = None
    _identity: Identity = (0, 0)

    def __init__(self, path: str | os.PathLike[str], schema: str, *, timeout: float) -> None:
        self.path = os.path.abspath(os.path.expanduser(os.fspath(path)))  # noqa: PTH100, PTH111 - bytes paths too
        self._schema, self._timeout = schema, timeout
        self._start()

    @contextmanager
    def transaction(self, *, durably: bool = False) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction that no other process can come between.

        Args:
            durably: Whether the result must survive a power failure, not only a crash of the process.

        Raises:
            sqlite3.Error: The file cannot be used; the connection is closed, and the next call opens a new one.
            OSError: The file cannot be created.
        """
        with self._lock:
            try:
                connection = self._open()
                connection.execute(f"PRAGMA synchronous = {'FULL' if durably else 'NORMAL'}")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.path) != self._identity:
            self._close()
        if self._connection is None:
            _create(self.path)
            self._connection = sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            self._share(self._connection)
            self._connection.executescript(self._schema)
            self._identity = _identity(self.path)
        return self._connection

    def _share(self, connection: sqlite3.Connection) -> None:
        """Turn to the journal for several processes. SQLite does not wait while another process is doing the same."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as exc:
                if "locked" not in str(exc) or time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_PAUSE)
            else:
                return

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _start(self) -> None:
        self._lock = Lock()
        self._connection, self._identity = None, (0, 0)
        _files.add(self)

    def _after_fork(self) -> None:
        """Leave the connection to the parent process."""
        if self._connection is not None:
            _inherited.append(self._connection)
        self._start()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_schema": self._schema, "_timeout": self._timeout}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._start()

    def __del__(self) -> None:
        self._close()


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116 - the path is text
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _create(path: str) -> None:
    """Create a missing file for its owner alone. No other thread has it open yet, so closing it drops no locks."""
    with _creation, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _leave_connections_to_the_parent() -> None:
    global _creation  # noqa: PLW0603 - another thread of the parent may hold it
    _creation = Lock()
    for file in list(_files):
        file._after_fork()  # noqa: SLF001 - this file's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_connections_to_the_parent)
