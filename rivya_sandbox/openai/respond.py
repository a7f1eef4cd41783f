"""Asks the model for a completion, and cuts the reply where the request says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rivya_sandbox.model.stand_in import StandIn
from rivya_sandbox.model.upstream import Upstream
from rivya_sandbox.values import CHARACTERS_PER_TOKEN, Answer, Call, Completion, count_tokens

if TYPE_CHECKING:
    from rivya_sandbox.openai.chat_request import ChatRequest
    from rivya_sandbox.state import SandboxState


async def respond(state: SandboxState, chat: ChatRequest) -> Completion:
    """Return the reply. Scripted replies and those of another server, which knows the limits, are not cut."""
    answer, scripted = await state.runner.answer(chat.prompt)
    completion = as_completion(answer)
    if isinstance(state.runner.model, StandIn) and not scripted and not chat.reasons:
        completion = replace(completion, reasoning="")
    if scripted or isinstance(state.runner.model, Upstream):
        return completion
    return cut(completion, chat)


def as_completion(answer: Answer) -> Completion:
    """Return an answer as a completion."""
    return answer if isinstance(answer, Completion) else Completion(answer.text, answer.reasoning)


def cut(completion: Completion, chat: ChatRequest) -> Completion:
    """Cut a reply at its first stop text and at its limit."""
    text, reason = completion.text, completion.finish_reason
    cuts = [place for stop in chat.stop if stop and (place := text.find(stop)) >= 0]
    if cuts:
        text = text[: min(cuts)]
    limit = chat.prompt.max_tokens
    if limit is None:
        return replace(completion, text=text)
    if count_tokens(text) > limit:
        text, reason = text[: limit * CHARACTERS_PER_TOKEN], "length"
    calls: list[Call] = []
    left = limit * CHARACTERS_PER_TOKEN
    for call in completion.calls:
        if len(call.text) > left:
            calls, reason = [*calls, replace(call, arguments=call.text[:left])], "length"
            break
        calls, left = [*calls, call], left - len(call.text)
    return replace(completion, text=text, calls=tuple(calls), finish_reason=reason)
