"""Credits and tokens spent, by model and by run, and a limit that is checked before each call.

The credit handlers of both frameworks are thin layers over this tracker. It is safe to use from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from rivya_core.errors import ConfigurationError, CreditLimitError


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one or more calls.

    Attributes:
        calls: Number of calls that ended.
        credits: Credits charged, if the provider reports them.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        priced_calls: Number of calls whose reply reports its credits.
    """

    calls: int = 0
    credits: float = 0
    input_tokens: int = 0
    output_tokens: int = 0
    priced_calls: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    @property
    def credits_text(self) -> str:
        """The credits as text, or `not reported` if no reply reports them."""
        return f"{self.credits:,.10g}" if self.priced_calls or not self.calls else "not reported"

    def __add__(self, other: Cost) -> Cost:
        """Return the sum of both."""
        return replace(
            self,
            calls=self.calls + other.calls,
            credits=self.credits + other.credits,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            priced_calls=self.priced_calls + other.priced_calls,
        )


class CostTracker:
    """Adds up the cost of calls.

    A call that is under way counts with what the provider reserves for it: the amount that the model's last reply
    named, or an assumed one before there is any. So a limit holds for calls at the same time, too.

    Args:
        limit: Most credits to spend; None for no limit.
    """

    def __init__(self, limit: float | None = None) -> None:
        if limit is not None and (not isinstance(limit, (int, float)) or not limit >= 0):
            raise ConfigurationError(f"`limit` must be a number of credits, 0 or more, or None, not {limit!r}.")
        self.limit = limit
        self.total = Cost()
        self.by_model: dict[str, Cost] = {}
        self.by_run: dict[str, Cost] = {}
        self._reserved = 0.0
        self._reservations: dict[str, float] = {}
        self._tasks: dict[str, float] = {}
        self._counted: set[str] = set()
        self._lock = Lock()

    def check(self) -> None:
        """Refuse the next call if the limit is reached.

        Raises:
            CreditLimitError: The credits spent, with those of the calls under way, reach the limit.
        """
        with self._lock:
            self._check()

    def start(self, model: str, assumed: float) -> float:
        """Count a call that begins, and return what it holds back; `release` gives that back.

        Args:
            model: Model of the call.
            assumed: Credits to reserve until a reply of the model says what the provider reserves.

        Raises:
            CreditLimitError: The credits spent, with those of the calls under way, reach the limit.
        """
        with self._lock:
            self._check()
            held = self._reservations.get(model, assumed)
            self._reserved += held
            return held

    def correct(self, model: str, held: float, reserved: float) -> None:
        """Replace what a call has *held* back by what the provider reserved, and remember that for the next one."""
        with self._lock:
            self._reserved = max(0.0, self._reserved + reserved - held)
            self._reservations[model] = reserved

    def release(self, held: float) -> None:
        """Release the credits that an ended call has reserved."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - held)

    def keep_for_task(self, task_id: str, held: float) -> None:
        """Keep an amount reserved after its call, until the task is counted or forgotten."""
        with self._lock:
            self._tasks[task_id] = self._tasks.get(task_id, 0.0) + held

    def forget_task(self, task_id: str) -> None:
        """Release the credits that are reserved for a task."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - self._tasks.pop(task_id, 0.0))

    def add(self, model: str, run: str, cost: Cost, reserved: float | None = None, *, reply: str | None = None) -> None:
        """Count a call that ended, and remember what the provider reserved for it.

        Args:
            model: Model of the call.
            run: Id of the call.
            cost: What it cost.
            reserved: What the provider reserved for it, if known.
            reply: Id of a reply that the provider charges once, however often it is returned under one idempotency
                key. Its credits count once.
        """
        with self._lock:
            if reply is not None and reply in self._counted:
                cost = replace(cost, credits=0)
            elif reply is not None:
                self._counted.add(reply)
            self._add(model, run, cost)
            if reserved is not None:
                self._reservations[model] = reserved

    def add_task(self, model: str, task_id: str, cost: Cost) -> None:
        """Count a task, once however often its result is read."""
        with self._lock:
            if task_id not in self._counted:
                self._counted.add(task_id)
                self._add(model, task_id, cost)
            self._reserved = max(0.0, self._reserved - self._tasks.pop(task_id, 0.0))

    def _add(self, model: str, run: str, cost: Cost) -> None:
        self.total += cost
        self.by_model[model] = self.by_model.get(model, Cost()) + cost
        self.by_run[run] = self.by_run.get(run, Cost()) + cost

    def _check(self) -> None:
        if self.limit is None or self.total.credits + self._reserved < self.limit:
            return
        under_way = f" and {self._reserved:g} are reserved for calls under way" if self._reserved else ""
        raise CreditLimitError(
            f"{self.total.credits:g} credits are spent{under_way}; the limit is {self.limit:g}. Nothing was sent."
        )


def reserved_for(credits_spent: Any) -> float | None:
    """Return what a reply says was reserved for its call (`{"reserved": n, "final": n}`), or None."""
    reserved = credits_spent.get("reserved") if isinstance(credits_spent, Mapping) else None
    return reserved if isinstance(reserved, (int, float)) and not isinstance(reserved, bool) else None


def cost_of(credits_spent: Any, usage: Mapping[str, Any] | None) -> Cost:
    """Return the cost of one call from the metadata of its reply.

    Args:
        credits_spent: `{"reserved": n, "final": n}`, a number, or None.
        usage: An object with `input_tokens` and `output_tokens` or OpenAI's names for them, or None.
    """
    final = credits_spent.get("final") if isinstance(credits_spent, Mapping) else credits_spent
    spent = final if isinstance(final, (int, float)) and not isinstance(final, bool) else None
    counts = usage or {}
    inputs = counts.get("input_tokens") or counts.get("prompt_tokens") or 0
    outputs = counts.get("output_tokens") or counts.get("completion_tokens") or 0
    return Cost(1, spent or 0, inputs, outputs, priced_calls=int(spent is not None))
