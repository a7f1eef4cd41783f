"""What is peculiar to one kind of ledger: forgetting, forks, crashes, being down."""

from __future__ import annotations

import logging
import pickle
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import redis_server

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.http import credentials as keys
from rivya_core.sessions.ledger import Head, MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger

CLAIM_AND_DIE = """
import os, signal, sys
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
assert SQLiteLedger(sys.argv[1]).claim(Head("s", 1, "d", "sqlite"))
os.kill(os.getpid(), signal.SIGKILL)
"""

FORK_WITH_FILE = """
import os, sys
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
ledger = SQLiteLedger(sys.argv[1])
ledger.settle(Head("child", 1, "d"))
ledger.settle(Head("parent", 1, "d"))
ledger.claim(Head("parent", 1, "d"))
ledger._file._lock.acquire()  # as another thread of the parent may hold it
if os.fork():
    failed = os.waitstatus_to_exitcode(os.wait()[1])
    ledger._file._lock.release()
    sys.exit(failed or ledger.claim(Head("child", 1, "d")))
assert not ledger.claim(Head("parent", 1, "d"))
assert ledger.claim(Head("child", 1, "d"))
"""
FORK = """
import os, sys
from rivya_core.sessions.ledger import Head, MemoryLedger
ledger = MemoryLedger()
parent = ledger.name
ledger.settle(Head("seen", 1, "d"))
ledger._lock.acquire()  # as another thread of the parent may hold it
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) or ledger.name != parent)
assert ledger.name != parent
assert not ledger.claim(Head("seen", 1, "d", parent))
assert not ledger.knows(Head("seen", 1, "d", parent))
assert ledger.claim(Head("seen", 1, "d", parent), proven=True)
"""


def head(session: str, turn: int = 1, by: str = "") -> Head:
    return Head(session, turn, "d", by)


class TestMemoryLedger:
    def test_it_forgets_the_session_unused_for_longest_and_does_not_trust_it_then(self) -> None:
        """Memory is bounded; what fell out of it is replayed, for it may have gone on."""
        ledger = MemoryLedger(size=2)
        for name in ("a", "b", "a", "c"):
            ledger.settle(head(name))

        assert ledger.claim(head("a", by=ledger.name))
        assert not ledger.claim(head("b", by=ledger.name))

    def test_a_fork_is_another_ledger(self) -> None:
        """Parent and child share no memory from the fork on, so the child does not answer for the parent's heads."""
        assert subprocess.run([sys.executable, "-c", FORK], check=False, cwd=Path.cwd()).returncode == 0

    def test_in_another_process_it_starts_empty(self) -> None:
        """A pickle brings no heads along, for they would be out of date."""
        pickled = pickle.dumps(MemoryLedger(size=7))
        again = pickle.loads(pickled)

        assert not again.knows(head("a"))
        assert again._size == 7


