"""Public names: which module each is in, so that a package loads it when it is first used and nothing before.

Type checkers do not run this; for them each package imports the same names under `TYPE_CHECKING`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rivya_core import errors
from rivya_core.extras import import_attribute
from rivya_core.providers import PROVIDERS, RIVYA

SHARED = {
    "BatchReport": "rivya_core.adapters.batches.progress",
    "FetchRules": "rivya_core.media.fetch_url",
    "GeneratedImage": "rivya_core.images.result",
    "ImageBatch": "rivya_core.images.contact_sheet",
    "MemoryLedger": "rivya_core.sessions.ledger",
    "ModelEntry": "rivya_core.models",
    "RedisLedger": "rivya_core.sessions.redis_ledger",
    "SQLiteLedger": "rivya_core.sessions.sqlite_ledger",
    "SQLiteTaskStore": "rivya_core.images.sqlite_task_store",
    "SessionTimeline": "rivya_core.reporting.timeline",
}
"""The public names that are the same objects in both packages; `shared_names.py` has them for type checkers."""


def chat_classes(room: str, prefix: str = "") -> dict[str, str]:
    """Return the chat class of every provider and its module below *room*."""
    return {f"{prefix}{each.class_name}": f"{room}.{'rivya' if each is RIVYA else 'providers'}" for each in PROVIDERS}


def error_classes(module: str) -> dict[str, str]:
    """Return the name of every error class, with *module* as its module."""
    return dict.fromkeys(errors.__all__, module)


def lazy_exports(
    package: str, modules: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` of a package whose names are loaded when they are first used.

    Args:
        package: Its `__name__`.
        modules: The module of each public name.
    """
    names = sorted(modules)

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = import_attribute(modules[name], name)
        setattr(sys.modules[package], name, value)
        return value

    return names, load, lambda: names
