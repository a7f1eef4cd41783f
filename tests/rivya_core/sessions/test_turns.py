"""Turns of the core on every kind of failure, through both drivers, whole and streamed; the journal is the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_asking import Way, conversation, said, user
from oracle import Watch, context_of, history, users
from samples import png

from rivya_core import errors
from rivya_core.http.plan import Call, Send
from rivya_core.sessions import pointers
from rivya_core.sessions.ledger import Ledger, MemoryLedger
from rivya_core.types import Media, Message, RawBlock, Text
from rivya_sandbox import Fault, Sandbox

CHAT = "/chat/completions"


class TestPlainConversation:
    def test_a_second_turn_continues_the_session(self, sandbox: Sandbox, way: Way) -> None:
        """Only what is new is sent, and the model sees all of it once."""
        talk, messages = conversation(sandbox, MemoryLedger()), []
        for number in range(4):
            messages.append(user(f"question {number}"))
            watch = Watch(sandbox)
            reply = way.ask(talk, messages)

            assert context_of(watch.only()) == history(messages)
            assert watch.only().context[-1].text == f"question {number}"
            assert reply.metadata["session_route"] == ("continue" if number else "new")
            messages.append(said(reply))
        assert len({turn.session_id for turn in sandbox.journal.turns}) == 1

    def test_a_transcript_goes_out_as_one_message(self, sandbox: Sandbox, way: Way) -> None:
        """Roles, names and foreign blocks arrive as they are."""
        talk = conversation(sandbox, MemoryLedger())
        messages = [
            Message("system", (Text("Be terse."),)),
            Message("user", (Text("hi"),), name="Ann"),
            Message("user", (RawBlock({"type": "odd"}),)),
        ]
        way.ask(talk, messages)

        seen = context_of(sandbox.journal.turns[-1])
        assert [(one.role, one.text, one.name) for one in seen] == [
            ("system", "Be terse.", None),
            ("user", "hi", "Ann"),
            ("user", '{"type": "odd"}', None),
        ]

    def test_several_new_messages_go_out_as_a_continuation(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """The session holds the beginning, and the text says that it is a continuation."""
        talk, messages = begun()
        messages.append(user("three"))
        way.ask(talk, messages)

        turn = sandbox.journal.turns[-1]
        assert turn.context[-1].text.split("\n")[0].endswith(" continues]")
        assert [one.text for one in context_of(turn)] == [message.text for message in messages]

    def test_nothing_to_say_is_refused(self, sandbox: Sandbox, way: Way) -> None:
        """An empty list and an empty message are errors before anything is sent."""
        for messages in ([], [user("  ")]):
            with pytest.raises(errors.InvalidInputError):
                way.ask(conversation(sandbox, MemoryLedger()), messages)
        assert sandbox.journal.requests == []

    def test_a_long_transcript_is_refused_and_the_session_stays(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """What does not fit is never cut and never sent, and a shorter message can still be said."""
        talk, messages = begun()
        with pytest.raises(errors.ContextOverflowError, match="Trim or summarise"):
            way.ask(talk, [*messages[:-1], user("x" * 20_001)])
        assert len(sandbox.journal.turns) == 1
        assert way.ask(talk, messages).metadata["session_route"] == "continue"


class TestLostSessions:
    @pytest.mark.parametrize("code", ["not_found", "chat_session_conflict"])
    def test_a_session_that_the_server_does_not_give_is_replayed_once(
        self, sandbox: Sandbox, way: Way, begun: Any, code: str
    ) -> None:
        """The caller gets the answer; the model saw all the messages in a new session."""
        talk, messages = begun()
        sandbox.fault(Fault(CHAT, code=code))
        watch = Watch(sandbox)
        reply = way.ask(talk, messages)

        assert reply.metadata["session_route"] == "replay"
        assert context_of(watch.only()) == history(messages)
        assert way.ask(talk, [*messages, said(reply), user("x")]).metadata["session_route"] == "continue"

    @pytest.mark.parametrize("code", ["not_found", "chat_session_conflict"])
    def test_a_second_refusal_is_the_callers(self, sandbox: Sandbox, way: Way, begun: Any, code: str) -> None:
        """It is not tried a third time."""
        talk, messages = begun()
        sandbox.fault(Fault(CHAT, code=code, times=3))
        with pytest.raises((errors.NotFoundError, errors.SessionConflictError)):
            way.ask(talk, messages)

        assert len(sandbox.journal.to(CHAT)) + len(sandbox.journal.to("/stream")) == 3

    def test_where_replaying_is_not_wanted_it_is_an_error(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """`on_history_mismatch="error"` holds here too, and the error gives the provider's reason."""
        talk, messages = begun(on_mismatch="error")
        sandbox.fault(Fault(CHAT, code="not_found", message="No such session."))
        watch = Watch(sandbox)
        with pytest.raises(errors.HistoryMismatchError, match=r"No such session.*on_history_mismatch"):
            way.ask(talk, messages)
        assert watch.turns == []

    def test_a_new_conversation_that_is_not_found_is_the_callers(self, sandbox: Sandbox, way: Way) -> None:
        """Only a continued session can be lost; anything else is a wrong model or URL."""
        sandbox.fault(Fault(CHAT, code="not_found"))
        with pytest.raises(errors.NotFoundError):
            way.ask(conversation(sandbox, MemoryLedger()), [user("one")])
        assert len(sandbox.journal.requests) == 1

    @pytest.mark.parametrize("named", [{"session_id": "elsewhere"}, {}], ids=["another session", "no session"])
    def test_an_answer_that_does_not_name_its_session_gets_no_pointer(
        self, sandbox: Sandbox, begun: Any, named: dict[str, str]
    ) -> None:
        """The server continued elsewhere or stopped early, and what the session holds is unknown."""
        talk, messages = begun()
        body = json.dumps({"id": "c", **named, "message": {"role": "assistant", "content": "hm"}}).encode()
        sandbox.fault(Fault(CHAT, body=body, headers={"content-type": "application/json"}))
        way = Way(asynchronous=False, streamed=False)
        reply = way.ask(talk, messages)

        assert reply.text == "hm"
        assert "rivya_session" not in reply.metadata
        assert way.ask(talk, messages).metadata["session_route"] == "replay"


