"""What the async driver does, the sync driver does, word for word; and no other file of the core is in two colours."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from rivya_core.http import drivers
from rivya_core.http.drivers import AsyncDriver, Driver

CORE = Path(drivers.__file__).parents[1]

RENAMES = [
    ("AsyncDriver", "Driver"),
    ("with an async client", "with a blocking client"),
    ("AsyncClient", "Client"),
    ("AsyncGenerator[E, None]", "Generator[E, None, None]"),
    ("Awaitable[None]", "None"),
    ("async def", "def"),
    ("async with", "with"),
    ("async for", "for"),
    ("await ", ""),
    ("aclosing", "closing"),
    ("aiter_bytes", "iter_bytes"),
    ("aiter(", "iter("),
    ("asyncio.sleep", "time.sleep"),
    ("acall", "call"),
    ("adrain", "drain"),
    ("atogether", "together"),
    ("aread", "read"),
    ("aclose", "close"),
]

COLOURED = {
    "drivers.py": "the only I/O",
    "clients.py": "clients belong to an event loop",
    "client_pool.py": "so do several of them",
    "fast_clients.py": "what a client does without",
    "network_watch.py": "what opens the connections of a client",
    "httpx2_clients.py": "clients again, of another library",
    "response_body.py": "a body is read by either driver",
    "account.py": "methods that people call, one line each",
    "image_operations.py": "the same for the image tools",
    "resumable.py": "the same for batches",
}
"""The files of the core in which `async` and `await` may stand, and why."""


def test_drivers_are_twins() -> None:
    """After these renames the two classes are the same text."""
    text = inspect.getsource(AsyncDriver)
    for name, twin in RENAMES:
        text = text.replace(name, twin)

    assert _plain(inspect.getsource(Driver)) == _plain(text)


@pytest.mark.parametrize("name", [name for name, _ in RENAMES])
def test_every_rename_is_needed(name: str) -> None:
    """A rule for something that is gone would hide the next difference."""
    assert name in inspect.getsource(AsyncDriver)


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_nothing_else_in_the_core_is_async(path: Path) -> None:
    """Exchanges are plans and streams are decoders; a second copy with `await` would drift."""
    kinds = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    found = [node.lineno for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]

    assert bool(found) == (path.name in COLOURED), f"{path.name}: async in lines {found}"


def _plain(text: str) -> str:
    """The text without the line breaks that only its length decided."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")
