"""A file that several processes with several threads use at once stays whole, and keeps all that was acknowledged."""

from __future__ import annotations

import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.images.sqlite_task_store import SQLiteTaskStore
from rivya_core.images.task_store import TaskRecord
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.sqlite_ledger import SQLiteLedger

WORKER = """
import os, sys, threading
from rivya_core.images.sqlite_task_store import SQLiteTaskStore
from rivya_core.images.task_store import TaskRecord
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.sqlite_ledger import SQLiteLedger

kind, path, name, threads, each = *sys.argv[1:4], *map(int, sys.argv[4:])
shared = {"tasks": SQLiteTaskStore, "ledger": SQLiteLedger}[kind](path)

def work(number):
    own = shared if number % 2 else type(shared)(path)  # threads share an object, or have one of their own
    for index in range(each):
        key = f"{name}-{number}-{index}"
        if kind == "tasks":
            own.put(TaskRecord(key, "origin", {"prompt": key}))
        else:
            own.settle(Head(key, 1, "d"))
            if (number + index) % 4 == 0:
                assert own.claim(Head(key, 1, "d"))
        os.write(1, f"{key}\\n".encode())

workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
[one.start() for one in workers]
[one.join() for one in workers]
"""


def start(kind: str, path: Path, name: str, threads: int = 20, each: int = 8) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, kind, str(path), name, str(threads), str(each)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored(kind: str, path: Path) -> set[str]:
    """The keys in the file, which is sound."""
    table = {"tasks": "SELECT key FROM tasks", "ledger": "SELECT session FROM session_heads"}[kind]
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    keys = {key for (key,) in database.execute(table)}
    database.close()
    return keys


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("kind", ["tasks", "ledger"])
def test_many_processes_with_many_threads_lose_nothing(kind: str, processes: int, tmp_path: Path) -> None:
    """Every key whose write was confirmed is in the file, and the file is sound."""
    path = tmp_path / "shared.db"
    running = [start(kind, path, f"p{number}") for number in range(processes)]
    acknowledged = {line for process in running for line in process.communicate(timeout=120)[0].split()}

    assert all(process.returncode == 0 for process in running)
    assert len(acknowledged) == processes * 20 * 8
    assert acknowledged <= stored(kind, path)


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("kind", ["tasks", "ledger"])
def test_killed_processes_leave_a_sound_file(kind: str, processes: int, tmp_path: Path) -> None:
    """What was confirmed before the kill is still there, claims too, and other processes can write."""
    path = tmp_path / "shared.db"
    running = [start(kind, path, f"p{number}", each=10_000) for number in range(processes)]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # it writes; how far it comes does not matter
    time.sleep(1)
    for process in running:
        process.send_signal(signal.SIGKILL)
    acknowledged = {line for process in running for line in (process.communicate()[0].rpartition("\n")[0].split())}
    later = start(kind, path, "later")
    acknowledged |= set(later.communicate(timeout=120)[0].split())

    assert later.returncode == 0
    assert acknowledged <= stored(kind, path)
    if kind == "ledger":
        ledger = SQLiteLedger(path)
        claimed = [key for key in acknowledged if sum(map(int, key.split("-")[1:])) % 4 == 0]
        assert claimed
        assert not any(ledger.claim(Head(key, 1, "d")) for key in claimed[:200])


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """Prompts and digests are private."""
    store = SQLiteTaskStore(tmp_path / "tasks.db")
    store.put(TaskRecord("k", "o", {}))

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.close()


def broken(kind: str, path: Path) -> Any:
    return {
        "tasks": lambda: SQLiteTaskStore(path).unfinished(),
        "ledger": lambda: SQLiteLedger(path).claim(Head("s", 1, "d")),
    }[kind]()


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be read as one" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
@pytest.mark.parametrize(("kind", "error"), [("tasks", ConfigurationError), ("ledger", LedgerError)])
def test_a_file_that_is_no_database_is_a_typed_error(
    kind: str, error: type[Exception], content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "shared.db"
    path.write_bytes(content)

    with pytest.raises(error, match="cannot"):
        broken(kind, path)


def test_a_replaced_file_is_opened_again(tmp_path: Path) -> None:
    """Writing on into a deleted file would lose every record."""
    path = tmp_path / "tasks.db"
    store = SQLiteTaskStore(path)
    store.put(TaskRecord("before", "o", {}))
    for file in tmp_path.iterdir():
        file.unlink()
    store.put(TaskRecord("after", "o", {}))

    assert [record.key for record in SQLiteTaskStore(path).unfinished()] == ["after"]


def test_a_pickle_opens_the_file_again(tmp_path: Path) -> None:
    store = SQLiteTaskStore(tmp_path / "tasks.db")
    store.put(TaskRecord("k", "o", {}))

    assert pickle.loads(pickle.dumps(store)).get("k") is not None
