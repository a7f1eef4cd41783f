"""The arguments of a tool call while they arrive: what can be read of them, at a cost that does not grow. Pure.

LlamaIndex's agents ask for the arguments at every piece. If the whole text were parsed each time, the cost of a piece
would grow with the length of the call. Here each piece is parsed once: complete members are kept, and only what follows
the last of them is parsed again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic_core import from_json

STRUCTURE = re.compile(r'["{}\[\],]')
IN_STRING = re.compile(r'"|\\.', re.DOTALL)
"""The end of a string, or an escape in it."""
HIGH_HALF = re.compile(r"\\u[dD][89abAB]")
"""An escape for half a character; the next escape is the other half."""
UNFINISHED_NUMBER = re.compile(r"-?\d[\d.eE+-]*\Z")
ESCAPE_LENGTH = 6
FEW = 16
"""Times that the whole text is parsed, which is quicker for short arguments and for callers who ask at the end only."""
LONGEST_TAIL = 256
"""Characters of an unfinished string that are parsed again with each piece."""
DEEPEST = 201
"""Containers inside each other that the parser takes."""
NONE = (-1, -1)
CLOSING = {"{": "}", "[": "]"}
BLANKS = " \t\r\n"


def read_partial(text: str) -> dict[str, Any]:
    """Return what can be read of an object whose text may be cut off; nothing if it is not an object.

    A string at the end may be the beginning of a longer one; a number at the end is left out, because it may continue.
    """
    value = _read(text)
    number = UNFINISHED_NUMBER.search(text)
    if number and isinstance(_last(value), (int, float)):
        value = _read(text[: number.start()])
    return value if isinstance(value, dict) else {}


def _read(text: str) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return None


def _last(value: Any) -> Any:
    """The value that was read last; it is a text if the end is within a string."""
    while isinstance(value, (dict, list)) and value:
        value = value[-1] if isinstance(value, list) else next(reversed(value.values()))
    return value


class PartialArguments:
    """Reads the arguments of one call while they grow, with the results of `read_partial`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reader = _Reader()
        self._times = 0

    def read(self, text: str) -> dict[str, Any]:
        """Return what can be read of *text*, which begins with the text of the last time or is another call's.

        Results share members that are containers. A complete object shares nothing.
        """
        with self._lock:
            self._times += 1
            if self._times <= FEW or not text.startswith(self._reader.text):
                return read_partial(text)
            try:
                found = self._reader.read(text)
            except ValueError:
                found = self._reader.end = read_partial(text)
        return read_partial(text) if found is None else found


@dataclass(slots=True)
class _Container:
    """An object or array that is not complete, with its complete members."""

    kind: str
    key: str
    outer: _Container | None
    depth: int
    members: Any

    def with_members(self, members: Any) -> Any:
        """Return the value with further members."""
        return {**self.members, **members} if self.kind == "{" else [*self.members, *members]

    def add(self, members: Any) -> None:
        """Keep complete members."""
        if self.kind == "{":
            self.members.update(members)
        else:
            self.members.extend(members)

    def child(self, key: str, value: Any) -> Any:
        """Return *value* as the only member."""
        return {key: value} if self.kind == "{" else [value]


