"""The state in a reply of chat completions, whole or in pieces. Pure.

Which keys are state is said in `reply_state.py`. A streamed reply has them in pieces: texts are joined, the items of a
list are joined by their `index`, and what is repeated or known once (a signature, a format) is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivya_core.openai.reply_state import CALL_KEYS, FUNCTION_KEYS, MESSAGE_KEYS, reasoning_parts

TEXTS = ("content", "text", "thinking", "reasoning", "summary")
"""How the names of keys end that hold running text; its pieces are joined even if they are equal."""
REPLACED = frozenset({"id", "type", "format", "status", "role", "object", "name", "version"})
"""Keys whose last value counts."""


def message_state(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a message or delta that are its state."""
    content, keys = message.get("content"), message.keys() - MESSAGE_KEYS
    found = {key: value for key, value in message.items() if key in keys and _counts(value)} if keys else {}
    parts = reasoning_parts(content) if isinstance(content, list) else []
    return {**found, "content": parts} if parts else found


def call_state(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a tool call, or of a piece of one, that are its state."""
    function = call.get("function")
    found = {key: value for key, value in call.items() if key not in CALL_KEYS and _counts(value)}
    if isinstance(function, Mapping) and not function.keys() <= FUNCTION_KEYS:
        inner = {key: value for key, value in function.items() if key not in FUNCTION_KEYS and _counts(value)}
        found |= {"function": inner} if inner else {}
    return found


def joined_state(pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state whose pieces are *pieces*."""
    return dict(pieces[0]) if len(pieces) == 1 else _joined_objects(pieces)


def _counts(value: Any) -> bool:
    """Whether a value says anything; an empty text does, because some servers want their empty reasoning back."""
    return bool(value) or (value is not None and not isinstance(value, (list, Mapping)))


def _joined_objects(pieces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for piece in pieces:
        for key, value in piece.items():
            values.setdefault(key, []).append(value)
    return {key: _joined(key, found) for key, found in values.items()}


def _joined(key: str, values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if len(known) > 1 and all(isinstance(value, str) for value in known):
        return _joined_text(key, known)
    if known and all(isinstance(value, Mapping) for value in known):
        return _joined_objects(known)
    if known and all(isinstance(value, list) for value in known):
        return _joined_items([item for value in known for item in value])
    return known[-1] if known else None


def _joined_text(key: str, pieces: Sequence[str]) -> str:
    """The pieces of one text; a short value that every chunk repeats is that value."""
    spoken = [piece for piece in pieces if piece]
    if key in REPLACED:
        return spoken[-1] if spoken else ""
    if not key.endswith(TEXTS) and len(set(spoken)) == 1:
        return spoken[0]
    return "".join(spoken)


def _joined_items(items: Sequence[Any]) -> list[Any]:
    groups = _Groups()
    for item in items:
        groups.add(item)
    return [group.pieces[0] if len(group.pieces) == 1 else _joined_objects(group.pieces) for group in groups.listed]


class _Group:
    """The pieces of one item of a list, and what they have said of it; nothing is looked for in all of them again."""

    def __init__(self, item: Any) -> None:
        self.pieces = [item]
        self._is_object = isinstance(item, Mapping)
        facts = item if isinstance(item, Mapping) else {}
        self._index, self._type = facts.get("index"), facts.get("type")
        self._is_text = any(isinstance(facts.get(key), (str, list)) for key in TEXTS)
        self._named: dict[str, Any] = {}
        self._signed = False
        self._note(facts)

    def add(self, item: Mapping[str, Any]) -> None:
        """Add a piece."""
        self.pieces.append(item)
        self._note(item)

    def takes(self, item: Mapping[str, Any]) -> bool:
        """Whether *item* may belong here; gateways give one index to items of several types or ids."""
        if not self._is_object or self._index != item.get("index"):
            return False
        return all(not item.get(key) or item[key] == known for key, known in self._named.items())

    def is_open_text(self, item: Mapping[str, Any]) -> bool:
        """Whether pieces without an index are one text: it has no signature yet, and *item* continues or signs it."""
        return self._is_text and not self._signed and self._type == item.get("type")

    def _note(self, item: Mapping[str, Any]) -> None:
        for key in ("type", "id"):
            if item.get(key):
                self._named.setdefault(key, item[key])
        self._signed = self._signed or bool(item.get("signature"))


class _Groups:
    """The items of a list whose pieces arrive one after the other."""

    def __init__(self) -> None:
        self.listed: list[_Group] = []
        self._by_index: dict[int, list[_Group]] = {}

    def add(self, item: Any) -> None:
        """Add a piece to the item that it continues, or begin another one."""
        index = item.get("index") if isinstance(item, Mapping) else None
        here = self._by_index.setdefault(index, []) if isinstance(index, int) else None
        group = self._group_of(item, here) if isinstance(item, Mapping) else None
        if group is not None:
            group.add(item)
            return
        self.listed.append(_Group(item))
        if here is not None:
            here.append(self.listed[-1])

    def _group_of(self, item: Mapping[str, Any], here: Sequence[_Group] | None) -> _Group | None:
        """Return the item that a piece continues: the last one with its index, or without one the last text."""
        if here is not None:
            return next((group for group in reversed(here) if group.takes(item)), None)
        last = self.listed[-1] if self.listed else None
        return last if last is not None and last.takes(item) and last.is_open_text(item) else None
