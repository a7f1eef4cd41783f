"""Reading request bodies: JSON objects with known keys of the right types, or `validation_failed`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from rivya_sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

Body: TypeAlias = Mapping[str, Any]
MAX_CLIENT_REQUEST_ID = 128


async def json_object(request: Request) -> dict[str, Any]:
    """The request's body.

    Raises:
        Refusal: `validation_failed`, if it is not a JSON object.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Refusal("validation_failed", "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refusal("validation_failed", "The request body must be a JSON object.")
    return body


def only(body: Body, known: Collection[str], where: str = "The request body") -> None:
    """Refuse keys that the endpoint does not know."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise Refusal("validation_failed", f"{where} has unknown keys: {', '.join(unknown)}.")


def text(body: Body, key: str) -> str:
    """A required string that is not blank."""
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Refusal("validation_failed", f"{key} is required and must be a non-empty string.")
    return value


def optional_text(body: Body, key: str, limit: int | None = None) -> str | None:
    """An optional string; `null` counts as absent."""
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise Refusal("validation_failed", f"{key} must be a non-empty string.")
    if limit is not None and len(value) > limit:
        raise Refusal("validation_failed", f"{key} has {len(value)} characters, {limit} are allowed.")
    return value


def client_request_id(body: Body) -> str | None:
    """The caller's trace id, at most 128 characters."""
    return optional_text(body, "client_request_id", MAX_CLIENT_REQUEST_ID)


def flag(body: Body, key: str) -> bool:
    """An optional boolean, false by default."""
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise Refusal("validation_failed", f"{key} must be a boolean.")
    return value


def one_of(body: Body, key: str, options: Collection[str], default: str) -> str:
    """An optional string out of a list."""
    value = body.get(key, default)
    if value not in options:
        raise Refusal("validation_failed", f"{key} must be one of {', '.join(options)}.")
    return str(value)


def limited(value: str, key: str, limit: int | None) -> str:
    """The text, if it is not too long."""
    if limit is not None and len(value) > limit:
        raise Refusal("validation_failed", f"{key} has {len(value)} characters, {limit} are allowed.")
    return value
