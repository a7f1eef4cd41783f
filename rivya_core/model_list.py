"""The answer of `GET /models`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from rivya_core.answers import invalid_answer


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that an API lists.

    Attributes:
        id: For `model`.
        owned_by: Whose it is.
        created: Unix seconds.
        raw: All that the API says of it.
    """

    id: str
    owned_by: str | None = None
    created: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


def read_models(response: httpx.Response, value: Any) -> tuple[ModelEntry, ...]:
    """Return the models in the JSON *value* of *response*.

    Raises:
        InvalidAnswerError: It is no list of models.
    """
    listed = value.get("data", value.get("models")) if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise invalid_answer(response, "is not a list of models")
    return tuple(_entry(item) for item in listed if isinstance(item, Mapping) and isinstance(item.get("id"), str))


def _entry(item: Mapping[str, Any]) -> ModelEntry:
    owner, created = item.get("owned_by"), item.get("created")
    return ModelEntry(
        item["id"],
        owner if isinstance(owner, str) else None,
        created if isinstance(created, int) and not isinstance(created, bool) else None,
        item,
    )
