"""Does the model see the messages that the caller passes, and are they paid once?

The same situations for `ChatRivya` on the sandbox and for `ChatOpenAI(use_previous_response_id=True)` on a Responses
API in miniature. Each row is one call, judged by what the server's model saw for it: `context` says whether that was
the caller's list, `once` whether it was charged exactly once if it was answered, and at most once if not.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from _responses import Responses, Said, serving_responses
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage, merge_message_runs

from rivya_sandbox import Fault, Sandbox, serve
from rivya_sandbox.transcript import unfold

Messages = list[BaseMessage]
ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}


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


class Ours(Side):
    name = "ChatRivya"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.add_key("rvya_sk_another", account="another")

    def model(self, **fields: Any) -> Any:
        from langchain_rivya import ChatRivya

        fields.setdefault("api_key", self.sandbox.api_key)
        return ChatRivya(base_url=self.sandbox.rivya_url, **fields)

    def another_account(self) -> Any:
        return self.model(api_key="rvya_sk_another")

    def another_model(self) -> Any:
        return self.model(model="gemini-2-5-flash-chat")

    def turns(self) -> list[tuple[str, list[Said], bool]]:
        return [
            (turn.id, [(one.role, one.text) for one in unfold(turn.context)], turn.charged > 0)
            for turn in self.sandbox.journal.turns
        ]

    def lose_answers(self, count: int) -> None:
        self.sandbox.fault(Fault("/chat/completions", drop="after", times=count))

    def cut_stream(self) -> None:
        self.sandbox.fault(Fault("/chat/completions/stream", cut=3))

    def lose_sessions(self) -> None:
        self.sandbox.fault(Fault("/chat/completions", code="not_found"))

    def spoil(self, reply: AIMessage) -> AIMessage:
        pointer = {**reply.response_metadata["rivya_session"], "session_id": 7}
        return reply.model_copy(update={"response_metadata": {**reply.response_metadata, "rivya_session": pointer}})


class Theirs(Side):
    name = "ChatOpenAI"

    def __init__(self, responses: Responses) -> None:
        self.responses = responses

    def model(self, **fields: Any) -> Any:
        from langchain_openai import ChatOpenAI

        fields = {"model": "gpt-5.2", "api_key": "sk-one", **fields}
        return ChatOpenAI(base_url=self.responses.url, use_previous_response_id=True, **fields)

    def another_account(self) -> Any:
        return self.model(api_key="sk-two")

    def another_model(self) -> Any:
        return self.model(model="gpt-5.2-mini")

    def turns(self) -> list[tuple[str, list[Said], bool]]:
        return [(one.id, one.context, True) for one in self.responses.all.values()]

    def lose_answers(self, count: int) -> None:
        self.responses.drop = count

    def cut_stream(self) -> None:
        self.responses.cut = True

    def lose_sessions(self) -> None:
        self.responses.forget()

    def spoil(self, reply: AIMessage) -> AIMessage:
        return reply.model_copy(update={"response_metadata": {**reply.response_metadata, "id": 7}})


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
    return model, [*talk, AIMessage(partial.text, response_metadata=partial.response_metadata), HumanMessage("Go on.")]


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
    return model, [*talk, AIMessage(whole.text, response_metadata=whole.response_metadata), HumanMessage("Go on.")]


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
    "after a stream that broke off": stream_cut,
    "after a hit in the cache": cached,
    "messages merged": merged,
    "two tool results": tools_used,
    "answer lost on the way": answer_lost,
}


def judged(side: Side, scene: Scene) -> tuple[bool, bool, str]:
    """Whether the context was the caller's and it was paid once, and what else happened."""
    model, talk = scene(side)
    before, error, reply = len(side.turns()), "", None
    try:
        reply = model.invoke(talk)
    except Exception as exc:  # noqa: BLE001 - any error is a result here
        error = type(exc).__name__
    after = side.turns()
    paid = sum(charged for _, _, charged in after[before:])
    if reply is None:
        return False, paid <= 1, f"{side.name}: {error}"
    saw = next(context for name, context, _ in after if name == reply.response_metadata["id"])
    meant = [(ROLES.get(one.type, one.type), one.text) for one in talk]
    return saw == meant, paid == 1, "" if paid == 1 else f"{side.name}: paid {paid} times"


def main() -> None:
    warnings.simplefilter("ignore")
    with serve() as sandbox, serving_responses() as responses:
        sides = [Ours(sandbox), Theirs(responses)]
        scores = {side.name: [0, 0] for side in sides}
        print(f"{'':36}" + "".join(f"{side.name:>22}" for side in sides))
        print(f"{'':36}" + f"{'context   once':>22}" * len(sides))
        for title, scene in SCENES.items():
            cells, happened = "", ""
            for side in sides:
                right, once, what = judged(side, scene)
                scores[side.name][0] += right
                scores[side.name][1] += once
                cells += f"{'yes' if right else 'NO':>15}{'yes' if once else 'NO':>7}"
                happened += f"{what} " if what else ""
            print(f"{title:36}{cells}   {happened}")
        total = len(SCENES)
        print(f"{'':36}" + "".join(f"{f'{a}/{total}':>15}{f'{b}/{total}':>7}" for a, b in scores.values()))


if __name__ == "__main__":
    main()
