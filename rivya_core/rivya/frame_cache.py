"""Fast reading of frames that differ from an earlier one only in their text.

Most frames of a stream differ only in one string: the piece of text. After one frame has been read, the bytes before
and after that string are remembered. A frame with the same bytes around one valid JSON string is the same frame with
another text. Every other frame is read in the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import from_json

PROBE = "another text \u2063"
TRIES = 8
"""Number of frames that may differ before the cache is switched off, for example because each has its own number."""


class FrameCache:
    """The bytes around the text in the frames of one name."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._before = self._behind = b""
        self._tries = TRIES

    def text_of(self, name: str, data: bytes) -> str:
        """Return the text of a frame that matches the learnt one, or None."""
        if name != self._name or not data.startswith(self._before) or not data.endswith(self._behind):
            return ""
        begins, ends = len(self._before) - 1, len(data) - len(self._behind) + 1
        if ends - begins < 3:  # noqa: PLR2004 - the quotes and at least one character between them
            return ""
        try:
            text = from_json(data[begins:ends])
        except ValueError:  # two strings in between, or frames that only start and end alike
            return ""
        self._tries = TRIES
        return text if isinstance(text, str) else ""

    def learn(self, name: str, data: bytes, text: str, is_text: Callable[[bytes, str], bool]) -> bool:
        """Remember the bytes around *text* in the frame *data*; return whether that was possible.

        Args:
            name: The event's name.
            data: The event's data, a JSON object.
            text: The text that was read from it.
            is_text: Returns whether other data of the same event has the same meaning except for the text. It is called
                once, to verify the position.
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
