"""Workers with ledgers in memory hand sessions over: neither continues what the other one has, and all on one host."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_asking import Way, conversation, said, user
from oracle import Watch, context_of

from rivya_core.errors import InsufficientCreditsError
from rivya_core.sessions import claim_files, ledger
from rivya_core.sessions.claim_files import ClaimFiles, claim_elsewhere, claimed_by, end_elsewhere
from rivya_core.sessions.ledger import Head, Ledger, MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
from rivya_core.types import Message
from rivya_sandbox import Fault, Sandbox

Talk = list[Message]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    tmp_path.chmod(0o700)


def asked(sandbox: Sandbox, way: Way, by: Ledger, talk: Talk, route: str) -> Talk:
    """Ask as the worker with the ledger *by*; the model must have seen exactly *talk*, in one charged turn."""
    watch = Watch(sandbox)
    reply = way.ask(conversation(sandbox, by), talk)

    assert [seen.text for seen in context_of(watch.only())] == [message.text for message in talk]
    assert reply.metadata["session_route"] == route
    return [*talk, said(reply)]


def files(root: Path) -> list[str]:
    """The claims that there are."""
    return [path.name for path in root.glob("rivya-sessions-*/*/*")]


class TestWorkers:
    def test_a_worker_does_not_continue_what_another_one_has_continued(self, sandbox: Sandbox, way: Way) -> None:
        """The second question reaches worker B, and its edit comes back to A, whose memory ends with the first reply."""
        a, b = MemoryLedger(), MemoryLedger()
        first = asked(sandbox, way, a, [user("My name is Ann.")], "new")
        second = asked(sandbox, way, b, [*first, user("What is 2 + 2?")], "continue")

        asked(sandbox, way, a, [*first, user("What is 3 + 3?")], "replay")
        asked(sandbox, way, b, [*second, user("And what is my name?")], "continue")

    def test_a_conversation_goes_to_and_fro_in_one_session(self, sandbox: Sandbox, way: Way) -> None:
        """Each worker continues the other one's reply, and an edit of any question replays, at whichever it arrives."""
        workers = [MemoryLedger(), MemoryLedger(), MemoryLedger()]
        talks = [asked(sandbox, way, workers[0], [user("one")], "new")]
        for number in (1, 2, 0, 1, 1, 2):
            talks.append(asked(sandbox, way, workers[number], [*talks[-1], user(f"and {number}")], "continue"))

        for talk in talks[:-1]:
            for worker in workers:
                asked(sandbox, way, worker, [*talk, user("an edit")], "replay")
        asked(sandbox, way, workers[1], [*talks[-1], user("continue")], "continue")

    def test_of_two_workers_that_fork_one_reply_one_continues(self, sandbox: Sandbox, way: Way) -> None:
        """The first reply was a third worker's, so both have to ask the server."""
        talk = asked(sandbox, way, MemoryLedger(), [user("one")], "new")

        asked(sandbox, way, MemoryLedger(), [*talk, user("two")], "continue")
        asked(sandbox, way, MemoryLedger(), [*talk, user("other")], "replay")

    def test_a_turn_under_way_keeps_other_workers_out(self, sandbox: Sandbox, way: Way) -> None:
        """The server's record does not show a turn that has not ended; the worker's claim does."""
        a = MemoryLedger()
        talk = asked(sandbox, way, a, [user("one")], "new")
        assert a.claim(_head(talk))

        asked(sandbox, way, MemoryLedger(), [*talk, user("two")], "replay")

    @pytest.mark.parametrize("end", ["release", "invalidate"])
    def test_how_a_turn_of_one_worker_ends_counts_for_the_others(self, sandbox: Sandbox, way: Way, end: str) -> None:
        """A refused turn changed nothing; what a turn that was left early changes is not known yet."""
        a = MemoryLedger()
        talk = asked(sandbox, way, a, [user("one")], "new")
        assert a.claim(_head(talk))
        getattr(a, end)(_head(talk))

        asked(sandbox, way, MemoryLedger(), [*talk, user("two")], "continue" if end == "release" else "replay")

    def test_a_fork_that_fails_keeps_nobody_from_the_newest_reply(self, sandbox: Sandbox, way: Way) -> None:
        """Who asks for an old reply and gets no proof leaves nothing behind."""
        a, b = MemoryLedger(), MemoryLedger()
        first = asked(sandbox, way, a, [user("one")], "new")
        second = asked(sandbox, way, a, [*first, user("two")], "continue")
        asked(sandbox, way, b, [*first, user("other")], "replay")

        asked(sandbox, way, a, [*second, user("three")], "continue")

    @pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
    def test_a_turn_that_is_refused_gives_the_session_back(
        self, sandbox: Sandbox, way: Way, kind: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        """Worker B had no credits; then the question reaches A again, and an edit of it B."""
        a: Ledger = MemoryLedger()
        b: Ledger = MemoryLedger()
        if kind != "memory":
            b = (
                SQLiteLedger(tmp_path / "s.db")
                if kind == "sqlite"
                else RedisLedger(request.getfixturevalue("redis_url"))
            )
        talk = asked(sandbox, way, a, [user("one")], "new")
        sandbox.fault(Fault(path="/chat/completions", code="insufficient_credits"))
        with pytest.raises(InsufficientCreditsError):
            way.ask(conversation(sandbox, b), [*talk, user("two")])

        asked(sandbox, way, a, [*talk, user("two")], "continue")
        asked(sandbox, way, b, [*talk, user("edit")], "replay")

    def test_a_shared_ledger_takes_over_from_a_memory(self, sandbox: Sandbox, way: Way, tmp_path: Path) -> None:
        """A deployment that is being switched has both kinds for a while."""
        a, shared = MemoryLedger(), SQLiteLedger(tmp_path / "sessions.db")
        first = asked(sandbox, way, a, [user("one")], "new")
        second = asked(sandbox, way, shared, [*first, user("two")], "continue")

        asked(sandbox, way, a, [*first, user("other")], "replay")
        asked(sandbox, way, a, [*second, user("three")], "replay")  # a memory cannot tell a shared ledger
        asked(sandbox, way, shared, [*second, user("three")], "continue")

    def test_two_files_are_two_ledgers(self, sandbox: Sandbox, way: Way, tmp_path: Path) -> None:
        """Two containers with a path of the same name share nothing, so neither believes the other's replies."""
        one, other = SQLiteLedger(tmp_path / "one.db"), SQLiteLedger(tmp_path / "other.db")
        first = asked(sandbox, way, one, [user("one")], "new")

        asked(sandbox, way, other, [*first, user("two")], "replay")
        asked(sandbox, way, one, [*first, user("two")], "continue")


def _head(talk: Talk) -> Head:
    from rivya_core.sessions.pointers import Pointer

    found = Pointer.from_json(talk[-1].pointer)
    assert found
    return found.head


class TestWithoutFiles:
    def test_another_host_replays(
        self, sandbox: Sandbox, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It cannot claim the session, so it replays, and the first worker continues undisturbed."""
        a = MemoryLedger()
        talk = asked(sandbox, way, a, [user("one")], "new")
        (tmp_path / "elsewhere").mkdir()
        with monkeypatch.context() as moved:
            moved.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
            asked(sandbox, way, MemoryLedger(), [*talk, user("two")], "replay")

        asked(sandbox, way, a, [*talk, user("two")], "continue")

    def test_a_disk_that_takes_no_files_keeps_the_sessions_in_one_process(
        self, sandbox: Sandbox, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One process works as ever; another one replays."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        monkeypatch.setattr(os, "makedirs", _refuse)
        a = MemoryLedger()
        first = asked(sandbox, way, a, [user("one")], "new")
        second = asked(sandbox, way, a, [*first, user("two")], "continue")

        asked(sandbox, way, MemoryLedger(), [*second, user("three")], "replay")
        asked(sandbox, way, a, [*first, user("other")], "replay")

    def test_files_that_are_cleaned_away_take_the_trust_with_them(
        self, sandbox: Sandbox, way: Way, tmp_path: Path
    ) -> None:
        """Another worker's claim may have been among them, so the server is asked again; then all is as before."""
        a, b = MemoryLedger(), MemoryLedger()
        first = asked(sandbox, way, a, [user("one")], "new")
        other = asked(sandbox, way, a, [user("uno")], "new")
        asked(sandbox, way, b, [*first, user("two")], "continue")
        for path in sorted(tmp_path.glob("rivya-sessions-*/**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

        asked(sandbox, way, a, [*first, user("edit")], "replay")
        other = asked(sandbox, way, a, [*other, user("dos")], "continue")
        asked(sandbox, way, b, [*other, user("tres")], "continue")
        asked(sandbox, way, a, [*other, user("edit")], "replay")

    def test_a_folder_of_somebody_else_is_not_used(self, tmp_path: Path) -> None:
        """Anyone may create it first in a directory that all share."""
        (tmp_path / "theirs").mkdir()
        a = MemoryLedger()
        root = Path(claim_files._root())
        root.symlink_to(tmp_path / "theirs")
        a.settle(Head("s", 1, "d"))

        assert not list((tmp_path / "theirs").iterdir())
        assert a.claim(Head("s", 1, "d", a.name))
        assert not claim_elsewhere(a.name, "s", 1)
        assert claimed_by(a.name, "s", 1) is None

    @pytest.mark.parametrize("name", ["", "memory:", "memory:../x", "memory:a/b", "sqlite:abc", "redis", "memory:Ω"])
    def test_a_name_that_is_no_memory_has_no_files(self, name: str) -> None:
        """No name leads out of the folder."""
        assert not claim_elsewhere(name, "s", 1)
        assert claimed_by(name, "s", 1) is None
        with pytest.raises(ValueError, match="not a ledger in memory"):
            ClaimFiles(name)


class TestTheFolder:
    def test_it_holds_only_what_is_claimed(self, tmp_path: Path) -> None:
        """Neither settled nor forgotten heads leave files behind."""
        a = MemoryLedger(size=3)
        for session in "abcdef":
            a.settle(Head(session, 1, "d"))
            assert a.claim(Head(session, 1, "d"))
            assert len(files(tmp_path)) <= 3
        a.settle(Head("f", 2, "d"))
        assert len(files(tmp_path)) == 2
        a.release(Head("e", 1, "d"))
        assert len(files(tmp_path)) == 1

    def test_it_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        """The names in it tell who talks how often."""
        a = MemoryLedger()
        a.settle(Head("s", 1, "d"))
        a.claim(Head("s", 1, "d"))

        found = [path for path in tmp_path.rglob("*") if "rivya-sessions" in str(path)]
        assert len(found) == 3
        assert all(path.stat().st_mode & 0o077 == 0 for path in found)

    def test_a_claim_is_had_once(self) -> None:
        """By this process or by another one."""
        a = MemoryLedger()
        a.settle(Head("s", 1, "d"))

        assert claimed_by(a.name, "s", 1) is None
        assert claim_elsewhere(a.name, "s", 1, "memory:b")
        assert claimed_by(a.name, "s", 1) == "memory:b"
        assert not claim_elsewhere(a.name, "s", 1)
        assert not a.claim(Head("s", 1, "d"))
        assert a.knows(Head("s", 1, "d"))
        end_elsewhere(a.name, "s", 1)
        assert a.claim(Head("s", 1, "d"))
        assert claimed_by(a.name, "s", 1) == a.name

    def test_folders_of_processes_that_ended_long_ago_are_removed(self, tmp_path: Path) -> None:
        """A new process does it; what is in use or young stays."""
        old, young = MemoryLedger(), MemoryLedger()
        for one in (old, young):
            one.settle(Head("s", 1, "d"))
            one.claim(Head("s", 1, "d"))
        (folder,) = tmp_path.glob(f"rivya-sessions-*/{old.name.removeprefix('memory:')}")
        long_ago = time.time() - claim_files.KEPT - 60
        os.utime(folder, (long_ago, long_ago))
        MemoryLedger().settle(Head("s", 1, "d"))

        assert not folder.exists()
        assert len(files(tmp_path)) == 1

    def test_an_old_memory_asks_the_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system may clean up the claims of others after some days, so an older head is not trusted alone."""
        a, now = MemoryLedger(), [1_000.0]
        monkeypatch.setattr(ledger.time, "time", lambda: now[0])
        a.settle(Head("s", 1, "d", a.name))
        now[0] += ledger.LONGEST_MEMORY + 1

        assert not a.claim(Head("s", 1, "d", a.name))
        assert not a.knows(Head("s", 1, "d", a.name))
        assert a.claim(Head("s", 1, "d", a.name), proven=True)


def _refuse(*_: object, **__: object) -> None:
    raise OSError("read-only")
