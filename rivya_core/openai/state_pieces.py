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
    groups: list[list[Any]] = []
    for item in items:
        group = _group_of(item, groups) if isinstance(item, Mapping) else None
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    return [group[0] if len(group) == 1 else _joined_objects(group) for group in groups]


def _group_of(item: Mapping[str, Any], groups: Sequence[list[Any]]) -> list[Any] | None:
    """Return the pieces that *item* continues: those of its index, or without one the last text."""
    if isinstance(item.get("index"), int):
        return next((group for group in reversed(groups) if _same_item(group, item)), None)
    last = groups[-1] if groups else None
    return last if last is not None and _same_item(last, item) and _is_open_text(last, item) else None


def _same_item(group: Sequence[Any], item: Mapping[str, Any]) -> bool:
    """Whether a piece may belong to the item of *group*; gateways give one index to items of several types or ids."""
    first = group[0]
    if not isinstance(first, Mapping) or first.get("index") != item.get("index"):
        return False
    for key in ("type", "id"):
        known = next((piece[key] for piece in group if piece.get(key)), None)
        if known and item.get(key) and item[key] != known:
            return False
    return True


def _is_open_text(group: Sequence[Mapping[str, Any]], item: Mapping[str, Any]) -> bool:
    """Whether pieces without an index are one text: it has no signature yet, and *item* continues or signs it."""
    texts = any(isinstance(group[0].get(key), (str, list)) for key in TEXTS)
    return texts and not any(piece.get("signature") for piece in group) and group[0].get("type") == item.get("type")
