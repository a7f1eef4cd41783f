"""Several workers, each with a ledger of its own: what one has not seen, the server proves, or the history is replayed."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import redis_server
from core_asking import Way, conversation, said, user
from oracle import Watch, context_of

from rivya_core.errors import (
    ConfigurationError,
    ContextOverflowError,
    InsufficientCreditsError,
    LedgerError,
    ResponseLostError,
)
from rivya_core.rivya import head_claims
from rivya_core.rivya.session_records import ends_with_reply, list_sessions, read_session
from rivya_core.sessions.default_ledger import _ledger, default_ledger
from rivya_core.sessions.ledger import PROCESS_LEDGER, Head, MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
from rivya_core.types import ChatDelta, Message
from rivya_sandbox import Fault, Sandbox

Talk = list[Message]


@pytest.fixture(autouse=True)
def no_cached_ledger() -> None:
    _ledger.cache_clear()


def two_turns(sandbox: Sandbox, way: Way, **changes: Any) -> Talk:
    """The messages of a conversation after two turns, as one worker had it."""
    wire = conversation(sandbox, changes.pop("ledger", None) or MemoryLedger(), **changes)
    talk = [user("My name is Ann.")]
    talk.append(said(way.ask(wire, talk)))
    talk.append(user("What is 2 + 2?"))
    talk.append(said(way.ask(wire, talk)))
    return talk


def texts(talk: Talk) -> list[str]:
    return [message.text for message in talk]


def judged(sandbox: Sandbox, way: Way, talk: Talk, route: str, **changes: Any) -> ChatDelta:
    """Ask as another worker; the model must have seen exactly *talk*, on *route*, in one paid turn."""
    watch = Watch(sandbox)
    reply = way.ask(conversation(sandbox, changes.pop("ledger", None) or MemoryLedger(), **changes), talk)

    assert [seen.text for seen in context_of(watch.only())] == texts(talk)
    assert reply.metadata["session_route"] == route
    return reply


def test_another_worker_continues_what_the_server_proves(sandbox: Sandbox, way: Way) -> None:
    """The newest message of the session is the reply, so nothing is replayed."""
    talk = two_turns(sandbox, way)

    judged(sandbox, way, [*talk, user("And what is my name?")], "continue")


def test_another_worker_replays_an_edited_question(sandbox: Sandbox, way: Way) -> None:
    """The session has gone on after the reply that the edited history ends with."""
    talk = two_turns(sandbox, way)

    judged(sandbox, way, [*talk[:2], user("What is 3 + 3?")], "replay")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="/chat/sessions/", status=403),
        Fault(path="/chat/sessions/", status=500),
        Fault(path="/chat/sessions/", drop="before"),
        Fault(path="/chat/sessions/", status=200, body=b"<html>"),
        Fault(path="/chat/sessions/", status=200, body=b"[]"),
        Fault(path="/chat/sessions/", status=200, body=b'{"messages": [{"role": "assistant", "content": "?"}]}'),
        Fault(path="/chat/sessions/", status=200, body=b'{"messages": {"a": 1}}'),
    ],
    ids=lambda fault: f"{fault.status}-{fault.drop or str(fault.body)[:20]}",
)
def test_what_proves_nothing_replays(sandbox: Sandbox, way: Way, fault: Fault) -> None:
    """A record that cannot be read is never taken for a yes."""
    talk = two_turns(sandbox, way)
    sandbox.fault(fault)

    judged(sandbox, way, [*talk, user("And what is my name?")], "replay")


def test_one_of_two_forks_gets_the_proven_head(sandbox: Sandbox, way: Way) -> None:
    """Within a process the claim decides, proof or not."""
    talk, ledger = two_turns(sandbox, way), MemoryLedger()

    judged(sandbox, way, [*talk, user("And what is my name?")], "continue", ledger=ledger)
    judged(sandbox, way, [*talk, user("What is 5 + 5?")], "replay", ledger=ledger)


def record(**facts: Any) -> Any:
    from rivya_core.rivya.session_records import _record

    return _record(facts)


U, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "id": "msg_12345678"}


@pytest.mark.parametrize(
    ("facts", "turn", "reply_id", "proven"),
    [
        ({"messages": [U, A]}, 1, "", True),
        ({"messages": [A, U]}, 1, "", True),  # newest first
        ({"data": {"messages": [U, A]}}, 1, "", True),
        ({"session": {"items": [U, {"author": "model", "text": "a"}]}}, 1, "", True),
        ({"messages": [U, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}, 1, "", True),
        ({"messages": [U, A, U, A]}, 1, "", False),  # went further
        ({"messages": [U, A]}, 2, "", False),  # lost something
        ({"messages": [U, A], "has_more": True}, 1, "", False),
        ({"messages": [U, A], "has_more": True}, 9, "chatcmpl_msg_12345678", True),
        ({"messages": [U, {**A, "content": "other"}]}, 1, "", False),
        ({"messages": [U, {**A, "id": "678"}]}, 4, "chatcmpl_msg_12345678", False),  # too short to mean anything
        ({"messages": [U, A, U]}, 1, "", False),  # a turn is running
        ({"messages": [A, A]}, 1, "", False),
        ({"messages": [U, {"role": "assistant"}]}, 1, "", False),
        ({"messages": ["x", None, 5]}, 1, "", False),
        ({}, 1, "chatcmpl_msg_12345678", False),
    ],
)
def test_what_a_record_proves(facts: dict[str, Any], turn: int, reply_id: str, proven: bool) -> None:
    """The reply's id, or its text with the count of messages; nothing else."""
    assert ends_with_reply(record(**facts), "a", turn, reply_id) is proven