class TestSQLiteLedger:
    def test_it_survives_a_kill_between_claim_and_settle(self, tmp_path: Path) -> None:
        """How far the turn of a killed process came is unknown, so its reply is not continued."""
        path = tmp_path / "sessions.db"
        SQLiteLedger(path).settle(head("s"))
        died = subprocess.run([sys.executable, "-c", CLAIM_AND_DIE, str(path)], check=False)

        assert died.returncode == -signal.SIGKILL
        assert not SQLiteLedger(path).claim(head("s", by="sqlite"))
        assert not SQLiteLedger(path).claim(head("s", turn=2))

    def test_a_fork_opens_the_file_for_itself(self, tmp_path: Path) -> None:
        """SQLite forbids to use a connection across a fork; parent and child see each other's claims."""
        code = [sys.executable, "-c", FORK_WITH_FILE, str(tmp_path / "sessions.db")]
        assert subprocess.run(code, check=False, cwd=Path.cwd()).returncode == 0

    def test_it_works_again_after_it_was_closed(self, tmp_path: Path) -> None:
        """Closing gives the file back and forgets nothing."""
        ledger = SQLiteLedger(tmp_path / "sessions.db")
        ledger.claim(head("s"))
        ledger.close()

        assert repr(ledger) == f"SQLiteLedger({str(tmp_path / 'sessions.db')!r})"
        assert not ledger.claim(head("s"))

    def test_it_forgets_what_was_not_used_for_long_and_does_not_trust_it_then(self, tmp_path: Path) -> None:
        """The file does not grow for ever."""
        now = [0.0]
        ledger = SQLiteLedger(tmp_path / "sessions.db", keep=60, clock=lambda: now[0])
        ledger.settle(head("old"))
        now[0] = 61.0
        ledger.settle(head("new"))

        assert not ledger.claim(head("old", by=ledger.name))
        assert ledger.claim(head("new", by=ledger.name))

    def test_a_file_that_cannot_be_used_is_an_error_that_says_what_to_do(self, tmp_path: Path) -> None:
        """The error names the file and the way out, and no session is continued."""
        ledger = SQLiteLedger(tmp_path / "nowhere" / "sessions.db")

        with pytest.raises(LedgerError, match=r"nowhere.*when_down"):
            ledger.claim(head("s"))
        with pytest.raises(LedgerError):
            ledger.settle(head("s"))

    def test_a_file_that_is_no_database_is_such_an_error(self, tmp_path: Path) -> None:
        """A damaged file does not crash with SQLite's own error."""
        (tmp_path / "sessions.db").write_bytes(b"no database at all" * 100)

        with pytest.raises(LedgerError):
            SQLiteLedger(tmp_path / "sessions.db").claim(head("s"))

    def test_a_file_locked_for_too_long_is_such_an_error(self, tmp_path: Path) -> None:
        """It waits for other processes, but not for ever."""
        path = tmp_path / "sessions.db"
        ledger = SQLiteLedger(path, timeout=0.05)
        ledger.settle(head("s"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(LedgerError, match="locked"):
                ledger.claim(head("s"))
        finally:
            other.close()

    def test_down_it_can_be_told_to_replay(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """With `when_down="replay"` nothing is claimed, and the log says why."""
        ledger = SQLiteLedger(tmp_path / "nowhere" / "sessions.db", when_down="replay")

        with caplog.at_level(logging.WARNING, "rivya"):
            assert not ledger.claim(head("s"))
        assert "nowhere" in caplog.text

    @pytest.mark.parametrize("path", ["", ":memory:"])
    def test_it_needs_a_file(self, path: str) -> None:
        """SQLite's private databases are refused, for every call would get its own."""
        with pytest.raises(ConfigurationError, match="MemoryLedger"):
            SQLiteLedger(path)

    def test_an_unknown_way_to_be_down_is_refused(self, tmp_path: Path) -> None:
        """There is no way to continue silently."""
        with pytest.raises(ConfigurationError, match="when_down"):
            SQLiteLedger(tmp_path / "s.db", when_down="continue")  # type: ignore[arg-type]


class TestRedisLedger:
    def test_a_head_is_forgotten_after_its_time_and_not_trusted_then(self, redis_url: str) -> None:
        """Redis drops it; what it held may have gone on since."""
        import redis

        ledger = RedisLedger(redis_url, ttl=100, prefix="forget:")
        ledger.settle(head("s"))
        with redis.Redis.from_url(redis_url) as client:
            assert 0 < client.ttl("forget:s") <= 100
            client.delete("forget:s")

        assert not ledger.claim(head("s", by=ledger.name))
        ledger.close()

    def test_down_it_is_an_error_that_says_what_to_do(self) -> None:
        """The error names the server and the way out, and not the password."""
        ledger = RedisLedger(f"redis://:hunter2secret@127.0.0.1:{redis_server.free_port()}/0")

        with pytest.raises(LedgerError, match=r"127\.0\.0\.1.*when_down") as caught:
            ledger.claim(head("s"))
        assert "hunter2secret" not in str(caught.value) + repr(ledger)
        with pytest.raises(LedgerError):
            ledger.invalidate(head("s"))
        ledger.close()

    def test_down_it_can_be_told_to_replay(self) -> None:
        """With `when_down="replay"` nothing is claimed."""
        ledger = RedisLedger(f"redis://127.0.0.1:{redis_server.free_port()}", when_down="replay")

        assert not ledger.claim(head("s"))
        ledger.close()

    def test_a_refused_password_is_such_an_error(self, redis_url: str) -> None:
        """What Redis says of it is passed on, without the password."""
        with redis_server.running(password="right-password") as server:
            wrong = RedisLedger(server.url.replace("//", "//:wrong-password@"))
            right = RedisLedger(server.url.replace("//", "//:right-password@"))

            with pytest.raises(LedgerError) as caught:
                wrong.claim(head("s"))
            assert right.claim(head("s"), proven=True)
            wrong.close()
            right.close()
        assert "wrong-password" not in str(caught.value)

    def test_it_comes_back_when_redis_does(self) -> None:
        """After an outage the same object works again; what was lost is not trusted."""
        if reason := redis_server.why_not():
            pytest.skip(reason)
        with redis_server.running() as server:
            ledger = RedisLedger(server.url, timeout=1.0)
            ledger.settle(head("s"))
            server.stop()
            with pytest.raises(LedgerError):
                ledger.claim(head("s", by=ledger.name))
            server.start()

            assert not ledger.claim(head("s", by=ledger.name))
            assert ledger.claim(head("t"), proven=True)
            ledger.close()

    def test_a_pickle_holds_no_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where it is read, the URL is this process's or comes from the environment."""
        pickled = pickle.dumps(RedisLedger("redis://:hunter2secret@host:6379/0", prefix="p:"))
        assert b"hunter2secret" not in pickled

        assert pickle.loads(pickled)._server._url.get_secret_value().startswith("redis://:hunter2secret@")
        keys._seen.clear()
        monkeypatch.setenv("RIVYA_REDIS_URL", "redis://elsewhere:6379/0")
        assert repr(pickle.loads(pickled)) == "RedisLedger('redis://elsewhere:6379/0')"

    def test_the_url_can_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without `url` the variable counts."""
        monkeypatch.setenv("RIVYA_REDIS_URL", "redis://elsewhere:6379/0")

        assert repr(RedisLedger()) == "RedisLedger('redis://elsewhere:6379/0')"

    @pytest.mark.parametrize(
        "url", [None, "", "http://host", "host:6379", "redis://h:99999/0", "redis://h:x", "rediss://[h"]
    )
    def test_a_url_that_is_none_is_refused(self, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be a Redis is said at construction."""
        monkeypatch.delenv("RIVYA_REDIS_URL", raising=False)
        with pytest.raises(ConfigurationError, match="RIVYA_REDIS_URL"):
            RedisLedger(url)

    def test_a_time_to_live_of_nothing_is_refused(self) -> None:
        """Redis would drop every head at once."""
        with pytest.raises(ConfigurationError, match="ttl"):
            RedisLedger("redis://host", ttl=0)

    def test_without_the_client_the_error_names_the_extra(self) -> None:
        """Only who uses Redis needs its client."""
        with patch.dict(sys.modules, {"redis": None}), pytest.raises(ConfigurationError, match=r"\[redis\]"):
            RedisLedger("redis://host").claim(head("s"))


def test_loading_the_ledgers_loads_no_client() -> None:
    """`import redis` and `import sqlite3` wait for who needs them."""
    code = "import sys, rivya_core.sessions.redis_ledger; sys.exit('redis' in sys.modules or 'sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd()).returncode == 0
