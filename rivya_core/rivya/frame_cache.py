"""Recognising frames that are the one before but for a string, so that most of a stream is not understood anew.

A stream's frames differ in one string: the piece of text. Once a frame has been understood, what stands before and
behind that string is remembered as bytes. A frame with the same bytes around one sound JSON string is the same frame
with another text: there is no other way to read it. Whatever does not fit is read in the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import from_json

PROBE = "another text \u2063"
TRIES = 8
"""Frames that may fail to repeat themselves before it is given up: each has a number of its own, say."""


class FrameCache:
    """What stands around the text in the frames of one name."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._before = self._behind = b""
        self._tries = TRIES

    def text_of(self, name: str, data: bytes) -> str:
        """Return the text of a frame that is like the learnt one, else nothing."""
        if name != self._name or not data.startswith(self._before) or not data.endswith(self._behind):
            return ""
        begins, ends = len(self._before) - 1, len(data) - len(self._behind) + 1
        if ends - begins < 3:  # noqa: PLR2004 - the quotes and something between them
            return ""
        try:
            text = from_json(data[begins:ends])
        except ValueError:  # another string ends and begins in between, or the frames merely begin and end alike
            return ""
        self._tries = TRIES
        return text if isinstance(text, str) else ""

    def learn(self, name: str, data: bytes, text: str, is_text: Callable[[bytes, str], bool]) -> bool:
        """Remember the frame *data* by the place of *text* in it; return whether that could be done.

        Args:
            name: The event's name.
            data: The event's data, a JSON object.
            text: The text that was read from it.
            is_text: Tells whether other data of the same event are read in the same way but for another text; it is
                asked once, to be sure of the place.
        """
        quoted = b'"%s"' % text.encode("utf-8", "replace")
        if not self._tries or not data.startswith(b"{") or data.count(quoted) != 1:
            return False
        self._tries -= 1
        before, _, behind = data.partition(quoted)
        if not is_text(b'%s"%s"%s' % (before, PROBE.encode(), behind), PROBE):
            return False
        self._name, self._before, self._behind = name, before + b'"', b'"' + behind
        return True

    def forget(self) -> None:
        """Read the next frame in the ordinary way."""
        self._name = None
