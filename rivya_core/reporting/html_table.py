"""A table for notebooks. Notebooks have their own styles, so every cell sets its style itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CELL = (
    "padding:0 12px 0 0;text-align:left;vertical-align:middle;border:0;background:none;white-space:nowrap;"
    "max-width:none;font-size:13px"
)
TABLE = "border-collapse:collapse;border:0;margin:4px 0;table-layout:auto"
NUMBER = CELL.replace("text-align:left", "text-align:right") + ";font-variant-numeric:tabular-nums"
SHORT = "max-width:min(34em,36vw);overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
"""Style of text that stays on one line and is shortened on a phone's screen."""


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, height: int) -> str:
    """Return a table with its own horizontal scroll bar on a narrow page.

    Args:
        columns: The name and the style of each column.
        rows: The cells of each row, as HTML.
        height: Pixels of a row.
    """
    names, styles = zip(*columns, strict=True)
    head = "".join(f'<th style="{style};font-weight:600">{name}</th>' for name, style in columns) if any(names) else ""
    body = "".join(
        f'<tr style="background:none;height:{height}px">'
        + "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div style="overflow-x:auto"><table class="rivya" style="{TABLE}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
