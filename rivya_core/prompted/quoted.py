"""Parts of a reply in which a block is not a call: reasoning, and code that only shows one. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from rivya_core.structured.json_in_text import FENCE, JSON_FENCES

REASONING_TAG = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
ENDS_LINE = re.compile(r"[^\S\n]*(?:\n|\0|\Z)")
BLOCK = "\0"
"""Stands for each character of a block, so that nothing in the arguments of a call is read as a tag or a fence."""
LINE = re.compile(r"[^\n]*\n?")
MARKUP = JSON_FENCES | {"xml", "html", "markdown", "md", "tool", "tool_call", "tool_calls"}
"""Fences in which models wrap calls together with text."""
Span = tuple[int, int]


class Quotes:
    """Where a reply quotes.

    Args:
        reply: The reply.
        blocks: Where its blocks are that hold JSON, in order.

    Attributes:
        masked: The reply without the characters of these blocks.
    """

    def __init__(self, reply: str, blocks: Iterable[Span]) -> None:
        self.masked = _masked(reply, blocks)
        self._spans = _merged([*_reasoning(self.masked), *_code(self.masked)])
        self._starts = [start for start, _ in self._spans]

    def hold(self, place: int) -> bool:
        """Whether a block that begins at *place* is quoted."""
        at = bisect_right(self._starts, place) - 1
        return (at >= 0 and place < self._spans[at][1]) or _is_inline(self.masked, place)


def _masked(reply: str, blocks: Iterable[Span]) -> str:
    pieces, place = [], 0
    for start, end in blocks:
        pieces += [reply[place:start], BLOCK * (end - start)]
        place = end
    return "".join([*pieces, reply[place:]])


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _reasoning(text: str) -> Iterator[Span]:
    """Reasoning, which may name its own tags.

    A tag that is not closed counts only at the beginning, because prose may name it. A closing tag at the end of a line
    without an opening one ends reasoning that began before the reply.
    """
    start, last, nested = -1, 0, 0
    for tag in REASONING_TAG.finditer(text):
        if not tag[1]:
            nested = nested + 1 if start >= 0 else 0
            start = tag.start() if start < 0 else start
        elif start >= 0:
            yield start, tag.end()
            last, start = start, -1
        elif nested:
            yield last, tag.end()
            nested -= 1
        elif ENDS_LINE.match(text, tag.end()):
            yield 0, tag.end()
    if start >= 0 and not text[:start].strip():
        yield start, len(text)


def _code(text: str) -> Iterator[Span]:
    """Code that blocks are a part of: not a fence around blocks alone, and not lines of their own in markup."""
    for fence in FENCE.finditer(text):
        if not fence[3].replace(BLOCK, "").strip():
            continue
        if fence[2].lower() not in MARKUP:
            yield fence.span(3)
            continue
        lines = (line for line in LINE.finditer(text, *fence.span(3)) if BLOCK in line[0])
        yield from (line.span() for line in lines if line[0].replace(BLOCK, "").strip())


def _is_inline(text: str, place: int) -> bool:
    """Whether a block is quoted in a line of prose, as in: write `<tool_call>`."""
    if place == 0 or text[place - 1] != "`" or text[max(0, place - 3) : place] == "```":
        return False
    line = text[text.rfind("\n", 0, place) + 1 : place - 1]
    return bool(line.strip())
