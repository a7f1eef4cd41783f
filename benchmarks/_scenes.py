"""The situations of `fidelity.py`: each prepares a model and the messages that are sent next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from _responses import Said
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage, merge_message_runs

Messages = list[BaseMessage]


class Side(ABC):
    """One integration and its server."""

    name: str

    @abstractmethod
    def model(self, **fields: Any) -> Any: ...
    @abstractmethod
    def another_account(self) -> Any: ...
    @abstractmethod
    def another_model(self) -> Any: ...
    @abstractmethod
    def turns(self) -> list[tuple[str, list[Said], bool]]:
        """Id, context and whether it was charged, of every turn so far."""

    @abstractmethod
    def lose_answers(self, count: int) -> None: ...
    @abstractmethod
    def cut_stream(self) -> None: ...
    @abstractmethod
    def lose_sessions(self) -> None: ...
    @abstractmethod
    def spoil(self, reply: AIMessage) -> AIMessage:
        """The reply with nonsense for an id."""


def begun(model: Any, turns: int = 1) -> Messages:
    """A conversation after so many turns, with the next question."""
    talk: Messages = [SystemMessage("Be terse."), HumanMessage("My name is Ann.")]
    for number in range(turns):
        talk += [model.invoke(talk), HumanMessage(f"Question {number}?")]
    return talk


Scene = Callable[[Side], tuple[Any, Messages]]
"""Prepares a situation: with which model which messages are sent next."""


def edited(talk: Messages, at: int, text: str) -> Messages:
    return [*talk[:at], talk[at].model_copy(update={"content": text}), *talk[at + 1 :]]


def plain(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, begun(model)


def system_changed(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, edited(begun(model), 0, "Be a pirate.")


def human_edited(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, edited(begun(model), 1, "My name is Bob.")


def reply_edited(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, edited(begun(model), 2, "I do not know you.")


def summarised(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, [SystemMessage("Ann introduced herself."), *begun(model, 2)[3:]]


def trimmed(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, begun(model, 2)[3:]


def regenerated(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    return model, begun(model)[:-1]


def forked(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model, 3)
    return model, [*talk[:3], HumanMessage("Something else?")]


def answered_by_another(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    return model, [*talk, AIMessage("I am another model."), HumanMessage("Who was that?")]


def other_account(side: Side) -> tuple[Any, Messages]:
    return side.another_account(), begun(side.model())


def other_model(side: Side) -> tuple[Any, Messages]:
    return side.another_model(), begun(side.model())


def nonsense(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    return model, [*talk[:2], side.spoil(talk[2]), *talk[3:]]


def metadata_lost(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    return model, [*talk[:2], AIMessage(talk[2].text), *talk[3:]]


def sessions_lost(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    side.lose_sessions()
    return model, talk


def stream_left(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    stream = model.stream(talk)
    said = [next(stream), next(stream), next(stream)]
    stream.close()
    partial = said[0] + said[1] + said[2]
    return model, [
        *talk,
        AIMessage(partial.text, response_metadata=partial.response_metadata),
        HumanMessage("Continue."),
    ]


def stream_cut(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    side.cut_stream()
    said = []
    try:
        said.extend(model.stream(talk))
    except Exception:  # noqa: BLE001 - whichever error it is, the partial reply is what the application kept
        assert said
    whole = said[0]
    for chunk in said[1:]:
        whole += chunk
    return model, [*talk, AIMessage(whole.text, response_metadata=whole.response_metadata), HumanMessage("Continue.")]


def cached(side: Side) -> tuple[Any, Messages]:
    model = side.model(cache=InMemoryCache())
    first = begun(model)
    model.invoke(first)
    return model, [*first[:2], model.invoke(first[:2]), HumanMessage("A second conversation.")]


def merged(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    return model, merge_message_runs([*talk[:3], AIMessage("And one more thing."), *talk[3:]])


def tools_used(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)[:3]
    calls = [{"id": f"call_{n}", "name": "look", "args": {}, "type": "tool_call"} for n in (1, 2)]
    results = [ToolMessage(f"found {n}", tool_call_id=f"call_{n}") for n in (1, 2)]
    return model, [*talk, HumanMessage("Look twice."), AIMessage("", tool_calls=calls), *results]


def answer_lost(side: Side) -> tuple[Any, Messages]:
    model = side.model()
    talk = begun(model)
    side.lose_answers(1)
    return model, talk


SCENES: dict[str, Scene] = {
    "plain second turn": plain,
    "system prompt changed": system_changed,
    "first human message edited": human_edited,
    "reply edited": reply_edited,
    "prefix replaced by a summary": summarised,
    "history trimmed": trimmed,
    "regenerate": regenerated,
    "fork from an earlier reply": forked,
    "another model answered in between": answered_by_another,
    "other account": other_account,
    "other model": other_model,
    "nonsense for an id in the metadata": nonsense,
    "metadata lost": metadata_lost,
    "session lost by the server": sessions_lost,
    "after a stream that was left": stream_left,
    "after a stream that ended early": stream_cut,
    "after a hit in the cache": cached,
    "messages merged": merged,
    "two tool results": tools_used,
    "answer lost on the way": answer_lost,
}
