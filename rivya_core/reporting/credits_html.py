"""The credits chart as HTML for notebooks: a labelled bar for each model."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from rivya_core.reporting.costs import Cost
from rivya_core.reporting.html_table import CELL, NUMBER, SHORT, table
from rivya_core.reporting.summary import add_up, summary

BAR, THICKNESS = 100, 14
COLOUR = "#2a6fc9"


def credits_html(by_model: Mapping[str, Cost], limit: float | None = None) -> str:
    """Return a bar for each model: its credits, or its tokens where no call cost credits.

    Args:
        by_model: The cost of each model.
        limit: Credits of a full bar, if there is a limit.
    """
    headline = f"<b>{escape(summary(by_model, limit))}</b>"
    if not by_model:
        return f'<div style="font-size:13px">{headline}</div>'
    in_credits = bool(add_up(by_model).credits)
    amounts = {name: cost.credits if in_credits else cost.tokens for name, cost in by_model.items()}
    full = max([*amounts.values(), (limit or 0) if in_credits else 0]) or 1
    rows = [_cells(name, cost, amounts[name] / full, in_credits=in_credits) for name, cost in by_model.items()]
    columns = (
        ("model", CELL),
        ("credits" if in_credits else "tokens", CELL),
        ("" if in_credits else "credits", NUMBER),
        ("calls", NUMBER),
        ("tokens in", NUMBER),
        ("out", NUMBER),
    )
    return f'<div style="font-size:13px;line-height:1.4">{headline}{table(columns, rows, height=24)}</div>'


def _cells(name: str, cost: Cost, share: float, *, in_credits: bool) -> list[str]:
    label = cost.credits_text if in_credits else f"{cost.tokens:,}"
    return [
        f'<div style="{SHORT}" title="{escape(name)}">{escape(name)}</div>',
        _bar(share, label, drawn=bool(cost.priced_calls) or not in_credits),
        "" if in_credits else escape(cost.credits_text),
        f"{cost.calls:,}",
        f"{cost.input_tokens:,}",
        f"{cost.output_tokens:,}",
    ]


def _bar(share: float, label: str, *, drawn: bool) -> str:
    """A bar with its amount; an amount that was not reported has no bar."""
    long = f'<rect width="{max(share * BAR, 2):.0f}" height="{THICKNESS}" rx="3" fill="{COLOUR}"/>'
    track = f'<rect width="{BAR}" height="{THICKNESS}" rx="3" fill="currentColor" opacity=".15"/>'
    svg = (
        f'<svg width="{BAR}" height="{THICKNESS}" style="vertical-align:middle;max-width:none" aria-hidden="true">'
        f"{track}{long}</svg> "
    )
    return f"{svg if drawn else ''}{escape(label)}"
