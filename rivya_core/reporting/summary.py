"""What calls cost, and what happened to their sessions, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from rivya_core.reporting.costs import Cost
from rivya_core.reporting.lanes import strands_of
from rivya_core.reporting.steps import Step, shortened

ID = 16
"""Characters of a session's id that are shown."""


def add_up(by_model: Mapping[str, Cost]) -> Cost:
    """Return the total cost of all models."""
    return reduce(Cost.__add__, by_model.values(), Cost())


def summary(by_model: Mapping[str, Cost], limit: float | None = None) -> str:
    """Return the cost of all calls in one line."""
    total = add_up(by_model)
    bound = " credit" if total.credits == 1 else " credits"
    bound = bound if limit is None else f" of {limit:,.10g} credits"
    spent = total.credits_text + bound if total.priced_calls or not total.calls else "credits not reported"
    unpriced = total.calls - total.priced_calls
    rest = f", {unpriced:,} of them without reported credits" if unpriced and total.priced_calls else ""
    return f"{spent} in {_counted(total.calls, 'call')}{rest}"


def credits_table(by_model: Mapping[str, Cost], limit: float | None = None) -> str:
    """Return the cost of all calls and of each model."""
    names = {model: shortened(model) for model in by_model}
    width = max([len("model"), *map(len, names.values())])
    head = f"  {'model':<{width}}  {'credits':>12}  {'calls':>6}  {'tokens in':>10}  {'out':>8}"
    rows = (
        f"  {names[model]:<{width}}  {cost.credits_text:>12}  {cost.calls:>6,}  {cost.input_tokens:>10,}  "
        f"{cost.output_tokens:>8,}"
        for model, cost in by_model.items()
    )
    return "\n".join([summary(by_model, limit), *((head, *rows) if by_model else ())])


def timeline_table(steps: Sequence[Step]) -> str:
    """Return one line for each call: how it was sent, which call it continues, its cost and its message."""
    if not steps:
        return "No calls."
    head = (
        f"{'':>3}  {'sent as':<8}  {'from':>4}  {'session':<{ID}}  {'credits':>12}  {'tokens in':>9}  {'out':>6}  asked"
    )
    before: dict[int, int] = {}
    lines = []
    for row, (step, strand) in enumerate(zip(steps, strands_of(steps), strict=True)):
        lines.append(_line(row + 1, step, before.get(strand.first, strand.fork)))
        before[strand.first] = row
    return "\n".join([head, *lines])


def _line(number: int, step: Step, origin: int | None) -> str:
    came_from = "" if origin is None or not step.route else str(origin + 1)
    session = shortened(step.session or "-")[:ID]
    return (
        f"{number:>3}  {shortened(step.route or 'whole'):<8}  {came_from:>4}  {session:<{ID}}  "
        f"{step.cost.credits_text:>12}  {step.cost.input_tokens:>9,}  {step.cost.output_tokens:>6,}  {step.asked}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
