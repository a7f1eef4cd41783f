"""Timelines and credits as HTML for notebooks: inline SVG, no script, no network, legible on dark pages too.

What is shown may be written by a model, so all of it is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from rivya_core.reporting.costs import Cost
from rivya_core.reporting.steps import Step

COLOURS = {"new": "#3b7dd8", "continue": "#2e9e5b", "replay": "#d9822b", "pinned": "#8a63d2", "whole": "#7f8792"}
MEANINGS = {
    "new": "began a session",
    "continue": "went on in its session; only what was new was sent",
    "replay": "edited, forked or trimmed: a new session got the whole transcript",
    "pinned": "went to the session that you named",
    "whole": "no sessions; the whole history was sent",
}
ROW, LANE, RADIUS = 30, 18, 5
CELL = "padding:0 12px 0 0;text-align:left;vertical-align:middle;border:0;background:none"
NUMBER = CELL.replace("left", "right") + ";font-variant-numeric:tabular-nums"


def timeline_html(steps: Sequence[Step]) -> str:
    """Return one row a call, with the sessions as lanes to the left, as version control draws branches."""
    if not steps:
        return "<p>No calls.</p>"
    lanes = _lanes(steps)
    head = "".join(f'<th style="{style}">{name}</th>' for name, style in _COLUMNS)
    rows = "".join(_row(number, steps, lanes) for number in range(len(steps)))
    used = dict.fromkeys(_route(step) for step in steps)
    legend = "".join(f'<div><b style="color:{COLOURS[name]}">{name}</b> {MEANINGS[name]}</div>' for name in used)
    return (
        '<div style="font-size:13px;line-height:1.4"><table style="border-collapse:collapse;border:0">'
        f'<thead><tr style="opacity:.65">{head}</tr></thead><tbody>{rows}</tbody></table>'
        f'<div style="margin-top:6px;opacity:.8">{legend}</div></div>'
    )


def credits_html(by_model: Mapping[str, Cost], limit: float | None = None) -> str:
    """Return one bar a model, as long as its share of the credits, or of the tokens where nothing cost credits."""
    total = sum(cost.credits for cost in by_model.values())
    calls = sum(cost.calls for cost in by_model.values())
    share = {name: cost.credits if total else cost.input_tokens + cost.output_tokens for name, cost in by_model.items()}
    longest = max([*share.values(), limit or 0]) or 1
    rows = "".join(_bar(name, cost, share[name] / longest) for name, cost in by_model.items())
    bound = "" if limit is None else f" of {limit:g}"
    return (
        f'<div style="font-size:13px"><b>{total:g}{bound} credits</b> in {_counted(calls, "call")}'
        f'<table style="border-collapse:collapse;border:0;margin-top:4px"><tbody>{rows}</tbody></table></div>'
    )


_COLUMNS = (
    ("", CELL),
    ("asked", CELL),
    ("sent as", CELL),
    ("credits", NUMBER),
    ("tokens in", NUMBER),
    ("out", NUMBER),
)


def _route(step: Step) -> str:
    return step.route if step.route in COLOURS else "whole"


def _lanes(steps: Sequence[Step]) -> list[int]:
    """The lane of each step: one a session, in the order in which they began.

    Where replies continue replies, a lane is a chain of them, and a second continuation of a reply a lane of its own.
    """
    numbers: dict[str, int] = {}
    tips: dict[str, str] = {}
    lanes = []
    for step in steps:
        name = step.session or (tips.pop(step.after or "", step.id) if step.route else "")
        tips[step.id] = name
        lanes.append(numbers.setdefault(name, len(numbers)))
    return lanes


def _row(number: int, steps: Sequence[Step], lanes: Sequence[int]) -> str:
    step = steps[number]
    colour = COLOURS[_route(step)]
    cells = (
        (CELL, _graph(number, lanes, colour)),
        (CELL, escape(step.asked)),
        (CELL, f'<span title="{escape(step.session or "")}" style="color:{colour}">{escape(_route(step))}</span>'),
        (NUMBER, f"{step.cost.credits:g}"),
        (NUMBER, f"{step.cost.input_tokens:,}"),
        (NUMBER, f"{step.cost.output_tokens:,}"),
    )
    inside = "".join(f'<td style="{style}">{text}</td>' for style, text in cells)
    return f'<tr style="background:none;height:{ROW}px">{inside}</tr>'


def _graph(number: int, lanes: Sequence[int], colour: str) -> str:
    """The lanes at one row: a line through those that go on, a dot where the call went."""
    parts = []
    for lane in range(max(lanes) + 1):
        first, last = lanes.index(lane), len(lanes) - 1 - lanes[::-1].index(lane)
        top, bottom = (0 if number > first else ROW // 2), (ROW if number < last else ROW // 2)
        if first <= number <= last and top < bottom:
            x = _x(lane)
            parts.append(f'<path d="M{x} {top}V{bottom}" stroke="#9aa3ad" stroke-width="2"/>')
    parts.append(f'<circle cx="{_x(lanes[number])}" cy="{ROW // 2}" r="{RADIUS}" fill="{colour}"/>')
    width = (max(lanes) + 1) * LANE
    return f'<svg width="{width}" height="{ROW}" style="display:block" role="img">{"".join(parts)}</svg>'


def _x(lane: int) -> int:
    return lane * LANE + LANE // 2


def _bar(name: str, cost: Cost, share: float) -> str:
    tokens = f"{cost.input_tokens:,} tokens in, {cost.output_tokens:,} out" if cost.input_tokens else ""
    bar = (
        f'<svg width="200" height="14" style="display:block"><rect width="200" height="14" rx="3" fill="#9aa3ad" '
        f'opacity=".25"/><rect width="{max(share * 200, 2):.0f}" height="14" rx="3" fill="#3b7dd8"/></svg>'
    )
    cells = (
        (CELL, escape(name)),
        (CELL, bar),
        (NUMBER, f"{cost.credits:g} credits"),
        (NUMBER, _counted(cost.calls, "call")),
        (CELL, tokens),
    )
    inside = "".join(f'<td style="{style}">{text}</td>' for style, text in cells)
    return f'<tr style="background:none;height:22px">{inside}</tr>'


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
