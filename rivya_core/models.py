"""The models that an API lists: `GET /models`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries

PATH = "/models"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that an API lists.

    Attributes:
        id: Value for `model`.
        owned_by: Owner, if the API names one.
        created: Unix time in seconds.
        raw: The entry as the API returned it.
    """

    id: str
    owned_by: str | None = None
    created: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


def list_models(endpoint: Endpoint, retry: RetryPolicy) -> Plan[tuple[ModelEntry, ...]]:
    """Return all models that the API lists.

    Raises:
        InvalidResponseError: The response is not a list of models.
    """
    response = yield from send_with_retries(endpoint.request("GET", PATH), retry)
    return read_models(response, parse_json(response))


def list_chat_models(endpoint: Endpoint, retry: RetryPolicy) -> Plan[list[ModelEntry]]:
    """Return the models that chat; where an API does not say what its models are for (`category`), all of them."""
    listed = yield from list_models(endpoint, retry)
    return [model for model in listed if model.raw.get("category", "chat") == "chat"]


def read_models(response: httpx.Response, value: Any) -> tuple[ModelEntry, ...]:
    """Return the models in the JSON *value* of *response*.

    Raises:
        InvalidResponseError: It is not a list of models.
    """
    listed = value.get("data", value.get("models")) if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise invalid_response(response, "is not a list of models")
    return tuple(_entry(item) for item in listed if isinstance(item, Mapping) and isinstance(item.get("id"), str))


def _entry(item: Mapping[str, Any]) -> ModelEntry:
    owner, created = item.get("owned_by"), item.get("created")
    return ModelEntry(
        item["id"],
        owner if isinstance(owner, str) else None,
        created if isinstance(created, int) and not isinstance(created, bool) else None,
        item,
    )
