"""Finds values in a text: names, numbers, places, dates, quoted words, `key: value` pairs.

It finds each by its form alone, so the result is deterministic. It uses each piece of the text for one value only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rivya_sandbox.model.text_utils import STOPWORDS, stems, subject_of

QUOTED = re.compile(r"'([^'\n]{1,200})'|\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|「([^」\n]{1,200})」")
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d)")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\w")
URL = re.compile(r"https?://[^\s)>\]'\"]+")
DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
PROPER = re.compile(r"\b[A-Z][\w'\u2019-]+(?:\s+(?:(?:of|de|von|van|the|la)\s+)?[A-Z][\w'\u2019-]+)*")
PLACE = re.compile(
    r"(?:\b(?:in|at|from|to|for|near)\s+)([A-Z][\w'\u2019-]+(?:\s+[A-Z][\w'\u2019-]+)*(?:,\s*[A-Z][\w'\u2019-]+(?:\s[A-Z][\w'\u2019-]+)*)?)"
)
VALUE = (
    r"\s*(?:=|:|\bis\b|\bwas\b|\bof\b|\bnamed\b|\bcalled\b)\s*"
    r"(?:'([^']*)'|\"([^\"]*)\"|([^,;\n()]+?))"
    r"(?=\s*(?:$|[,;\n()]|\.(?:\s|$)|\band\b))"
)
DASHED = re.compile(r"\s[-\u2013\u2014]\s+(.{3,200})$", re.DOTALL)


class SlotExtractor:
    """A text, and the parts of it that are still unused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._taken: set[tuple[int, int]] = set()

    def pair(self, name: str) -> str | None:
        """Return the value in `name: value`, `name = value` or `name is value`."""
        messages = re.escape(name.replace("_", " ")).replace(r"\ ", "[ _-]")
        found = re.search(rf"(?i)\b{messages}\b{VALUE}", self.text)
        return next((group.strip() for group in found.groups() if group), None) if found else None

    def next(self, form: re.Pattern[str]) -> str | None:
        """Return the next unused match of a pattern."""
        for found in form.finditer(self.text):
            group = next((place for place, text in enumerate(found.groups(), 1) if text), 0)
            if not any(start < found.end(group) and found.start(group) < end for start, end in self._taken):
                self._taken.add(found.span(group))
                return found.group(group).strip()
        return None

    def number(self) -> float | int | None:
        """Return the next unused number."""
        found = self.next(NUMBER)
        if found is None:
            return None
        plain = found.replace(",", "")
        return float(plain) if "." in plain else int(plain)

    def number_near(self, words: Iterable[str]) -> float | None:
        """Return the number right before or after one of the words: `1.8 metres`, `age of 30`."""
        names = "|".join(re.escape(word) for word in words if word not in STOPWORDS and len(word) > 1)
        before = rf"(?i)(-?\d+(?:\.\d+)?)\s*(?:{names})\b"
        after = rf"(?i)\b(?:{names})(?: of| is|:| =)? (-?\d+(?:\.\d+)?)\b"
        found = (re.search(before, self.text) or re.search(after, self.text)) if names else None
        return float(found[1]) if found else None

    def name(self) -> str | None:
        """Return the next unused quoted words, or the next name that is not just a sentence's first word."""
        quoted = self.next(QUOTED)
        if quoted is not None:
            return quoted
        while (found := self.next(PROPER)) is not None:
            first, _, rest = found.partition(" ")
            if first.lower() not in STOPWORDS and not is_command(first):
                return found
            if rest and rest[:1].isupper():
                return rest
        return None

    def items(self) -> list[str]:
        """Return the items of a list in the text."""
        lines = re.findall(r"(?m)^\s*(?:[-*•]|\d+[.)])\s+(.+)$", self.text)
        if lines:
            return [line.strip() for line in lines]
        after = self.text.rpartition(":")[2] if ":" in self.text else self.text
        parts = [part.strip(" .?!\"'") for part in re.split(r",|\band\b|;", after)]
        return [part for part in parts if part] if len(parts) > 1 else []

    def sentences(self) -> list[str]:
        """Return the lines or sentences."""
        after = self.text.rpartition(":\n")[2]
        return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+|;\s*", after) if part.strip()]

    def says(self, word: str) -> bool:
        """Return whether the text contains the word."""
        return re.search(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", self.text) is not None

    def mentions(self, words: str) -> bool:
        """Return whether the text mentions something."""
        wanted = stems(words.replace("_", " "))
        return bool(wanted) and bool(wanted & stems(self.text))

    @property
    def subject(self) -> str:
        """What the text is about."""
        about = re.search(r"(?i)\b(?:about|on|regarding)\s+(?:the\s+|an?\s+)?([\w' -]{2,60})", self.text)
        found = about[1].strip() if about else ""
        return re.split(r"(?i)\b(?:and|with|include|including|no|return)\b", found)[0].strip() or subject_of(self.text)

    @property
    def remark(self) -> str | None:
        """The text after a dash."""
        found = DASHED.search(self.text)
        return found[1].strip() if found else None


def is_command(word: str) -> bool:
    """Return whether the word is the verb of a command."""
    return word.lower() in COMMANDS


COMMANDS = frozenset(
    "add answer book call classify compare compute convert count create delete describe draw explain extract fetch "
    "fill find generate get give hello hi list look make multiply name open order parse pick plan play please post "
    "query read record return review run save search send set show store subtract suggest sum summarise summarize "
    "tell translate update use write".split()
)
