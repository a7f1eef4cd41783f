"""The order of text, citations and other blocks in a reply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rivya_core.types import ChatDelta

CITATIONS = ("url_citation", "file_citation", "container_file_citation", "file_path")
"""Types of blocks that stand on a text. No set, because the type may be a list."""


def is_citation(block: Mapping[str, Any]) -> bool:
    """Whether *block* says where a text comes from."""
    return str(block.get("type")) in CITATIONS


def in_order(delta: ChatDelta) -> Iterator[str | Mapping[str, Any]]:
    """Return the pieces of text and the blocks of *delta*; citations come right after the text in front of them."""
    end = len(delta.text)
    places = (*delta.places, *[end] * len(delta.blocks))
    placed = zip(delta.blocks, places, strict=False)
    at = 0
    for block, place in sorted(placed, key=lambda pair: (pair[1], not is_citation(pair[0]))):
        if place > at and at < end:
            yield delta.text[at:place]
            at = place
        yield block
    if at < end:
        yield delta.text[at:]
