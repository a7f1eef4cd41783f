"""Credits and tokens spent, by model and by run, and a limit that stops before the next call.

The frameworks' credit handlers are thin shells round this tally; it is safe to use from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from rivya_core.errors import CreditLimitError


@dataclass(frozen=True, slots=True)
class Cost:
    """What some calls cost.

    Attributes:
        calls: Number of calls that ended.
        credits: Credits charged, where the provider says.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
    """

    calls: int = 0
    credits: float = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: Cost) -> Cost:
        """Return both together."""
        return replace(
            self,
            calls=self.calls + other.calls,
            credits=self.credits + other.credits,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class CostTracker:
    """Adds up what calls cost.

    Args:
        limit: Credits after which `check` refuses the next call; None for no limit.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.total = Cost()
        self.by_model: dict[str, Cost] = {}
        self.by_run: dict[str, Cost] = {}
        self._lock = Lock()

    def check(self) -> None:
        """Refuse the next call once the limit is reached.

        Raises:
            CreditLimitError: The credits spent so far reach the limit.
        """
        if self.limit is not None and self.total.credits >= self.limit:
            raise CreditLimitError(f"{self.total.credits:g} credits are spent and the limit is {self.limit:g}.")

    def add(self, model: str, run: str, cost: Cost) -> None:
        """Count a call that ended."""
        with self._lock:
            self.total = self.total.plus(cost)
            self.by_model[model] = self.by_model.get(model, Cost()).plus(cost)
            self.by_run[run] = self.by_run.get(run, Cost()).plus(cost)


def cost_of(credits_spent: Any, usage: Mapping[str, Any] | None) -> Cost:
    """Return the cost of one call from what its reply says.

    Args:
        credits_spent: `{"reserved": n, "final": n}`, a number, or None.
        usage: An object with `input_tokens` and `output_tokens` or OpenAI's names for them, or None.
    """
    final = credits_spent.get("final") if isinstance(credits_spent, Mapping) else credits_spent
    spent = final if isinstance(final, (int, float)) and not isinstance(final, bool) else 0
    counts = usage or {}
    inputs = counts.get("input_tokens") or counts.get("prompt_tokens") or 0
    outputs = counts.get("output_tokens") or counts.get("completion_tokens") or 0
    return Cost(1, spent, inputs, outputs)
