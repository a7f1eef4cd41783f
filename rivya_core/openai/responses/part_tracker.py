"""The text received so far for each part of a streamed response, so that no text is lost or repeated. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.http.json_codec import SurrogateBuffer

Key = tuple[str, int, int]


class PartTracker:
    """The texts of a response by channel, output item and part."""

    def __init__(self) -> None:
        self._said: dict[Key, list[str]] = {}
        self._characters: dict[Key, SurrogateBuffer] = {}
        self._places: dict[str, int] = {}
        self._newest = -1

    def place(self, event: Mapping[str, Any], *, begins: bool = False) -> int:
        """Return the number of the output item that *event* is about.

        Some back ends name only the item's id, or nothing: then it is the item that began last.

        Args:
            event: With `output_index`, `item_id`, or neither.
            begins: Whether the event starts the item.
        """
        place, item_id = event.get("output_index"), str(event.get("item_id") or "")
        known = self._places.get(item_id) if item_id else None
        if not isinstance(place, int):
            place = known if known is not None else self._newest + 1 if begins else max(self._newest, 0)
        self._newest = max(self._newest, place)
        if item_id:
            self._places.setdefault(item_id, place)
        return place

    def of(self, channel: str, event: Mapping[str, Any]) -> list[str]:
        """Return the pieces so far of the part that *event* is about."""
        return self._said.setdefault(self._key(channel, event), [])

    def new(self, channel: str, event: Mapping[str, Any], whole: str) -> str:
        """Return what *event* adds: its delta, or what its text under *whole* has beyond the pieces so far."""
        key = self._key(channel, event)
        said = self._said.setdefault(key, [])
        new = event.get("delta")
        if not isinstance(new, str):
            full, before = event.get(whole), "".join(said)
            new = full[len(before) :] if isinstance(full, str) and full.startswith(before) else ""
        if new:
            new = self._characters.setdefault(key, SurrogateBuffer()).add(new)
        if new:
            said.append(new)
        return new

    def _key(self, channel: str, event: Mapping[str, Any]) -> Key:
        part = event.get("summary_index", event.get("content_index"))
        return channel, self.place(event), part if isinstance(part, int) else 0
