"""`GET /models`: which models an API lists, and which of them chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from rivya_core.answers import invalid_answer, json_of
from rivya_core.endpoints import Endpoint
from rivya_core.exchange import Retry, exchange
from rivya_core.plan import Plan

PATH = "/models"


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


def list_models(endpoint: Endpoint, retry: Retry) -> Plan[tuple[ModelEntry, ...]]:
    """Return all models that the API lists.

    Raises:
        InvalidAnswerError: The answer is no list of models.
    """
    response = yield from exchange(endpoint.request("GET", PATH), retry)
    return read_models(response, json_of(response))


def list_chat_models(endpoint: Endpoint, retry: Retry) -> Plan[list[ModelEntry]]:
    """Return the models that chat; where an API does not say what its models are for (`category`), all of them."""
    listed = yield from list_models(endpoint, retry)
    return [model for model in listed if model.raw.get("category", "chat") == "chat"]


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
