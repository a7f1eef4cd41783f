"""Text of a streamed reply without its calls: what is certainly text passes at once, the rest is held to the end."""

from __future__ import annotations

import re

from rivya_core.prompted.reply import OPENING, WRAPPER_AT_END

REASONING_TAG = re.compile(r"\s*<(think|thinking|reasoning)>", re.IGNORECASE)
REASONING_CLOSING = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
MAYBE_REASONING = re.compile(r"\s*(?:<[a-z]{0,9})?\Z", re.IGNORECASE)
MAYBE_TAG = re.compile(
    r"<\s*(?:t[a-z_]{0,9}\s*|f[a-z_]{0,13}\s*|tool_call\s[^<>]*|(?:tool_calls|tools|function_calls)\s*>\s*)?\Z",
    re.IGNORECASE,
)
"""What may be the beginning of a call, or of a tag around calls."""
MAYBE_FENCE = re.compile(r"(?:^|\n)[ \t]*(?:`+|~+)[ \t]*[\w-]*\Z")
JSON_FENCE = re.compile(r"^[ \t]*```+[ \t]*(?:json[ \t]*)?\r?\n\s*\Z", re.IGNORECASE | re.MULTILINE)
"""A fence for JSON that has just been opened."""
BRACKET = re.compile(r"[{\[]")
IN_JSON = re.compile(r'\\.|\\\Z|["{}\[\]]', re.DOTALL)
"""What decides where a JSON value ends; a backslash at the end of a piece belongs to the next character."""
LONGEST_TAIL = 256
"""Characters at the end of the text in which a tag or a fence may begin."""


class _JSONEnd:
    """Finds the end of a JSON object or list that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False

    def feed(self, piece: str) -> int | None:
        """Take the next piece and return where the value ends in it, or None."""
        start, self._escaped = int(self._escaped and bool(piece)), self._escaped and not piece
        for match in IN_JSON.finditer(piece, start):
            mark = match[0]
            if mark == "\\":
                self._escaped = True
            elif mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted and len(mark) == 1:
                self._depth += 1 if mark in "{[" else -1
                if self._depth <= 0:
                    return match.end()
        return None


class TextFilter:
    """Passes on the text of a reply up to its first call.

    Args:
        holds_json: Whether a reply that begins with JSON or with a fence may be a call without its tags.
        only_json: Whether the reply is a JSON object, so that only the object passes. If it may be a call as well,
            nothing passes.
    """

    def __init__(self, *, holds_json: bool, only_json: bool = False) -> None:
        self._holds_json = holds_json
        self._only_json = only_json
        self._object: _JSONEnd | None = None
        self._pieces: list[str] = []
        self._pending = ""
        self._begun = False
        self._stopped = holds_json and only_json
        self._closing: re.Pattern[str] | None = None
        self._searched = 0
        self._shown: list[str] = []

    @property
    def raw(self) -> str:
        """Everything that came so far."""
        return "".join(self._pieces)

    @property
    def shown(self) -> str:
        """Everything that was passed on."""
        return "".join(self._shown)

    def feed(self, piece: str) -> str:
        """Take the next piece of the reply and return what may be shown of it."""
        self._pieces.append(piece)
        if self._stopped:
            return ""
        self._pending += piece
        shown = self._take()
        self._shown.append(shown)
        return shown

    def hold(self, piece: str) -> None:
        """Take a piece that is not shown."""
        self._pieces.append(piece)

    def _take(self) -> str:
        if not self._begun and not self._begin():
            return ""
        if self._closing is not None:
            return self._take_reasoning()
        if self._only_json:
            return self._take_object()
        opening = OPENING.search(self._pending)
        if opening is not None:
            self._stopped = True
            return self._cut(_end_of_text(self._pending[: opening.start()]))
        maybe = MAYBE_TAG.search(self._pending, max(0, len(self._pending) - LONGEST_TAIL))
        return self._cut(_end_of_text(self._pending[: maybe.start()] if maybe else self._pending))

    def _begin(self) -> bool:
        """Read the start of the reply; return False while it is undecided."""
        if MAYBE_REASONING.match(self._pending):
            return False
        reasoning = REASONING_TAG.match(self._pending)
        if reasoning is not None:
            self._closing = REASONING_CLOSING
        elif self._holds_json and self._pending.lstrip()[0] in "{[`":
            self._stopped = True
            return False
        self._begun = True
        return True

    def _take_reasoning(self) -> str:
        closing = self._closing.search(self._pending) if self._closing else None
        if closing is None:
            at = self._pending.rfind("<")
            shown = self._cut(at if at >= 0 and at > len(self._pending) - LONGEST_TAIL else len(self._pending))
            return "" if self._only_json else shown
        self._closing = None
        reasoning = self._cut(closing.end())
        return ("" if self._only_json else reasoning) + self._take()

    def _take_object(self) -> str:
        """Pass the first JSON value; the text around it is read at the end."""
        if self._object is None:
            start = BRACKET.search(self._pending, self._searched)
            self._stopped = OPENING.search(self._pending, self._searched) is not None
            if start is None or self._stopped:
                self._searched = max(0, len(self._pending) - LONGEST_TAIL)
                return ""
            if "`" in JSON_FENCE.sub("", self._pending[: start.start()]):
                self._stopped = True  # what is in code may be an example
                return ""
            self._object, self._pending = _JSONEnd(), self._pending[start.start() :]
        end = self._object.feed(self._pending)
        self._stopped = end is not None
        return self._cut(len(self._pending) if end is None else end)

    def _cut(self, end: int) -> str:
        shown, self._pending = self._pending[:end], self._pending[end:]
        return shown


def _end_of_text(text: str) -> int:
    """Where text ends that is not the space, the tag or the fence before a call."""
    wrapper = WRAPPER_AT_END.search(text, max(0, len(text) - LONGEST_TAIL))
    bare = (text[: wrapper.start()] if wrapper else text).rstrip()
    fence = MAYBE_FENCE.search(bare, max(0, len(bare) - LONGEST_TAIL))
    return len(bare[: fence.start()].rstrip()) if fence else len(bare)
