"""The three figures of random conversations, and what they are counted from."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from transcript_reader import Seen


@dataclass
class Birth:
    """A reply as it was given: what its model had seen then, and whether nothing has happened to its session since."""

    transcript: list[Seen]
    pointer: Any
    model: str
    session: str
    live: bool = True


@dataclass
class Call:
    """One call, for the bill: how many turns it may have cost."""

    at_least: int
    at_most: int
    what: str


@dataclass
class Figures:
    """What was counted, and what went wrong."""

    context: Counter[bool] = field(default_factory=Counter)
    charged: Counter[bool] = field(default_factory=Counter)
    reused: Counter[bool] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, which: str, good: bool, what: str) -> None:
        getattr(self, which)[good] += 1
        if not good and len(self.faults) < 20:
            self.faults.append(f"{which}: {what}")

    def add(self, other: Figures) -> None:
        for name in ("context", "charged", "reused", "operations"):
            getattr(self, name).update(getattr(other, name))
        self.faults += other.faults

    @property
    def perfect(self) -> bool:
        return not (self.context[False] or self.charged[False] or self.reused[False])

    def __str__(self) -> str:
        def share(counted: Counter[bool]) -> str:
            return f"{100 * counted[True] / (counted.total() or 1):6.2f} % of {counted.total():6,d}"

        return (
            f"context equal {share(self.context)} · charged once {share(self.charged)} · "
            f"plain continuations in their session {share(self.reused)}"
        )


def normal(seen: list[Seen]) -> list[Seen]:
    """The same transcript, with the arguments of calls in one form and without the names that replies were given."""
    return [
        replace(
            one,
            name=None if one.role == "assistant" else one.name,
            calls=tuple((id_, name, json.dumps(json.loads(text))) for id_, name, text in one.calls),
        )
        for one in seen
    ]
