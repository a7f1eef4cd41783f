"""Text in which a model's reasoning stands between `<think>` tags, fed piece by piece. Pure."""

from __future__ import annotations

OPENING = ("<think>", "<thinking>")
CLOSING = ("</think>", "</thinking>")


class ThinkTags:
    """Takes reasoning out of text: one run between tags, at the reply's very beginning."""

    def __init__(self) -> None:
        self._held = ""
        self._ends = ""
        self._state = "before"

    def add(self, text: str) -> tuple[str, str]:
        """Return the text and the reasoning that *text* completes."""
        if self._state == "after":
            return text, ""
        if self._state == "between":
            return self._after(text), ""
        self._held += text
        if self._state == "before" and not self._open():
            return self._flushed() if self._state == "after" else ("", "")
        return self._inside()

    def finish(self) -> tuple[str, str]:
        """Return what was held back."""
        left, self._held = self._held, ""
        return ("", left) if self._state == "inside" else (left, "")

    def _open(self) -> bool:
        """Whether the reply begins with a tag; while that is open, the state stays `before`."""
        begun = self._held.lstrip()
        for opening, closing in zip(OPENING, CLOSING, strict=True):
            if begun.startswith(opening):
                self._held, self._ends, self._state = begun[len(opening) :], closing, "inside"
                return True
        if not any(opening.startswith(begun) for opening in OPENING):
            self._state = "after"
        return False

    def _inside(self) -> tuple[str, str]:
        reasoning, found, rest = self._held.partition(self._ends)
        if found:
            self._held, self._state = "", "between"
            return self._after(rest), reasoning
        kept = next((n for n in range(len(self._ends) - 1, 0, -1) if self._held.endswith(self._ends[:n])), 0)
        passed, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return "", passed

    def _after(self, text: str) -> str:
        """What follows the closing tag, without the empty lines between the two."""
        begun = text.lstrip("\n")
        self._state = "after" if begun else "between"
        return begun

    def _flushed(self) -> tuple[str, str]:
        held, self._held = self._held, ""
        return held, ""