class _Reader:
    """The state between two pieces.

    `_tail` is the text after the last complete member of the innermost container, searched up to `_position`. In it,
    `_string` is where an unfinished string begins, and `_spoken` is what was cut out of that string, decoded. `end` is
    what can be read of a text that cannot become an object any more.
    """

    def __init__(self) -> None:
        self.text = ""
        self.end: dict[str, Any] | None = None
        self._open: _Container | None = None
        self._after = "start"
        self._tail, self._position = "", 0
        self._string, self._spoken = 0, ""
        self._escapes = NONE

    def read(self, text: str) -> dict[str, Any] | None:
        """Return what can be read of *text*, or None if the object is complete.

        Raises:
            ValueError: *text* is not a beginning of a JSON object.
        """
        added, self.text = text[len(self.text) :], text
        if self.end is not None:
            return dict(self.end)
        self._tail += added
        while self._after != "end" and self._advance():
            pass
        if self._after in {"start", "end"}:
            return None if self._after == "end" else {}
        if self._string and self._position - self._string > LONGEST_TAIL:
            self._shorten()
        return self._so_far()

    def _advance(self) -> bool:
        """Handle the next mark; return whether there was one."""
        found = (IN_STRING if self._string else STRUCTURE).search(self._tail, self._position)
        if found is None:
            waits = self._string and self._tail.endswith("\\", self._position)  # half an escape
            self._position = len(self._tail) - bool(waits)
            return False
        self._position = found.end()
        if found[0] == '"':
            if self._spoken and not self._string:
                raise ValueError("two values in one member")
            self._string, self._escapes = (0 if self._string else self._position), NONE
        elif found[0] == "\\u":
            self._escapes = self._escapes[1], found.start()
        elif not self._string:
            self._take(found[0], self._tail[: found.start()])
        return True

    def _take(self, mark: str, before: str) -> None:
        if mark in CLOSING:
            self._begin(mark, before)
        elif mark == ",":
            self._complete(before)
            self._after = "comma"
        else:
            self._close(mark, before)
        self._tail, self._position, self._spoken = self._tail[self._position :], 0, ""

    def _begin(self, mark: str, before: str) -> None:
        outer, key = self._open, ""
        if self._after == "value" or (outer is None and mark != "{"):
            raise ValueError("a value where none may be")
        if outer is not None and outer.kind == "{":
            (key,) = from_json(f"{{{before}null}}")
        elif before.strip(BLANKS):
            raise ValueError("text before a value")
        depth = outer.depth + 1 if outer else 1
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        self._open, self._after = _Container(mark, key, outer, depth, {} if mark == "{" else []), "opening"

    def _complete(self, text: str) -> None:
        """Keep the member that ends here."""
        blank = not text.strip(BLANKS)
        if self._open is None or blank != (self._after == "value"):
            raise ValueError("a member is missing, or is followed by text")
        if not blank:
            self._open.add(self._parse(text + CLOSING[self._open.kind], partial=False))

    def _close(self, mark: str, before: str) -> None:
        closed = self._open
        if closed is None or CLOSING[closed.kind] != mark:
            raise ValueError("a bracket that closes nothing")
        if self._after != "opening" or before.strip(BLANKS):
            self._complete(before)
        self._open, self._after = closed.outer, "value" if closed.outer else "end"
        if closed.outer is not None:
            closed.outer.add(closed.outer.child(closed.key, closed.members))

    def _parse(self, text: str, partial: Any) -> Any:
        """Return the members in *text*, which begins after a bracket or comma."""
        kind = self._open.kind if self._open else ""
        found = from_json(kind + text, allow_partial=partial)
        if not self._spoken:
            return found
        if kind == "[":
            return [self._spoken + found[0]]
        ((key, rest),) = found.items()
        return {key: self._spoken + rest}

    def _shorten(self) -> None:
        """Cut what can be decoded out of an unfinished string, unless it is a key."""
        head = self._tail[: self._string - 1].rstrip(BLANKS)
        if self._open is None or (self._open.kind == "{" and not head.endswith(":")):
            return
        if not self._spoken:
            from_json(f"{self._open.kind}{head}null{CLOSING[self._open.kind]}")
        cut = self._whole_characters()
        self._spoken += from_json(f'"{self._tail[self._string : cut]}"')
        self._tail = self._tail[: self._string] + self._tail[cut:]
        shorter = cut - self._string
        self._position -= shorter
        before, last = (at - shorter if at >= cut else -1 for at in self._escapes)
        self._escapes = before, last

    def _whole_characters(self) -> int:
        """Return where the last character that is complete ends."""
        before, last = self._escapes
        if last < 0 or (last + ESCAPE_LENGTH <= self._position and not HIGH_HALF.match(self._tail, last)):
            return self._position
        pair = 0 <= before == last - ESCAPE_LENGTH and HIGH_HALF.match(self._tail, before)
        return before if pair else last

    def _so_far(self) -> dict[str, Any]:
        if self._after == "value" and self._tail.strip(BLANKS):
            raise ValueError("text after a value")
        tail = self._tail if self._string else UNFINISHED_NUMBER.sub("", self._tail)
        members = self._parse(tail, partial="trailing-strings")
        inner = self._open
        value: Any = inner.with_members(members) if inner else {}
        while inner is not None and inner.outer is not None:
            value = inner.outer.with_members(inner.outer.child(inner.key, value))
            inner = inner.outer
        return dict(value)
