"""Text put together from pieces and from repetitions of the whole, so that nothing is lost or doubled. Pure."""

from __future__ import annotations

from typing import Literal

from rivya_core.http.json_codec import SurrogateBuffer

Form = Literal["piece", "whole", "either", "part"]
"""What a text in a frame is: the next piece, all that was said so far, either of them, or all of the current part."""


class TextAssembler:
    """What was said so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._characters = SurrogateBuffer()
        self._part_begins = 0
        self.disagrees = False
        """Whether a closing repetition of the whole was something else than what the pieces said."""

    @property
    def so_far(self) -> str:
        """Everything that was handed on."""
        return "".join(self._pieces)

    def piece(self, text: str) -> str:
        """Take the next piece and return what it adds."""
        new = self._characters.add(text)
        if new:
            self._pieces.append(new)
        return new

    def add(self, text: str, form: Form, *, final: bool) -> str:
        """Take a text in any form and return what it adds; *final* if nothing comes after it."""
        if form == "piece" or not text:
            return self.piece(text)
        self._characters.rest = ""  # a repetition has the character whole
        if form == "part":
            return self._part(text)
        beyond = _beyond(self.so_far, text)
        if beyond is not None:
            return self.piece(beyond)
        if form == "either":
            return self.piece(text)
        self.disagrees = self.disagrees or final  # what was handed on stands, but the session holds something else
        return ""

    def end(self) -> str:
        """Return what is still held back: half a character, whose other half never came."""
        left = self._characters.finish()
        if left:
            self._pieces.append(left)
        return left

    def _part(self, text: str) -> str:
        """What the whole of a part adds; a part may be reported done more than once, by its own and outer names."""
        if self.so_far.rstrip().endswith(text.rstrip()):
            new = ""
        else:
            new = self.piece(_beyond("".join(self._pieces[self._part_begins :]), text) or "")
        self._part_begins = len(self._pieces)
        return new


def _beyond(said: str, text: str) -> str | None:
    """What *text* says beyond *said* if it repeats that, but for blanks at the edges; None if it does not."""
    if text.startswith(said):
        return text[len(said) :]
    if text.strip() == said.strip():
        return ""
    begun = said.lstrip()
    bare = text.lstrip()
    return bare[len(begun) :] if begun and bare.startswith(begun) else None
