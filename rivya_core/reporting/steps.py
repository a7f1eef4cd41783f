"""One call in a timeline: its message, its session and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rivya_core.reporting.costs import Cost, cost_of, reserved_for
from rivya_core.types import ChatDelta, Message

LABEL = 60
"""Number of characters of a message that are shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        asked: Start of the message that the call answers.
        route: `new`, `continue`, `replay` or `pinned`; None without sessions.
        session: Session that the call was sent to, if there is one.
        model: Model that answered.
        cost: Its credits and tokens.
        reserved: Credits that the provider reserved for it, if it says.
        id: The reply's id.
        after: Id of the reply that its history ends with, or of that reply's session; None for a first call.
    """

    asked: str
    route: str | None
    session: str | None
    model: str
    cost: Cost
    id: str = ""
    after: str | None = None
    reserved: float | None = None


def step(
    facts: Mapping[str, Any], usage: Mapping[str, Any] | None, asked: str, before: Mapping[str, Any] | None = None
) -> Step:
    """Return one call from what its reply's metadata say.

    Args:
        facts: The metadata; nothing in them is trusted.
        usage: Tokens, as `cost_of` takes them.
        asked: The message that it answered.
        before: What is known of the newest reply in its history: metadata, or a session pointer.
    """
    route, session = facts.get("session_route"), facts.get("session_id")
    after = facts.get("previous_response_id") or _name_of(before or {})
    return Step(
        asked=shortened(asked),
        route=route if isinstance(route, str) else None,
        session=session if isinstance(session, str) else None,
        model=str(facts.get("model_name") or facts.get("model") or "unknown"),
        cost=cost_of(facts.get("credits"), usage),
        id=str(facts.get("id") or ""),
        after=after if isinstance(after, str) else None,
        reserved=reserved_for(facts.get("credits")),
    )


def step_of(reply: ChatDelta, messages: Sequence[Message]) -> Step:
    """Return one call from its reply and the messages that it answers."""
    before = next((message.pointer for message in reversed(messages) if message.role == "assistant"), None)
    asked = messages[-1].text if messages else ""
    return step(reply.metadata, tokens_of(reply), asked, before if isinstance(before, Mapping) else None)


def facts_of(message: Any) -> Mapping[str, Any] | None:
    """Return the metadata of a reply, wherever its framework keeps them, or None for what is not a reply."""
    for name in ("response_metadata", "raw", "additional_kwargs"):
        facts = getattr(message, name, None)
        if isinstance(facts, Mapping) and ("session_route" in facts or "finish_reason" in facts or "credits" in facts):
            return facts
    return None


def newest_facts(messages: Sequence[Any]) -> Mapping[str, Any] | None:
    """Return the metadata of the newest reply in a framework's messages."""
    return next((facts for message in reversed(messages) if (facts := facts_of(message)) is not None), None)


def tokens_of(reply: ChatDelta) -> dict[str, int] | None:
    """Return the tokens of a call, as `cost_of` takes them."""
    usage = reply.usage
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens} if usage else None


def shortened(text: str) -> str:
    """Return the beginning of *text* in one line, without characters that would steer a terminal."""
    printable = "".join(each if each.isprintable() else " " for each in text[: 4 * LABEL])
    line = " ".join(printable.split())
    return line if len(line) <= LABEL else line[: LABEL - 1] + "…"


def _name_of(facts: Mapping[str, Any]) -> str | None:
    """The id of a reply, or of its session where the reply has none."""
    names = (facts.get(name) for name in ("reply_id", "id", "session_id"))
    return next((name for name in names if isinstance(name, str) and name), None)
