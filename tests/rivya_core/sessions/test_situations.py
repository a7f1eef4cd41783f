"""What a message list can look like when it comes back: each situation, in both frameworks, judged by the journal.

The rows are those in which an integration that trusts the newest id in the history sends the wrong thing.
"""

from __future__ import annotations

from typing import Any

import pytest
from oracle import Watch, context_of
from samples import png
from talk_figures import normal
from worlds import World

from rivya_core.errors import HistoryMismatchError
from rivya_core.sessions.ledger import MemoryLedger
from rivya_sandbox import Fault, Sandbox, serve

Messages = list[Any]


class Stage:
    """A conversation of two turns in one framework, and what becomes of its next one."""

    def __init__(self, world: World, sandbox: Sandbox, way: str) -> None:
        self.world, self.sandbox, self.way = world, sandbox, way
        self.ledger = MemoryLedger()
        self.model = world.model(sandbox, session_ledger=self.ledger)
        self.talk: Messages = [world.system("Be terse."), world.human("My name is Ann.")]
        for text in ("Who am I?", "And what is 2 + 2?"):
            self.talk += [self.ask(self.talk), world.human(text)]

    def ask(self, talk: Messages, model: Any = None, **options: Any) -> Any:
        return self.world.ask(model or self.model, talk, self.way, **options)

    def judged(self, talk: Messages, route: str, model: Any = None, **options: Any) -> Any:
        """Ask; the model must have seen exactly *talk*, on *route*, and have been paid once."""
        watch = Watch(self.sandbox)
        reply = self.ask(talk, model, **options)

        assert normal(context_of(watch.only())) == normal(self.world.transcript(talk))
        assert self.world.route(reply) == route
        return reply

    def edited(self, at: int, text: str) -> Messages:
        return [*self.talk[:at], self.world.edited(self.talk[at], text), *self.talk[at + 1 :]]


@pytest.fixture
def stage(world: World, sandbox: Sandbox, way: str) -> Stage:
    return Stage(world, sandbox, way)


