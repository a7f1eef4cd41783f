"""The house has stairs in one direction only: no import circles, and no arrow from a lower room to a higher one."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("rivya_core", "langchain_rivya", "llamaindex_rivya", "rivya_sandbox")

LAYERS = (
    "errors extras pydantic_fast",
    "types providers model_facts",
    "http storage",
    "chat_stream models media sessions structured",
    "reporting prompted",
    "openai rivya",
    "images",
    "adapters",
)
"""The rooms of the core, from the ground up. A room imports its own floor and the floors below it."""
FLOOR = {room: number for number, rooms in enumerate(LAYERS) for room in rooms.split()}


def module_of(path: Path) -> str:
    """The dotted name of the module in *path*."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


@lru_cache
def imports_of(module: str) -> frozenset[str]:
    """The modules of this distribution that *module* imports, wherever in it, whether for types only or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return frozenset(name for name in found if name in MODULES and name != module)


def circles() -> list[list[str]]:
    """The groups of modules that reach each other by imports (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(imports_of(module)):
            if other not in index:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            found.extend([sorted(group)] if len(group) > 1 else [])

    for module in MODULES:
        if module not in index:
            visit(module)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert not [group for group in circles() if group[0].startswith(package)]


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("rivya_core.")])
def test_no_room_of_the_core_imports_a_higher_one(module: str) -> None:
    room = module.split(".")[1]
    rooms = {name: name.split(".")[1] for name in imports_of(module) if name != "rivya_core"}
    higher = {name for name, other in rooms.items() if FLOOR[other] > FLOOR[room]}

    assert not higher


def test_the_top_floor_of_the_core_is_small() -> None:
    files = [path.name for path in (ROOT / "rivya_core").glob("*.py") if path.name != "__init__.py"]

    assert len(files) <= 8
