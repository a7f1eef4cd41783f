"""One vocabulary: private names and turns of phrase that read as translated do not come back.

An identifier is read as words (`look_again` is "look again"), so a private name is found wherever it stands. Code in
backticks is not checked.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("rivya_core", "langchain_rivya", "llamaindex_rivya", "rivya_sandbox", "llama_index", "benchmarks", "tests")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

NAMES = {
    r"crew": "client pool",
    r"thoughts?": "reasoning",
    r"pictures?": "image",
    r"shelf|shelves": "registry",
    r"patience|patiently": "polling policy, or how long",
    r"studio": "generator",
    r"(bring|brings|bringing|brought) home": "download",
    r"poison(s|ed|ing)?": "invalidate",
    r"spendings?|tall(y|ies)": "cost, cost tracker",
}
"""Private names that have a standard name, in identifiers and in prose."""

ENGLISH = {
    r"reckons?": "calculates, or assumes",
    r"liberties": "deviations",
    r"who(ever|soever)": "name the caller, or use the passive",
    r"(it|that|which|url|schema|answer|response|limit) is (?-i:none)": "is not a ..., or is invalid",
    r"(goes|go|going|went) on( with)?(?! to)": "continues",
    r"(goes|go|went) (back )?out( as| on| under)?": "is sent",
    r"stands? (in|at|under|there|once|beside)": "is in",
    r"beside (it|them|the|its|each)": "next to, or in addition to",
    r"comes? to nothing": "fails",
    r"(is|are|was|were|be) told": "gets, or is shown",
    r"at the utmost": "at most",
    r"mend(s|ed|ing)?": "fix",
    r"nobody|somebody": "name the component",
    r"(breaks?|broke|broken) off": "ends early",
    r"in hand": "downloaded",
    r"as it were|so to speak": "leave out",
    r"by itself": "automatically, or directly",
    r"cannot be said": "cannot be expressed",
    r"has no word for": "does not support",
    r"written down": "stored",
    r"(came|comes?) of (a|the|both|it)": "the outcome of",
    r"(?<!there )(is|are) no (JSON|list|text|object|session|call|function|format|file|result|error|answer)": "is not a ...",
}
"""Turns of phrase that read as translated, in prose."""

ALLOWED = {
    "rivya_core/rivya/vocabulary.py": r"thought",  # a word of the wire, in a pattern
    "rivya_sandbox/model/react_agent.py": r"thoughts?",  # the ReAct format
    "rivya_sandbox/model/text_utils.py": r"picture",  # words of the user's prompt
    "rivya_sandbox/model/tool_choice.py": r"picture",
    "rivya_sandbox/model/canned_replies.py": r"somebody",  # text of a reply
    "rivya_sandbox/rivya/dialects.py": r"thoughts",  # a key of a tolerated stream format
    "rivya_sandbox/sandbox.py": r"studio",  # the product's own chat application
    "tests/house/test_words.py": r".*",
    "tests/docs/test_pictures.py": r"pictures?",  # the folder `docs/pictures`
    "tests/support/pictures.py": r"pictures?",
    "tests/rivya_sandbox": r"thoughts?|pictures?|studio",  # prompts, ReAct, the product's application
    "tests/llamaindex_rivya": r"thoughts?|picture",  # ReAct, a file's name
}
"""Words that a file or folder may use, and why."""


def words_of(identifier: str) -> str:
    """`look_again` and `LookAgain` as words."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", identifier)
    return " ".join(re.split(r"[_\s]+", split)).strip().lower()


def without_code(text: str) -> str:
    """The text without code in backticks, link targets and the names of products."""
    return re.sub(r"`[^`]*`|\]\([^)]*\)|LM Studio", "", text)


def lines_of_page(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page without code blocks and included files."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.lstrip().startswith("--8<--"):
            yield number, without_code(line)


def texts_of(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, text and whether it is prose, for each identifier, comment and string with a blank in a module."""
    with tokenize.open(path) as file:
        tokens = list(tokenize.generate_tokens(io.StringIO(file.read()).readline))
    for token in tokens:
        if token.type == tokenize.NAME:
            yield token.start[0], words_of(token.string), False
        elif token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, without_code(line), True


def found_in(text: str, rules: dict[str, str], allowed: str = "") -> list[str]:
    """The words in *text* that have a better one."""
    return [
        f"{match.group(0)!r}: {better}"
        for pattern, better in rules.items()
        if (match := re.search(rf"\b({pattern})\b", text, re.IGNORECASE))
        and not re.fullmatch(allowed or "$", match.group(0), re.IGNORECASE)
    ]


def found_below(folder: str) -> list[str]:
    """The findings in the modules of *folder*: private names everywhere, and turns of phrase in prose."""
    return [
        f"{name}:{number} {what}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix())
        for allowed in ["|".join(words for place, words in ALLOWED.items() if name.startswith(place))]
        for number, text, prose in texts_of(path)
        for what in found_in(text, {**NAMES, **ENGLISH} if prose else NAMES, allowed)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_in_plain_english(page: Path) -> None:
    rules = {**NAMES, **ENGLISH}

    assert not [f"{number} {what}" for number, line in lines_of_page(page) for what in found_in(line, rules)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_code_is_in_plain_english(folder: str) -> None:
    assert not found_below(folder)


def test_the_lists_find_their_words() -> None:
    """A pattern that matches nothing would hide its word."""
    assert found_in("It goes on.", ENGLISH) == ["'goes on': continues"]
    assert found_in(words_of("_brokenThought"), NAMES) == ["'thought': reasoning"]
    assert found_in("Thought: done", NAMES, r"thoughts?") == []
    assert found_in("The request continues.", {**NAMES, **ENGLISH}) == []