@pytest.fixture(params=["invoke", "astream"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


SYSTEM, HUMAN, REPLY, NEXT = 0, 1, 2, 3


def test_a_normal_next_turn_continues(stage: Stage) -> None:
    """Only the new message is sent."""
    stage.judged(stage.talk, "continue")

    sent = [exchange.body for exchange in stage.sandbox.journal.requests][-1]
    assert sent["message"] == "And what is 2 + 2?"
    assert sent["session_id"] == stage.world.facts(stage.talk[-2])["session_id"]


def test_a_changed_system_prompt_counts(stage: Stage) -> None:
    """The old one does not stay in force."""
    stage.judged(stage.edited(SYSTEM, "Be a pirate."), "replay")


def test_an_edited_human_message_counts(stage: Stage) -> None:
    """The edit is not ignored."""
    stage.judged(stage.edited(HUMAN, "My name is Bob."), "replay")


def test_an_edited_reply_counts(stage: Stage) -> None:
    """What the model is said to have said is what it sees."""
    stage.judged(stage.edited(REPLY, "You are no one."), "replay")


def test_a_summary_replaces_what_it_sums_up(stage: Stage) -> None:
    """The server's full history is left behind, so the summary saves what it should."""
    summary = stage.world.system("Ann introduced herself.")
    stage.judged([summary, *stage.talk[NEXT:]], "replay")


def test_regenerating_never_sends_nothing(stage: Stage) -> None:
    """With nothing after the reply, and with the reply taken away, the model sees the list as it is."""
    stage.judged(stage.talk[:-1], "replay")
    stage.judged(stage.talk[:-2], "replay")


def test_anothers_answer_in_between_is_told(stage: Stage) -> None:
    """A fallback model's answer is part of what the next turn sends."""
    other = stage.world.model(stage.sandbox, session_ledger=stage.ledger, model="gemini-2-5-flash-chat")
    theirs = stage.judged(stage.talk, "replay", other)
    talk = [*stage.talk, theirs, stage.world.human("And who was that?")]

    reply = stage.judged(talk, "continue")
    stage.judged([*talk, reply, stage.world.human("And now?")], "continue")


def test_another_account_has_its_own_sessions(stage: Stage) -> None:
    """A reply given to one key is not continued under another one."""
    stage.sandbox.add_key("rvya_sk_second", account="second")
    stage.judged(stage.talk, "replay", stage.world.model(stage.sandbox, api_key="rvya_sk_second"))

    assert stage.sandbox.journal.requests[-1].body.get("session_id") is None


def test_another_host_has_its_own_sessions(stage: Stage) -> None:
    """A reply given by one base URL is not continued at another one."""
    with serve() as elsewhere:
        watch = Watch(elsewhere)
        reply = stage.ask(stage.talk, stage.world.model(elsewhere, session_ledger=stage.ledger))

        assert context_of(watch.only()) == stage.world.transcript(stage.talk)
    assert stage.world.route(reply) == "replay"


def test_a_reply_without_its_metadata_is_only_text(stage: Stage) -> None:
    """Web front ends and converters lose the pointer; the conversation continues all the same."""
    bare = [stage.world.with_pointer(message, None) for message in stage.talk]
    reply = stage.judged(bare, "replay")
    stage.judged([*bare, reply, stage.world.human("And 3 + 3?")], "continue")


@pytest.mark.parametrize("value", [7, "x", [], {"v": 2}, {"v": 2, "session_id": 5, "turn": "1"}, None])
def test_nonsense_in_the_metadata_is_no_crash(stage: Stage, value: Any) -> None:
    """Whatever the metadata hold, the model sees the messages."""
    talk = [stage.world.with_pointer(m, value) if stage.world.seen(m).role == "assistant" else m for m in stage.talk]
    stage.judged(talk, "replay")


def test_a_session_that_the_server_lost_is_begun_again(stage: Stage) -> None:
    """An expired session costs one replay and not the conversation."""
    stage.sandbox.fault(Fault("/chat/completions", code="not_found"))
    reply = stage.judged(stage.talk, "replay")
    stage.judged([*stage.talk, reply, stage.world.human("And 3 + 3?")], "continue")


def test_a_stream_that_broke_is_not_pointed_at(stage: Stage) -> None:
    """The half reply carries no pointer, and the session that it was in is left alone."""
    if "stream" not in stage.way:
        pytest.skip("a whole reply is there or not")
    stage.sandbox.fault(Fault("/chat/completions/stream", cut=2))
    with pytest.raises(Exception, match="charged"):
        stage.ask(stage.talk)

    stage.judged(stage.talk, "replay")


def test_one_reply_in_two_conversations_is_continued_in_one(stage: Stage) -> None:
    """A reply that came from a cache or was copied is not two conversations in one session."""
    stage.judged([*stage.talk[:-1], stage.world.human("First?")], "continue")
    stage.judged([*stage.talk[:-1], stage.world.human("Second?")], "replay")


def test_trimmed_history_is_trimmed(stage: Stage) -> None:
    """What was dropped is not seen any more."""
    stage.judged(stage.talk[2:], "replay")
    stage.judged(stage.talk[-1:], "new")


def test_parallel_tool_results_all_arrive(stage: Stage) -> None:
    """All messages after the reply are sent, not only the last one."""
    uses = [*stage.world.tool_use(1), *stage.world.tool_use(2)]
    stage.judged([*stage.talk, *uses, stage.world.human("Well?")], "continue")


def test_images_are_part_of_what_was_seen(stage: Stage) -> None:
    """An image is sent once; another image in its place is an edit."""
    talk = [*stage.talk, stage.world.human("Look!", png())]
    talk = [*talk, stage.judged(talk, "continue"), stage.world.human("What was it?")]
    stage.judged(talk, "continue")
    talk[-3] = stage.world.human("Look!", png()[:-1] + b"\x00")
    stage.judged(talk, "replay")


def test_a_name_put_on_the_reply_is_no_edit(stage: Stage) -> None:
    """Agents sign what their model said."""
    talk = [*stage.talk[:-2], stage.world.named(stage.talk[-2], "agent"), stage.talk[-1]]
    reply = stage.ask(talk)

    assert stage.world.route(reply) == "continue"


def test_where_replaying_is_not_wanted_it_is_an_error(stage: Stage) -> None:
    """`on_history_mismatch="error"` raises before anything is sent, and lets what matches pass."""
    strict = stage.world.model(stage.sandbox, session_ledger=stage.ledger, on_history_mismatch="error")
    watch = Watch(stage.sandbox)
    for talk in (stage.edited(HUMAN, "My name is Bob."), stage.talk[:-1], stage.talk[2:]):
        with pytest.raises(HistoryMismatchError):
            stage.ask(talk, strict)

    assert watch.turns == []
    stage.judged(stage.talk, "continue", strict)
    with pytest.raises(HistoryMismatchError):
        stage.ask(stage.talk, strict)


def test_every_form_of_the_messages_is_the_same_history(stage: Stage) -> None:
    """JSON, checkpoints, pickles, merged chunks and content blocks all continue the session."""
    talk = stage.talk
    for form in stage.world.forms.values():
        talk = form(talk)
        talk = [*talk, stage.judged(talk, "continue"), stage.world.human("And now?")]


def test_a_pinned_session_needs_no_history(stage: Stage) -> None:
    """`session_id` at construction or in a call: what follows the last reply goes there, and nothing is checked."""
    session = stage.world.facts(stage.talk[-2])["session_id"]
    pinned = stage.world.model(stage.sandbox, session_id=session)
    first = stage.ask([stage.world.human("And 3 + 3?")], pinned)
    second = stage.ask([stage.world.human("x"), first, stage.world.human("And 4 + 4?")], session_id=session)

    seen = context_of(stage.sandbox.journal.turns[-1])
    assert [one.text for one in seen if one.role == "user"][-2:] == ["And 3 + 3?", "And 4 + 4?"]
    assert {stage.world.facts(reply)["session_id"] for reply in (first, second)} == {session}
    assert stage.world.pointer(first) is None


def test_a_history_too_long_to_replay_is_refused_whole(stage: Stage, overflow: type[Exception]) -> None:
    """It is the framework's own error for it, it comes before anything is sent, and nothing is cut."""
    long = [*stage.edited(HUMAN, "x" * 19_900)]
    watch = Watch(stage.sandbox)
    with pytest.raises(overflow, match="Trim or summarise"):
        stage.ask(long)
    assert watch.turns == []


@pytest.fixture
def overflow(world: World) -> type[Exception]:
    if world.name == "langchain":
        from langchain_core.exceptions import ContextOverflowError
    else:
        from llamaindex_rivya import ContextOverflowError
    return ContextOverflowError


def test_a_cached_reply_points_nowhere(sandbox: Sandbox) -> None:
    """LangChain's cache gives one conversation's reply to another one; it is a text and not a session."""
    from langchain_core.caches import InMemoryCache
    from langchain_world import LangChainWorld

    world = LangChainWorld()
    model = world.model(sandbox, session_ledger=MemoryLedger(), cache=InMemoryCache())
    question = [world.human("Hello!")]
    first, cached = model.invoke(question), model.invoke(question)
    world.close()

    assert len(sandbox.journal.turns) == 1
    assert world.pointer(first)
    assert world.pointer(cached) is None
    watch = Watch(sandbox)
    talk = [*question, cached, world.human("And now?")]
    assert world.route(model.invoke(talk)) == "replay"
    assert context_of(watch.only()) == world.transcript(talk)


def test_merged_messages_are_another_history(sandbox: Sandbox) -> None:
    """LangChain's `merge_message_runs` keeps the first reply's metadata on two replies' text."""
    from langchain_core.messages import merge_message_runs
    from langchain_world import LangChainWorld

    world = LangChainWorld()
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk: Messages = [world.human("Hello!")]
    talk = [*talk, model.invoke(talk), world.assistant("And another thing."), world.human("Yes?")]
    world.close()
    merged = merge_message_runs(talk)
    watch = Watch(sandbox)
    assert world.route(model.invoke(merged)) == "replay"
    assert context_of(watch.only()) == world.transcript(merged)
