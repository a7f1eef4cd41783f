"""Who may import whom, how large a file may be, and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("rivya_core", "langchain_rivya", "llamaindex_rivya", "rivya_sandbox")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ALLOWED = {
    "rivya_core": {"rivya_core"},
    "langchain_rivya": {"langchain_rivya", "rivya_core"},
    "llamaindex_rivya": {"llamaindex_rivya", "rivya_core"},
    "rivya_sandbox": {"rivya_sandbox"},
}
FRAMEWORKS = {"langchain", "langchain_core", "langgraph", "llama_index", "workflows", "openai"}
MOST_LINES = 400
MOST_FUNCTION_LINES = 45
"""Docstring and signature not counted; most functions are far below."""

EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def imported(path: Path) -> Iterator[str]:
    """The packages that a file imports, wherever in it, whether for types only or not."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


@EVERY_FILE
def test_the_packages_import_only_downwards(path: Path) -> None:
    """`langchain_rivya` -> `rivya_core` <- `llamaindex_rivya`; the sandbox stands alone."""
    package = path.relative_to(ROOT).parts[0]
    ours = {name for name in imported(path) if name in PACKAGES}

    assert ours <= ALLOWED[package]


@EVERY_FILE
def test_each_framework_stays_in_its_half(path: Path) -> None:
    """The core knows httpx and no framework, and neither half knows the other's."""
    package = path.relative_to(ROOT).parts[0]
    own = {"langchain_rivya": {"langchain_core"}, "llamaindex_rivya": {"llama_index"}}.get(package, set())

    assert FRAMEWORKS.isdisjoint(set(imported(path)) - own)


@EVERY_FILE
def test_the_http_library_is_imported_in_one_place(path: Path) -> None:
    """A move to its successor is a change of one file. The sandbox shares no code with the packages."""
    if path.relative_to(ROOT).parts[0] != "rivya_sandbox" and path.name not in {"library.py", "errors.py"}:
        assert {"httpx", "httpx2"}.isdisjoint(imported(path))


@EVERY_FILE
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@EVERY_FILE
def test_no_function_is_too_long_to_read(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    bodies = {node.name: node.body[1:] if ast.get_docstring(node) else node.body for node in functions}
    sizes = {name: (body[-1].end_lineno or 0) - body[0].lineno + 1 for name, body in bodies.items() if body}

    assert not {name: size for name, size in sizes.items() if size > MOST_FUNCTION_LINES}


@EVERY_FILE
def test_every_file_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def loaded_by(statement: str) -> set[str]:
    """The top packages that a new Python has loaded after *statement*."""
    script = f"{statement}\nimport sys\nprint(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import langchain_rivya", FRAMEWORKS | {"httpx", "pydantic"}),
        ("import llamaindex_rivya", FRAMEWORKS | {"httpx", "pydantic"}),
        ("import langchain_rivya; dir(langchain_rivya)", FRAMEWORKS),
        (
            "import rivya_core.http.clients, rivya_core.rivya.session_chat",
            FRAMEWORKS | {"starlette", "uvicorn", "redis", "sqlite3"},
        ),
        ("from langchain_rivya import ChatRivya", {"llama_index", "openai", "starlette", "redis", "PIL", "langgraph"}),
        ("from llamaindex_rivya import Rivya", {"langchain_core", "starlette", "redis"}),
        ("import rivya_sandbox", {"starlette", "uvicorn", "PIL", "rivya_core"}),
    ],
)
def test_importing_loads_no_more_than_is_used(statement: str, never: set[str]) -> None:
    assert not loaded_by(statement) & never
