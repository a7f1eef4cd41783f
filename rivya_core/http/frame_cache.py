"""Fast reading of frames that differ from an earlier one only in their text.

Most frames of a stream differ only in one string, the piece of text, and in values without a meaning. After one frame
has been read, the bytes before and after that string are remembered. A frame with the same bytes around one valid JSON
string is the same frame with another text. Every other frame is read in the ordinary way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

PROBE = "another text \u2063"
TRIES = 8
"""Number of frames that may differ before the cache is switched off, for example because each has its own number."""


SAME_VALUE = rb"\g<1>0"


def values_of(*keys: str) -> re.Pattern[bytes]:
    """Return what finds simple values of these keys in JSON; the first group is what comes before the value."""
    return re.compile(rb'(,\s*"(?:%s)"\s*:\s*)(?:[0-9]+|"[A-Za-z0-9_-]*")(?=\s*[,}])' % "|".join(keys).encode())


class FrameCache:
    """The bytes around the text in frames of one form.

    Args:
        unread: Finds the values that may differ from frame to frame because they have no meaning.
    """

    def __init__(self, unread: re.Pattern[bytes] | None = None) -> None:
        self._unread = unread
        self._before = self._behind = b""
        self._varying: re.Pattern[bytes] | None = None
        self._tries = TRIES
        self.rest: Any = None
        """The meaning of the learnt frame without its text."""

    def text_of(self, block: bytes) -> str:
        """Return the text of a frame that matches the learnt one; otherwise, and for an empty text, nothing."""
        if self._varying is not None:
            block = self._varying.sub(SAME_VALUE, block)
        if not self._behind or not block.startswith(self._before) or not block.endswith(self._behind):
            return ""
        begins, ends = len(self._before) - 1, len(block) - len(self._behind) + 1
        if ends - begins < 3:  # noqa: PLR2004 - the quotes and at least one character between them
            return ""
        try:
            text = from_json(block[begins:ends])
        except ValueError:  # two strings in between, or frames that only start and end alike
            return ""
        self._tries = TRIES
        return text if isinstance(text, str) else ""

    def learn(self, block: bytes, read: Callable[[bytes], tuple[Any, str] | None]) -> bool:
        """Remember the bytes around the text in a frame; return whether that was possible.

        Args:
            block: The frame: a block of the stream with one JSON object.
            read: Returns the text of a frame and the rest of its meaning, or None if it is not of this kind. A frame
                with another text is read, too, to verify the position of the text and that the values that may differ
                have no meaning.
        """
        piece = read(block) if self._tries else None
        if piece is None:
            return False
        self._tries -= 1
        same = block if self._unread is None else self._unread.sub(SAME_VALUE, block)
        written = {
            json.dumps(piece[1], ensure_ascii=ascii_only).encode("utf-8", "replace") for ascii_only in (True, False)
        }
        quoted = next((form for form in written if same.count(form) == 1), b"")
        if not quoted:
            return False
        before, _, behind = same.partition(quoted)
        if read(b'%s"%s"%s' % (before, PROBE.encode(), behind)) != (piece[0], PROBE):
            return False
        self._before, self._behind, self.rest = before + b'"', b'"' + behind, piece[0]
        self._varying = None if same == block else self._unread
        return True

    def forget(self) -> None:
        """Read the next frame in the ordinary way."""
        self._behind = b""