class TestPinned:
    def test_a_pinned_session_gets_what_follows_the_last_reply(self, sandbox: Sandbox, way: Way) -> None:
        """Nothing is checked; the session holds what the caller put there."""
        first = way.ask(conversation(sandbox, MemoryLedger()), [user("one")])
        talk = conversation(sandbox, MemoryLedger(), session_id=first.metadata["session_id"])
        reply = way.ask(talk, [user("two")])
        way.ask(talk, [user("anything"), said(reply), user("three")])

        assert context_of(sandbox.journal.turns[-1])[::2] == users("one", "", "two", "", "three")[::2]
        assert reply.metadata["session_route"] == "pinned"
        assert "rivya_session" not in reply.metadata

    def test_pointers_into_a_pinned_session_hold_no_longer(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """A session that is continued by its id is continued unseen; replies that point to it are replayed."""
        ledger = MemoryLedger()
        talk, messages = begun(ledger=ledger)
        session = messages[1].pointer["session_id"]
        way.ask(conversation(sandbox, ledger, session_id=session), [user("aside")])
        watch = Watch(sandbox)
        reply = way.ask(talk, messages)

        assert reply.metadata["session_route"] == "replay"
        assert context_of(watch.only()) == history(messages)

    def test_a_pinned_session_that_is_lost_is_the_callers(self, sandbox: Sandbox, way: Way) -> None:
        """There is nothing to replay it from."""
        with pytest.raises(errors.NotFoundError):
            way.ask(conversation(sandbox, MemoryLedger(), session_id="chatsess_none"), [user("one")])


class TestLedgers:
    def test_every_ledger_carries_a_conversation(self, sandbox: Sandbox, way: Way, begun: Any, ledger: Any) -> None:
        """A plain conversation reuses its session and a fork is replayed, whichever ledger remembers."""
        talk, messages = begun(ledger=ledger)
        reply = way.ask(talk, messages)
        fork = way.ask(talk, messages)
        third = way.ask(talk, [*messages, said(reply), user("three")])

        routes = [one.metadata["session_route"] for one in (reply, fork, third)]
        assert routes == ["continue", "replay", "continue"]
        assert [len(context_of(turn)) for turn in sandbox.journal.turns] == [1, 3, 3, 5]


class TestAttachments:
    def test_images_are_uploaded_or_named(self, sandbox: Sandbox, way: Way) -> None:
        """Bytes are uploaded; a file that is on the server already is only named."""
        talk = conversation(sandbox, MemoryLedger())
        way.ask(talk, [Message("user", (Text("Look!"), Media("image", data=png())))])
        file_id = sandbox.journal.turns[-1].context[-1].attachments[0].file_id
        way.ask(talk, [Message("user", (Text("Again!"), Media("image", file_id=file_id)))])

        assert sandbox.journal.turns[-1].context[-1].attachments[0].file_id == file_id
        assert len(sandbox.journal.to("/files")) == 1

    @pytest.mark.parametrize("media", [Media("audio", data=b"RIFF"), Media("image", url="https://example.com/a.png")])
    def test_what_cannot_be_attached_is_refused_and_the_session_stays(
        self, sandbox: Sandbox, way: Way, begun: Any, media: Media
    ) -> None:
        """Sound is not taken, and no URL is fetched that the application did not allow."""
        talk, messages = begun()
        with pytest.raises(errors.InvalidInputError, match="sent"):
            way.ask(talk, [*messages[:-1], Message("user", (Text("Listen!"), media))])

        assert way.ask(talk, messages).metadata["session_route"] == "continue"


def test_a_plan_that_is_thrown_away_leaves_its_claim(sandbox: Sandbox, begun: Any, ledger: Ledger) -> None:
    """The ledger can no longer be updated, so the head is never given out again."""
    talk, messages = begun(ledger=ledger)
    plan = talk.reply(messages)
    step = next(plan)
    while isinstance(step, Call):
        step = plan.send(step.work())
    plan.close()

    assert isinstance(step, Send)
    assert Way(asynchronous=False, streamed=False).ask(talk, messages).metadata["session_route"] == "replay"


@pytest.mark.parametrize("edited", [False, True])
def test_each_message_of_a_history_is_digested_once_a_turn(
    begun: Any, way: Way, edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the session is continued or the history is replayed, which finds out by the digest."""
    talk, messages = begun()
    if edited:
        messages = [user("edited"), *messages[1:]]
    digested: list[str] = []
    line = pointers._canonical_line
    monkeypatch.setattr(pointers, "_canonical_line", lambda message: digested.append(message.text) or line(message))
    reply = way.ask(talk, messages)

    assert digested == [*(message.text for message in messages), reply.text]
    assert reply.metadata["session_route"] == ("replay" if edited else "continue")
