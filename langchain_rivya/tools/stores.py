"""LangChain's key-value stores as stores of image tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.stores import BaseStore

from rivya_core.images.task_store import KeyValueTaskStore, TaskStore


class _Values:
    """A `BaseStore` of any values or of bytes. Text is stored as bytes, which both kinds take."""

    def __init__(self, store: BaseStore[str, Any]) -> None:
        self._store = store

    def read(self, key: str) -> str | bytes | None:
        value = self._store.mget([key])[0]
        return value if isinstance(value, (str, bytes)) else None

    def write(self, key: str, text: str) -> None:
        self._store.mset([(key, text.encode())])

    def delete(self, key: str) -> None:
        self._store.mdelete([key])

    def keys(self, prefix: str) -> Iterable[str]:
        return [str(key) for key in self._store.yield_keys(prefix=prefix)]


def as_task_store(store: Any) -> TaskStore | Any:
    """Return a task store over a LangChain store; anything else unchanged."""
    return KeyValueTaskStore(_Values(store)) if isinstance(store, BaseStore) else store
