"""Who answers a completion request: the script, the stand-in with its tools and forms, or the user's own model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from rivya_sandbox.model.json_answers import conforming
from rivya_sandbox.model.scripts import heard
from rivya_sandbox.model.stand_in import StandIn
from rivya_sandbox.model.tool_choice import decide, findings
from rivya_sandbox.model.upstream import Upstream
from rivya_sandbox.openai.completions import Call, Completion
from rivya_sandbox.values import count_tokens

if TYPE_CHECKING:
    from rivya_sandbox.openai.orders import Order
    from rivya_sandbox.sandbox import Sandbox
    from rivya_sandbox.values import Answer

CHARACTERS = 4
"""Of a token."""


async def answer(box: Sandbox, order: Order) -> Completion:
    """The answer to an order. What is scripted is said as it stands; anything else ends where the order says."""
    line = box.speaker.scripted()
    if line is not None:
        return completion(await asyncio.to_thread(heard, line, order.context))
    if isinstance(box.speaker.model, StandIn):
        return shortened(stand_in(box.speaker.model, order), order)
    if isinstance(model := box.speaker.model, Upstream):
        return completion(await asyncio.to_thread(heard, lambda _: model.complete(order), order.context))
    said, _ = await box.speaker.answer(order.context)
    return shortened(completion(said), order)


def completion(said: Answer) -> Completion:
    """An answer as a completion."""
    return said if isinstance(said, Completion) else Completion(said.text, said.thoughts)


def stand_in(model: StandIn, order: Order) -> Completion:
    """What the stand-in says: calls, a JSON text, or words."""
    said = model(order.context)
    thoughts = said.thoughts if order.thinks else ""
    calls = decide(order)
    if calls:
        return Completion("", thoughts, calls)
    if order.schema is not None:
        return Completion(conforming(order.schema, said_by_user(order)), thoughts)
    found = findings(order.context)
    if len(found) > 1 or (found and order.context[-1].role == "tool"):
        said_it = "The tool answered: " if len(found) == 1 else "The tools answered: "
        return Completion(said_it + "; ".join(found), thoughts)
    return Completion(said.text, thoughts)


def said_by_user(order: Order) -> str:
    """The user's newest message, with what tools said since; the instructions where there is neither."""
    asked = next((message.text for message in reversed(order.context) if message.role == "user"), "")
    return "\n".join([asked or order.context[-1].text, *findings(order.context)])


def shortened(said: Completion, order: Order) -> Completion:
    """The answer up to its first stop text and inside its limit."""
    text, reason = said.text, said.finish_reason
    cuts = [place for stop in order.stops if stop and (place := text.find(stop)) >= 0]
    if cuts:
        text = text[: min(cuts)]
    limit = order.limit
    if limit is None:
        return replace(said, text=text)
    if count_tokens(text) > limit:
        text, reason = text[: limit * CHARACTERS], "length"
    calls: list[Call] = []
    room = limit * CHARACTERS
    for call in said.calls:
        if len(call.text) > room:
            calls, reason = [*calls, replace(call, arguments=call.text[:room])], "length"
            break
        calls, room = [*calls, call], room - len(call.text)
    return replace(said, text=text, calls=tuple(calls), finish_reason=reason)
