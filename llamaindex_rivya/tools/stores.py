"""LlamaIndex's key-value stores as stores of image tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llama_index.core.storage.kvstore.types import BaseKVStore

from rivya_core.images.task_store import KeyValueTaskStore, TaskStore

COLLECTION = "rivya_image_tasks"


class _Values:
    """Text values in a collection of a `BaseKVStore`."""

    def __init__(self, store: BaseKVStore) -> None:
        self._store = store

    def read(self, key: str) -> str | None:
        value = self._store.get(key, collection=COLLECTION)
        text = value.get("record") if isinstance(value, dict) else None
        return text if isinstance(text, str) else None

    def write(self, key: str, text: str) -> None:
        self._store.put(key, {"record": text}, collection=COLLECTION)

    def delete(self, key: str) -> None:
        self._store.delete(key, collection=COLLECTION)

    def keys(self, prefix: str) -> Iterable[str]:
        return [key for key in self._store.get_all(collection=COLLECTION) if key.startswith(prefix)]


def as_task_store(store: Any) -> TaskStore | Any:
    """Return a task store over a LlamaIndex store; anything else unchanged."""
    return KeyValueTaskStore(_Values(store)) if isinstance(store, BaseKVStore) else store
