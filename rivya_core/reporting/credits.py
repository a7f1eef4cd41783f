"""What both frameworks' credits handlers show of the calls that they counted."""

from __future__ import annotations

from rivya_core.reporting.costs import Cost, CostTracker
from rivya_core.reporting.steps import Step
from rivya_core.reporting.timeline import SessionTimeline
from rivya_core.reporting.timeline_html import credits_html


class CreditsReportMixin:
    """Beside a framework's own handler class; what a call is and when it ends is told there."""

    _tally: CostTracker
    _steps: list[Step]

    def _begin(self, limit: float | None) -> None:
        self._tally, self._steps = CostTracker(limit), []

    def _add(self, run: str, done: Step) -> None:
        self._tally.add(done.model, run, done.cost)
        self._steps.append(done)

    @property
    def credits(self) -> float:
        """Credits spent so far."""
        return self._tally.total.credits

    @property
    def total(self) -> Cost:
        """Calls, credits and tokens so far."""
        return self._tally.total

    @property
    def by_model(self) -> dict[str, Cost]:
        """The same for each model."""
        return dict(self._tally.by_model)

    @property
    def by_run(self) -> dict[str, Cost]:
        """The same for each run: LangChain's run ids; in LlamaIndex the provider's ids of replies and image tasks."""
        return dict(self._tally.by_run)

    @property
    def timeline(self) -> SessionTimeline:
        """Which of the calls continued a session, forked or replayed, and what each cost."""
        return SessionTimeline.of(self._steps)

    def _repr_html_(self) -> str:
        return credits_html(self.by_model, self._tally.limit)
