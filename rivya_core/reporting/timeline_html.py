"""A session timeline as HTML for notebooks: inline SVG, no script, no network, for light and dark pages.

Text and lines have the colour of the page's text; routes are coloured badges with white text, so both are legible on
any page. Labels may come from a model, so all of them are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rivya_core.reporting.html_table import CELL, NUMBER, SHORT, table
from rivya_core.reporting.lanes import Strand, strands_of
from rivya_core.reporting.steps import Step, shortened

COLOURS = {"new": "#2a6fc9", "continue": "#1f7d46", "replay": "#b3560b", "pinned": "#8059cc", "whole": "#667180"}
"""Badges: white on each of them has a contrast of 4.5:1 or more."""
MEANINGS = {
    "new": "began a session",
    "continue": "continued its session; only the new messages were sent",
    "replay": "edited, forked or trimmed; the whole transcript was sent to a new session",
    "pinned": "went to the session that you named",
    "whole": "no session; the whole history was sent",
}
ROW, LANE, RADIUS = 30, 18, 5
MOST_ROWS = 200
"""Calls that are drawn; of a longer timeline the newest."""
COLUMNS = (
    ("", CELL),
    ("asked", CELL),
    ("sent as", CELL),
    ("credits", NUMBER),
    ("tokens in", NUMBER),
    ("out", NUMBER),
)


def timeline_html(steps: Sequence[Step]) -> str:
    """Return one row for each call, with the sessions as lanes to the left, as version control draws branches."""
    if not steps:
        return "<p>No calls.</p>"
    shown = steps[-MOST_ROWS:]
    strands = strands_of(shown)
    rows = [_cells(row, step, strands) for row, step in enumerate(shown)]
    hidden = len(steps) - len(shown)
    left_out = f"<div>The newest {len(shown)} of {len(steps):,} calls.</div>" if hidden else ""
    legend = "".join(
        f'<div style="margin-top:4px">{_badge(name)} {MEANINGS[name]}</div>'
        for name in dict.fromkeys(_route(step) for step in shown)
    )
    return f'<div style="font-size:13px;line-height:1.4">{left_out}{table(COLUMNS, rows, height=ROW)}{legend}</div>'


def _cells(row: int, step: Step, strands: Sequence[Strand]) -> list[str]:
    asked = escape(step.asked)
    return [
        _graph(row, strands, COLOURS[_route(step)]),
        f'<div style="{SHORT}" title="{asked}">{asked}</div>',
        f'<span title="{escape(shortened(step.session or ""))}">{_badge(_route(step))}</span>',
        escape(step.cost.credits_text),
        f"{step.cost.input_tokens:,}",
        f"{step.cost.output_tokens:,}",
    ]


def _route(step: Step) -> str:
    return step.route if step.route in COLOURS else "whole"


def _badge(route: str) -> str:
    style = f"background:{COLOURS[route]};color:#fff;border-radius:3px;padding:1px 6px;white-space:nowrap"
    return f'<span style="{style}">{route}</span>'


def _graph(row: int, strands: Sequence[Strand], colour: str) -> str:
    """The lanes at one row: a line for each continued session, a curve to each fork, a dot for the call."""
    here = sorted({strand for strand in strands if strand.top <= row <= strand.last}, key=lambda each: each.lane)
    lines = "".join(f'<path d="{path}"/>' for strand in here if (path := _path(row, strand, strands)))
    dot = f'<circle cx="{_x(strands[row])}" cy="{ROW // 2}" r="{RADIUS}" fill="{colour}"/>'
    width = (max(strand.lane for strand in strands) + 1) * LANE
    return (
        f'<svg width="{width}" height="{ROW}" style="display:block;max-width:none" aria-hidden="true" fill="none" '
        f'stroke="currentColor" stroke-width="1.5">{lines}{dot}</svg>'
    )


def _path(row: int, strand: Strand, strands: Sequence[Strand]) -> str:
    """The part of a session's line in one row; it begins at the reply that it forked from."""
    x, middle = _x(strand), ROW // 2
    if row == strand.fork:
        parent = _x(strands[row])
        return f"M{parent} {middle}C{parent} {ROW} {x} {middle} {x} {ROW}"
    top = middle if row == strand.top else 0
    bottom = middle if row == strand.last else ROW
    return f"M{x} {top}V{bottom}" if top < bottom else ""


def _x(strand: Strand) -> int:
    return strand.lane * LANE + LANE // 2