def test_a_forged_reply_id_proves_nothing(sandbox: Sandbox, way: Way) -> None:
    """The id is sealed in the pointer, so a history cannot name the newest message of a session that was continued."""
    talk = two_turns(sandbox, way)
    newest = talk[3].pointer["reply_id"]
    forged = Message("assistant", talk[1].parts, pointer={**talk[1].pointer, "reply_id": newest})

    judged(sandbox, way, [talk[0], forged, user("What is 3 + 3?")], "replay")


def test_sessions_are_listed_and_read(sandbox: Sandbox) -> None:
    """The account's sessions and their messages, oldest first."""
    from both_drivers import Runner

    way = Way(asynchronous=False, streamed=False)
    talk = two_turns(sandbox, way)
    wire = conversation(sandbox, MemoryLedger())
    for runner in (Runner("sync"), Runner("async")):
        (listed,) = runner.run(list_sessions(wire.endpoint, wire.retry))
        found = runner.run(read_session(wire.endpoint, listed.id, wire.retry))

        assert listed.model == "gpt-5-2-chat"
        assert [message.text for message in found.messages] == texts(talk)
        assert found.complete


def test_the_second_replay_for_want_of_a_ledger_is_warned_of_once(
    sandbox: Sandbox, way: Way, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says why and what to do; it is not repeated at every turn."""
    import itertools

    monkeypatch.setattr(head_claims, "_unproven", itertools.count(1))
    talk = two_turns(sandbox, way)
    with caplog.at_level(logging.WARNING, logger="rivya"):
        for number in range(4):
            judged(sandbox, way, [*talk[:2], user(f"What is {number} + 3?")], "replay")
            assert len([one for one in caplog.records if "share a ledger" in one.message]) == (number > 0)


class TestTheVariable:
    def test_memory_is_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert default_ledger() is PROCESS_LEDGER
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", "memory")
        assert default_ledger() is PROCESS_LEDGER

    @pytest.mark.parametrize("value", ["", " ", "Memory", "MEMORY "])
    def test_memory_may_be_written_as_people_write_it(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """A file of that name would not be what was meant."""
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", value)
        assert default_ledger() is PROCESS_LEDGER

    @pytest.mark.parametrize("value", ["postgres://u:hunter2@h/db", "http://h", "sqlite:///s.db", "://"])
    def test_other_urls_are_refused(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """They are no paths, and what is wrong is said without a password."""
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", value)
        with pytest.raises(ConfigurationError, match=r"RIVYA_SESSION_LEDGER.*redis://") as caught:
            default_ledger()
        assert "hunter2" not in str(caught.value)

    def test_a_path_is_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", str(tmp_path / "sessions.db"))

        assert isinstance(default_ledger(), SQLiteLedger)
        assert default_ledger() is default_ledger()

    def test_a_url_is_a_redis(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", "redis://127.0.0.1:1/0")

        assert isinstance(default_ledger(), RedisLedger)

    def test_models_of_both_frameworks_use_it(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: Any
    ) -> None:
        """A deployment is switched without a change of code."""
        path = tmp_path / "sessions.db"
        monkeypatch.setenv("RIVYA_SESSION_LEDGER", str(path))
        world.ask(world.model(sandbox), [world.human("Hello")], "invoke")

        with sqlite3.connect(path) as database:
            assert database.execute("SELECT count(*) FROM session_heads").fetchone() == (1,)
        database.close()


class TestLongReplays:
    def long(self, sandbox: Sandbox, way: Way) -> Talk:
        """A history whose replay is longer than one message."""
        talk = two_turns(sandbox, way)
        return [
            user("My name is Ann. " + "x" * 12_000),
            *talk[1:2],
            user("And " + "y" * 12_000),
            *talk[3:],
            user("Who?"),
        ]

    def test_the_error_names_the_ways_out(self, sandbox: Sandbox, way: Way) -> None:
        """It is raised before anything is sent."""
        talk = self.long(sandbox, way)
        watch = Watch(sandbox)

        with pytest.raises(ContextOverflowError, match=r"Trim.*share a ledger.*session_id.*long_replay") as caught:
            way.ask(conversation(sandbox, MemoryLedger()), talk)
        assert "Nothing was sent" in str(caught.value)
        assert not watch.turns

    def test_parts_bring_the_whole_transcript_into_one_session(self, sandbox: Sandbox, way: Way) -> None:
        """Each part is answered with a word, the metadata say how many and what they cost, and the session continues."""
        talk, ledger = self.long(sandbox, way), MemoryLedger()
        watch = Watch(sandbox)
        wire = conversation(sandbox, ledger, long_replay="parts")
        reply = way.ask(wire, talk)

        *parts, last = watch.turns
        heard = [message.text for message in last.context if message.role == "user"]
        joined = "".join(text.split("]\n", 1)[1].rsplit("\n[", 1)[0] for text in heard)
        assert len(parts) == len(heard) - 1 == 1
        assert all(message.text in joined for message in talk)
        assert all(len(text) <= 20_000 for text in heard)
        assert reply.metadata["session_route"] == "replay"
        assert reply.metadata["long_replay"]["parts"] == 2
        assert reply.metadata["long_replay"]["credits"] == parts[0].charged
        following = way.ask(wire, [*talk, said(reply), user("Thanks.")])
        assert following.metadata["session_route"] == "continue"


class TestTheCallersOwnKey:
    """`whole` replies, for which the provider promises that a key is carried out once."""

    whole = Way(asynchronous=False, streamed=False)

    def ask(self, sandbox: Sandbox, ledger: Any, talk: Talk, key: str | None, way: Way = whole) -> ChatDelta:
        return way.ask(conversation(sandbox, ledger, idempotency_key=key), talk)

    def test_a_call_that_is_made_again_is_paid_once(self, sandbox: Sandbox) -> None:
        """A workflow node that runs again after a crash gets the reply of its first run."""
        watch = Watch(sandbox)
        replies = [self.ask(sandbox, MemoryLedger(), [user("What is 2 + 2?")], "node-1") for _ in range(2)]

        assert replies[0].text == replies[1].text
        assert len(watch.turns) == 1

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    def test_a_first_turn_that_is_run_again_does_not_take_its_session_back(
        self, sandbox: Sandbox, way: Way, kind: str, tmp_path: Path
    ) -> None:
        """The conversation continued after the first run, so what follows the second run is a fork."""
        ledger: Any = SQLiteLedger(tmp_path / "s.db") if kind == "sqlite" else MemoryLedger()
        talk = [user("My name is Ann.")]
        talk.append(said(self.ask(sandbox, ledger, talk, "node-0")))
        judged(sandbox, way, [*talk, user("What is 2 + 2?")], "continue", ledger=ledger)
        again = [talk[0], said(self.ask(sandbox, ledger, talk[:1], "node-0"))]

        judged(sandbox, way, [*again, user("What is 3 + 3?")], "replay", ledger=ledger)

    @pytest.mark.parametrize("again", ["the same", "another process", "sqlite"])
    def test_a_turn_that_continues_is_paid_once_too(self, sandbox: Sandbox, again: str, tmp_path: Path) -> None:
        """The first run was carried out, its reply was lost with the process, and the second run gets it."""
        ledger = SQLiteLedger(tmp_path / "s.db") if again == "sqlite" else MemoryLedger()
        talk = [*two_turns(sandbox, self.whole, ledger=ledger), user("And what is my name?")]
        first = self.ask(sandbox, ledger, talk, "node-2")
        watch = Watch(sandbox)
        second = self.ask(sandbox, {"another process": MemoryLedger()}.get(again, ledger), talk, "node-2")

        assert first.text == second.text
        assert second.metadata["session_route"] == "continue"
        assert not watch.turns

    @pytest.mark.parametrize("runs", ["aa", "ab", "bb", "bc", "bac", "abb", "bcb", "abc"])
    @pytest.mark.parametrize("order", [1, -1])
    def test_the_reply_of_several_runs_is_continued_once(
        self, sandbox: Sandbox, way: Way, runs: str, order: int
    ) -> None:
        """All processes that ran the step may be alive and have its reply; one of them continues the session.

        The reply before the step is that of process a. A run that another process repeats may be replayed.
        """
        workers = {name: MemoryLedger() for name in "abc"}
        talk = [*two_turns(sandbox, self.whole, ledger=workers["a"]), user("And what is my name?")]
        watch = Watch(sandbox)
        talks = [(run, [*talk, said(self.ask(sandbox, workers[run], talk, "node-3"))]) for run in runs]
        assert len(watch.turns) == 1
        routes = []
        for run, talk in talks[::order]:
            watch = Watch(sandbox)
            asked = [*talk, user(f"What is {len(routes)} + 7?")]
            routes.append(way.ask(conversation(sandbox, workers[run]), asked).metadata["session_route"])
            assert [seen.text for seen in context_of(watch.only())] == texts(asked)

        assert routes.count("continue") == 1

    @pytest.mark.parametrize("again", ["the same", "another process"])
    def test_a_session_that_went_on_after_the_first_run_is_not_continued_from_the_second(
        self, sandbox: Sandbox, way: Way, again: str
    ) -> None:
        """The second run gets the stored reply; what follows it is a fork."""
        ledger = MemoryLedger()
        talk = [*two_turns(sandbox, self.whole, ledger=ledger), user("And what is my name?")]
        first = [*talk, said(self.ask(sandbox, ledger, talk, "node-8")), user("Thanks.")]
        judged(sandbox, way, first, "continue", ledger=ledger)
        other = ledger if again == "the same" else MemoryLedger()
        second = [*talk, said(self.ask(sandbox, other, talk, "node-8")), user("What is 4 + 4?")]

        judged(sandbox, way, second, "replay", ledger=other)

    @pytest.mark.parametrize("key", ["another-key", None])
    @pytest.mark.parametrize("again", ["the same", "another process"])
    def test_the_same_question_under_another_key_is_another_turn(
        self, sandbox: Sandbox, way: Way, key: str | None, again: str
    ) -> None:
        """A reply that is regenerated: the model must not see the question twice."""
        ledger = MemoryLedger()
        talk = [*two_turns(sandbox, self.whole, ledger=ledger), user("And what is my name?")]
        self.ask(sandbox, ledger, talk, "node-4")
        watch = Watch(sandbox)
        reply = self.ask(sandbox, ledger if again == "the same" else MemoryLedger(), talk, key, way)

        assert reply.metadata["session_route"] == "replay"
        assert [seen.text for seen in context_of(watch.only())] == texts(talk)

    def test_a_run_whose_answer_was_lost_is_paid_once(self, sandbox: Sandbox) -> None:
        """The turn ends as unknown, and the next run under its key finds out."""
        ledger = MemoryLedger()
        talk = [*two_turns(sandbox, self.whole, ledger=ledger), user("And what is my name?")]
        watch = Watch(sandbox)
        sandbox.fault(Fault(path="/chat/completions", drop="after", times=3))
        with pytest.raises(ResponseLostError):
            self.ask(sandbox, ledger, talk, "node-5")
        reply = self.ask(sandbox, ledger, talk, "node-5")

        assert [seen.text for seen in context_of(watch.only())] == texts(talk)
        following = [*talk, said(reply), user("Thanks.")]
        judged(sandbox, self.whole, following, "replay", ledger=ledger)

    @pytest.mark.parametrize("again", ["the same", "another process", "sqlite"])
    def test_a_second_run_that_is_refused_does_not_undo_the_first(
        self, sandbox: Sandbox, way: Way, again: str, tmp_path: Path
    ) -> None:
        """The first run was lost on the way back; that the second met a rate limit says nothing about it."""
        ledger = SQLiteLedger(tmp_path / "s.db") if again == "sqlite" else MemoryLedger()
        talk = [*two_turns(sandbox, self.whole, ledger=ledger), user("And what is my name?")]
        sandbox.fault(Fault(path="/chat/completions", drop="after", times=3))
        with pytest.raises(ResponseLostError):
            self.ask(sandbox, ledger, talk, "node-7")
        other = {"another process": MemoryLedger()}.get(again, ledger)
        sandbox.fault(Fault(path="/chat/completions", code="insufficient_credits"))
        with pytest.raises(InsufficientCreditsError):
            self.ask(sandbox, other, talk, "node-7")

        for worker in (other, ledger):
            judged(sandbox, way, [*talk[:-1], user("What is 4 + 4?")], "replay", ledger=worker)

    def test_a_stream_is_not_continued_under_a_key(self, sandbox: Sandbox) -> None:
        """The provider promises nothing for streams, so it might ask the same question once more."""
        way, ledger = Way(asynchronous=False, streamed=True), MemoryLedger()
        talk = [*two_turns(sandbox, way, ledger=ledger), user("And what is my name?")]
        self.ask(sandbox, ledger, talk, "node-6", way)
        watch = Watch(sandbox)
        reply = self.ask(sandbox, ledger, talk, "node-6", way)

        assert reply.metadata["session_route"] == "replay"
        assert [seen.text for seen in context_of(watch.only())] == texts(talk)


class TestTimeTravel:
    def test_a_restored_file_vouches_for_nothing(self, tmp_path: Path, sandbox: Sandbox) -> None:
        """A backup holds a head that has moved since; a turn that forks from it replays."""
        way = Way(asynchronous=False, streamed=False)
        path, backup = tmp_path / "sessions.db", tmp_path / "backup.db"
        ledger = SQLiteLedger(path)
        wire = conversation(sandbox, ledger)
        talk = [user("My name is Ann.")]
        talk.append(said(way.ask(wire, talk)))
        with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
            source.backup(target)
        source.close()
        target.close()
        judged(sandbox, way, [*talk, user("What is 2 + 2?")], "continue", ledger=ledger)
        ledger.close()
        for rest in ("-wal", "-shm"):
            Path(f"{path}{rest}").unlink(missing_ok=True)
        path.write_bytes(backup.read_bytes())

        judged(sandbox, way, [*talk, user("What is 3 + 3?")], "replay", ledger=SQLiteLedger(path))

    def test_forget_trusts_no_head(self, tmp_path: Path, sandbox: Sandbox, way: Way) -> None:
        """For a restore that nothing else can recognise; the server's proof still counts."""
        ledger = SQLiteLedger(tmp_path / "sessions.db")
        talk = two_turns(sandbox, way, ledger=ledger)
        ledger.forget()

        judged(sandbox, way, [*talk[:2], user("What is 3 + 3?")], "replay", ledger=ledger)
        judged(sandbox, way, [*talk, user("And my name?")], "continue", ledger=ledger)

    def test_a_redis_that_was_started_again_vouches_for_nothing(self, sandbox: Sandbox) -> None:
        """Its snapshot may be older than the last turns."""
        if reason := redis_server.why_not():
            pytest.skip(reason)
        import redis

        way = Way(asynchronous=False, streamed=False)
        with redis_server.running() as server:
            ledger = RedisLedger(server.url)
            talk = two_turns(sandbox, way, ledger=ledger)
            with redis.Redis.from_url(server.url) as client:
                kept = {key: client.hgetall(key) for key in client.keys("*")}
            server.stop()
            server.start()
            with redis.Redis.from_url(server.url) as client:
                for key, values in kept.items():
                    client.hset(key, mapping={**values, "turn": 1, "digest": talk[1].pointer["digest"]})

            judged(sandbox, way, [*talk[:2], user("What is 3 + 3?")], "replay", ledger=ledger)
            ledger.close()


@pytest.mark.parametrize("where", ["missing/sessions.db", "redis"])
def test_a_ledger_that_never_worked_stops_the_first_turn(
    sandbox: Sandbox, way: Way, tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With "error" nothing is sent; with "replay" the turn is sent and one warning says why."""
    url = f"redis://127.0.0.1:{redis_server.free_port()}"
    make = {"redis": lambda **how: RedisLedger(url, **how)}.get(
        where, lambda **how: SQLiteLedger(tmp_path / where, **how)
    )
    watch = Watch(sandbox)

    with pytest.raises(LedgerError, match="when_down"):
        way.ask(conversation(sandbox, make()), [user("Hello")])
    assert not watch.turns
    with caplog.at_level(logging.WARNING, logger="rivya"):
        ledger = make(when_down="replay")
        for _ in range(3):
            way.ask(conversation(sandbox, ledger), [user("Hello")])
    assert len([one for one in caplog.records if "until the ledger can be reached" in one.message]) == 1


def test_an_unpickled_redis_ledger_says_at_its_first_use_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that unpickles in its workers would hang for ever if unpickling raised."""
    import pickle

    from rivya_core.http import credentials

    pickled = pickle.dumps(RedisLedger("redis://:secret@host:6379/0"))
    monkeypatch.setattr(credentials, "_seen", {})
    ledger = pickle.loads(pickled)

    assert "secret" not in repr(ledger)
    with pytest.raises(ConfigurationError, match="RIVYA_REDIS_URL"):
        ledger.settle(Head("s", 1, "d"))
