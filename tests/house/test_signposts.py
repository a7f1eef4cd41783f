"""What docstrings, comments and guides point to is there: files, modules and names."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("rivya_core", "langchain_rivya", "llamaindex_rivya", "rivya_sandbox")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")])
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./*-]+\.(py|md|toml|ipynb|yml|yaml)")
WORD = re.compile(r"[a-z]\w*_\w+")
EXAMPLES = frozenset({"app.py", "main.py", "worker.py", "conftest.py"})
"""Files of the reader's own."""
FOREIGN = frozenset({"llama_index", "langchain_core", "is_final"})
"""Names of other packages, and of what a server may send."""


@lru_cache
def names_of_files() -> frozenset[str]:
    """Every file and directory of the repository by the ends of its path."""
    found: set[str] = set()
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") for part in parts[:1]) and "__pycache__" not in parts:
            found.update("/".join(parts[start:]) for start in range(len(parts)))
    return frozenset(found)


@lru_cache
def names_in_code() -> frozenset[str]:
    """Every name, and every word in a string that is no docstring, of packages, tests and files' names."""
    found: set[str] = {path.stem for path in [*SOURCES, *TESTS]} | FOREIGN
    for path in [*SOURCES, *TESTS]:
        text = path.read_text(encoding="utf-8")
        prose = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)}
        starts = {(node.lineno, node.col_offset) for node in prose}
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                found.add(token.string)
            elif token.type == tokenize.STRING and token.start not in starts:
                found.update(re.findall(r"\w+", token.string))
    return frozenset(found)


def prose_of(path: Path) -> str:
    """Docstrings and comments of a file."""
    text = path.read_text(encoding="utf-8")
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    comments = [
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    return "\n".join([*strings, *comments])


def lost_files(text: str) -> list[str]:
    quoted = [found.strip("./") for found in QUOTED.findall(text) if FILE.fullmatch(found) and "*" not in found]
    return sorted({name for name in quoted if name not in names_of_files() and name not in EXAMPLES})


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_code_points_to_are_there(path: Path) -> None:
    assert lost_files(prose_of(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_page_points_to_are_there(path: Path) -> None:
    assert lost_files(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_that_docstrings_point_to_are_there(path: Path) -> None:
    """Modules, functions and options with an underscore in their name; one that was renamed leaves no signpost."""
    words = {
        word for found in QUOTED.findall(prose_of(path)) for word in [found.partition("(")[0]] if WORD.fullmatch(word)
    }

    assert sorted(words - names_in_code()) == []
