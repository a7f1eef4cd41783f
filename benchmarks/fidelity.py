"""Does the model see the messages that the caller passes, and are they paid once?

The same situations for `ChatRivya` on the sandbox, and for `ChatOpenAICompatible` and `ChatOpenAI`, both with
`use_previous_response_id=True`, on a Responses API in miniature. Each row is one call, judged by what the server's model saw for it: `context` says whether that was
the caller's list, `once` whether it was charged exactly once if it was answered, and at most once if not.
"""

from __future__ import annotations

import warnings
from typing import Any

from _responses import Responses, Said, serving_responses
from _scenes import SCENES, Scene, Side
from langchain_core.messages import AIMessage

from rivya_sandbox import Fault, Sandbox, serve
from rivya_sandbox.model.transcript import unfold

ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}


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


class OnResponses(Side):
    """Either chat model on the Responses API in miniature."""

    def __init__(self, responses: Responses) -> None:
        self.responses = responses

    def another_account(self) -> Any:
        return self.model(api_key="sk-two-key")

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


class OursOnResponses(OnResponses):
    name = "ours, Responses"

    def model(self, **fields: Any) -> Any:
        from langchain_rivya import ChatOpenAICompatible

        fields = {"model": "gpt-5.2", "api_key": "sk-one-key", **fields}
        return ChatOpenAICompatible(base_url=self.responses.url, use_previous_response_id=True, **fields)

    def spoil(self, reply: AIMessage) -> AIMessage:
        pointer = {**reply.response_metadata["rivya_session"], "session_id": 7}
        return reply.model_copy(update={"response_metadata": {**reply.response_metadata, "rivya_session": pointer}})


class Theirs(OnResponses):
    name = "ChatOpenAI"

    def model(self, **fields: Any) -> Any:
        from langchain_openai import ChatOpenAI

        fields = {"model": "gpt-5.2", "api_key": "sk-one-key", **fields}
        return ChatOpenAI(base_url=self.responses.url, use_previous_response_id=True, **fields)

    def spoil(self, reply: AIMessage) -> AIMessage:
        return reply.model_copy(update={"response_metadata": {**reply.response_metadata, "id": 7}})


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
        sides = [Ours(sandbox), OursOnResponses(responses), Theirs(responses)]
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
