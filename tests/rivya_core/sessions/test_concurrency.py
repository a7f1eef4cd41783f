"""Many calls at once, and calls that are left: no call gets the session of another one, and nothing is trusted blindly."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oracle import Watch, context_of, turn_of
from worlds import World

from rivya_core.sessions.ledger import Ledger, MemoryLedger
from rivya_sandbox import Fault, Sandbox

CROWDS = ("threads", "tasks", "streaming threads", "streaming tasks", "batch", "abatch")
LEAVINGS = World.leavings


def begun(world: World, model: Any, text: str = "one") -> list[Any]:
    """A conversation after its first turn, with the next question."""
    talk = [world.human(text)]
    return [*talk, world.ask(model, talk), world.human("two")]


@pytest.mark.parametrize("how", CROWDS)
def test_of_many_continuations_one_continues(world: World, sandbox: Sandbox, how: str) -> None:
    """The others are forks: they replay, and all see the same messages and are paid once."""
    if how not in world.crowds:
        pytest.skip(f"{world.name} has no {how}")
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk = begun(world, model)
    watch = Watch(sandbox)
    sandbox.fault(Fault("/chat/completions", delay=0.01, times=None))
    replies = world.crowd(model, talk, 6, how)

    assert sorted(map(world.route, replies)) == ["continue", *["replay"] * 5]
    assert [context_of(turn) for turn in watch.turns] == [world.transcript(talk)] * 6
    assert watch.charged == 6
    assert len({world.facts(reply)["session_id"] for reply in replies}) == 6


def test_each_ledger_lets_one_continue(world: World, sandbox: Sandbox, ledger: Ledger) -> None:
    """Also where the claim is made on a disk or in another process."""
    model = world.model(sandbox, session_ledger=ledger)
    talk = begun(world, model)

    for how in ("threads", "tasks"):
        replies = world.crowd(model, talk, 4, how)
        assert [world.route(reply) for reply in replies].count("continue") == 1
        talk = [*talk, next(reply for reply in replies if world.route(reply) == "continue"), world.human("next")]


def test_conversations_on_one_model_do_not_meet(world: World, sandbox: Sandbox) -> None:
    """Eight conversations of four turns, all at once, sync and async, whole and streamed."""
    model = world.model(sandbox, session_ledger=MemoryLedger())
    watch = Watch(sandbox)

    def talk_sync(number: int) -> list[str]:
        talk, routes = [world.system(f"You are number {number}.")], []
        for turn in range(4):
            talk.append(world.human(f"{number}: {turn}"))
            talk.append(world.ask(model, talk, ("invoke", "stream")[turn % 2]))
            routes.append(world.route(talk[-1]))
        return routes

    async def talk_async(number: int) -> list[str]:
        talk, routes = [world.system(f"You are number {number}.")], []
        for turn in range(4):
            talk.append(world.human(f"{number}: {turn}"))
            talk.append(await (world.acollected if turn % 2 else world.awhole)(model, talk))
            routes.append(world.route(talk[-1]))
        return routes

    async def together() -> list[list[str]]:
        return list(await asyncio.gather(*(talk_async(number) for number in range(4, 8))))

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(talk_sync, number) for number in range(4)]
        routes = [*world.run(together()), *(one.result() for one in running)]

    assert routes == [["new", "continue", "continue", "continue"]] * 8
    assert len({turn.session_id for turn in watch.turns}) == 8
    for turn in watch.turns:
        system, *rest = context_of(turn)
        number = system.text.split()[-1].strip(".")
        assert {seen.text.split(":")[0] for seen in rest if seen.role == "user"} == {number}


def test_accounts_and_models_do_not_meet(world: World, sandbox: Sandbox) -> None:
    """The same reply, asked on by two accounts and two models at once, is continued by its own alone."""
    sandbox.add_key("rvya_sk_second", account="second")
    ledger = MemoryLedger()
    models = [
        world.model(sandbox, session_ledger=ledger),
        world.model(sandbox, session_ledger=ledger, api_key="rvya_sk_second"),
        world.model(sandbox, session_ledger=ledger, model="gemini-2-5-flash-chat"),
    ]
    talk = begun(world, models[0])
    watch = Watch(sandbox)
    with ThreadPoolExecutor(3) as threads:
        replies = list(threads.map(lambda model: world.ask(model, talk), models))

    assert [world.route(reply) for reply in replies] == ["continue", "replay", "replay"]
    assert [context_of(turn) for turn in watch.turns] == [world.transcript(talk)] * 3


@pytest.mark.parametrize("abandoned", ["keep", "partial", "discard"])
@pytest.mark.parametrize("how", LEAVINGS)
def test_a_turn_that_was_left_is_not_continued(world: World, sandbox: Sandbox, how: str, abandoned: Any) -> None:
    """Closed, dropped, raised or cancelled: the model of the next turn sees the list and nothing else."""
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk = begun(world, model)
    sandbox.abandoned = abandoned
    sandbox.answer("a reply of several words that comes in several pieces")
    whole = how == "cancel whole"  # not while connecting: on Python 3.10 a connection that opens eats the cancellation
    sandbox.fault(Fault("/chat/completions", delay=0.2 if whole else 0.0, pace=0.005))

    assert world.leave(model, talk, 40 if whole else 2, how)
    sandbox.faults.clear()
    reply = world.ask(model, talk)
    assert world.route(reply) == "replay"
    assert context_of(turn_of(sandbox, world.facts(reply)["id"])) == world.transcript(talk)
    assert world.route(world.ask(model, [*talk, reply, world.human("three")])) == "continue"


def test_a_stream_that_is_read_to_its_end_is_continued(world: World, sandbox: Sandbox) -> None:
    """Closing it after its last chunk leaves nothing in doubt."""
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk = begun(world, model)
    stream = world.chunks(model, talk)
    chunks = list(stream)
    stream.close()  # type: ignore[attr-defined]

    reply = world.merged(chunks)
    assert world.route(world.ask(model, [*talk, reply, world.human("three")])) == "continue"


def test_a_stream_that_nobody_began_to_read_sends_nothing(world: World, sandbox: Sandbox) -> None:
    """A turn begins with its first chunk; before that the session is as it was."""
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk = begun(world, model)
    watch = Watch(sandbox)
    world.chunks(model, talk).close()  # type: ignore[attr-defined]

    assert watch.turns == []
    assert world.route(world.ask(model, talk)) == "continue"


def test_an_exception_in_a_callback_leaves_the_stream(sandbox: Sandbox) -> None:
    """A handler that raises ends a LangChain stream in the middle."""
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_world import LangChainWorld

    class Objects(BaseCallbackHandler):
        raise_error = True

        def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            raise RuntimeError("no more")

    world = LangChainWorld()
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk = begun(world, model)
    with pytest.raises(RuntimeError, match="no more"):
        list(model.stream(talk, config={"callbacks": [Objects()]}))
    world.close()

    watch = Watch(sandbox)
    assert world.route(model.invoke(talk)) == "replay"
    assert context_of(watch.only()) == world.transcript(talk)


def test_event_loops_come_and_go(world: World, sandbox: Sandbox) -> None:
    """A conversation over several `asyncio.run`s continues its session."""
    model = world.model(sandbox, session_ledger=MemoryLedger())
    talk, routes = [], []
    for number in range(4):
        talk.append(world.human(f"{number}"))
        talk.append(asyncio.run((world.acollected if number % 2 else world.awhole)(model, list(talk))))
        routes.append(world.route(talk[-1]))

    assert routes == ["new", "continue", "continue", "continue"]
