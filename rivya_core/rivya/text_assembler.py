"""Joining text from pieces and from repetitions of the whole, so that nothing is lost or repeated. Pure."""

from __future__ import annotations

from typing import Literal

from rivya_core.http.json_codec import SurrogateBuffer

Form = Literal["piece", "whole", "either", "part"]
"""Kind of a text in a frame: the next piece, all text so far, either of them, or all of the current part."""


class TextAssembler:
    """The text received so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._characters = SurrogateBuffer()
        self._part_begins = 0
        self.disagrees = False
        """Whether the final repetition of the whole differs from the pieces."""

    @property
    def so_far(self) -> str:
        """All text that was returned."""
        return "".join(self._pieces)

    def piece(self, text: str) -> str:
        """Add the next piece and return the new text."""
        new = self._characters.add(text)
        if new:
            self._pieces.append(new)
        return new

    def add(self, text: str, form: Form, *, final: bool) -> str:
        """Add a text of any form and return the new text; *final* if nothing follows."""
        if form == "piece" or not text:
            return self.piece(text)
        self._characters.rest = ""  # a repetition holds the complete character
        if form == "part":
            return self._part(text)
        beyond = _beyond(self.so_far, text)
        if beyond is not None:
            return self.piece(beyond)
        if form == "either":
            return self.piece(text)
        self.disagrees = self.disagrees or final  # the returned text is kept, but the session holds another text
        return ""

    def end(self) -> str:
        """Return the held text: half of a character whose other half never arrived."""
        left = self._characters.finish()
        if left:
            self._pieces.append(left)
        return left

    def _part(self, text: str) -> str:
        """The new text in a whole part. A part may be reported more than once, under several names."""
        if self.so_far.rstrip().endswith(text.rstrip()):
            new = ""
        else:
            new = self.piece(_beyond("".join(self._pieces[self._part_begins :]), text) or "")
        self._part_begins = len(self._pieces)
        return new


def _beyond(said: str, text: str) -> str | None:
    """The text after *said* if *text* repeats *said*, ignoring blanks at the edges; None if it does not."""
    if text.startswith(said):
        return text[len(said) :]
    if text.strip() == said.strip():
        return ""
    begun = said.lstrip()
    bare = text.lstrip()
    return bare[len(begun) :] if begun and bare.startswith(begun) else None
