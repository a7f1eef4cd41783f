"""One call as a timeline and the credits handlers show it: what it asked, where it went, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_core.reporting.costs import Cost, cost_of, reserved_for
from rivya_core.types import ChatDelta

LABEL = 60
"""Characters of a message that are shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        asked: The beginning of the message that it answers.
        route: `new`, `continue`, `replay` or `pinned`; None where there are no sessions.
        session: The session that it went to, if there is one.
        model: Who answered.
        cost: Its credits and tokens.
        reserved: Credits that the provider reserved for it, if it says.
        id: The reply's id.
        after: Id of the reply that it went on from, where the API says so instead of naming a session.
    """

    asked: str
    route: str | None
    session: str | None
    model: str
    cost: Cost
    id: str = ""
    after: str | None = None
    reserved: float | None = None


def step(facts: Mapping[str, Any], usage: Mapping[str, Any] | None, asked: str) -> Step:
    """Return one call from what its reply's metadata say.

    Args:
        facts: The metadata; nothing in them is trusted.
        usage: Tokens, as `cost_of` takes them.
        asked: The message that it answered.
    """
    route, session, after = (facts.get(name) for name in ("session_route", "session_id", "previous_response_id"))
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


def step_of(reply: ChatDelta, asked: str) -> Step:
    """Return one call from its reply."""
    return step(reply.metadata, tokens_of(reply), asked)


def tokens_of(reply: ChatDelta) -> dict[str, int] | None:
    """Return the tokens of a call, as `cost_of` takes them."""
    usage = reply.usage
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens} if usage else None


def shortened(text: str) -> str:
    """Return the beginning of *text*, in one line."""
    line = " ".join(text[: 4 * LABEL].split())
    return line if len(line) <= LABEL else line[: LABEL - 1] + "…"
