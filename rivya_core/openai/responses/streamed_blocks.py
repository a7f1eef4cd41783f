"""The blocks of a streamed response at the place where they belong. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rivya_core.openai.responses.output import Output, read_item
from rivya_core.types import ChatDelta


class StreamedBlocks:
    """Blocks of complete items, each returned once: with its item if all text before it was returned, or at the end."""

    def __init__(self) -> None:
        self._output = Output()
        self._returned: set[str] = set()

    def add(self, item: Mapping[str, Any], length: int) -> tuple[Mapping[str, Any], ...]:
        """Return the blocks of a complete item.

        Args:
            item: The item.
            length: Number of characters of the response so far.
        """
        before = len(self._output.blocks)
        read_item(item, self._output)
        new = self._output.blocks[before:]
        if not new or self._output.length != length:
            return ()
        self._returned |= {_key(block) for block in new}
        return tuple(new)

    def left(self, delta: ChatDelta) -> ChatDelta:
        """Return the last *delta* with those blocks only that were not returned before."""
        placed = zip(delta.blocks, delta.places, strict=True)
        found = [(block, place) for block, place in placed if _key(block) not in self._returned]
        return delta._replace(blocks=tuple(b for b, _ in found), places=tuple(p for _, p in found))


def _key(block: Mapping[str, Any]) -> str:
    """What two versions of one block have in common."""
    named = [block.get("type"), block["id"]] if isinstance(block.get("id"), str) else dict(block)
    return json.dumps(named, sort_keys=True, default=str)
