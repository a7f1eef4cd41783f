"""The common base of both frameworks' credit handlers: how calls are counted and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.reporting.costs import Cost, CostTracker, cost_of
from rivya_core.reporting.credits_html import credits_html
from rivya_core.reporting.steps import Step
from rivya_core.reporting.summary import credits_table
from rivya_core.reporting.timeline import SessionTimeline

ASSUMED_RESERVATION = 3.0
"""Credits that Rivya's chat page shows as reserved for a call; used until a reply says what is."""


class CreditsReportMixin:
    """Mixin for a framework's handler class, which is called when a call begins and ends."""

    _costs: CostTracker
    _steps: list[Step]

    def _begin(self, limit: float | None) -> None:
        self._costs, self._steps = CostTracker(limit), []

    def _start(self, model: str, provider: str) -> float:
        """Reserve credits for a call; only Rivya's replies report credits."""
        return self._costs.start(model, ASSUMED_RESERVATION if provider == "rivya" else 0.0)

    def _add(self, run: str, done: Step) -> None:
        charged_once = done.id if done.session and done.id else None
        self._costs.add(done.model, run, done.cost, done.reserved, reply=charged_once)
        self._steps.append(done)

    def check(self) -> None:
        """Refuse the next call once the limit is reached.

        Raises:
            CreditLimitError: The credits spent, with those of the calls under way, reach the limit.
        """
        self._costs.check()

    def count_image(self, image: Mapping[str, Any]) -> None:
        """Count an image task, only once even if its image is read again."""
        model, task_id = str(image.get("model") or "unknown"), str(image.get("task_id"))
        self._costs.add_task(model, task_id, cost_of(image.get("credits"), None))

    @property
    def costs(self) -> CostTracker:
        """The tracker that adds up the calls."""
        return self._costs

    @property
    def credits(self) -> float:
        """Credits spent so far."""
        return self._costs.total.credits

    @property
    def total(self) -> Cost:
        """Calls, credits and tokens so far."""
        return self._costs.total

    @property
    def by_model(self) -> dict[str, Cost]:
        """The same for each model."""
        return dict(self._costs.by_model)

    @property
    def by_run(self) -> dict[str, Cost]:
        """The same for each run: replies by LangChain's or the provider's ids, images by their task ids."""
        return dict(self._costs.by_run)

    @property
    def timeline(self) -> SessionTimeline:
        """Which calls continued a session, forked or replayed, and what each cost."""
        return SessionTimeline.of(self._steps)

    def __repr__(self) -> str:
        """Return the text for a terminal."""
        return credits_table(self.by_model, self._costs.limit)

    def _repr_html_(self) -> str:
        return credits_html(self.by_model, self._costs.limit)
