"""Reads request bodies: JSON objects, checked by pydantic models, with errors in the words of each API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from rivya_sandbox.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request


class Body(BaseModel):
    """A JSON object in a request. Values are never converted; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", arbitrary_types_allowed=True)


BodyT = TypeVar("BodyT", bound=Body)


async def json_object(request: Request) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        ApiError: `validation_failed`: the body is not a JSON object.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise ApiError("validation_failed", "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ApiError("validation_failed", "The request body must be a JSON object.")
    return body


def parse(
    model: type[BodyT], body: Mapping[str, Any], error: Callable[[ErrorDetails, str], ApiError], where: str = ""
) -> BodyT:
    """Validate a body.

    Args:
        model: The pydantic model of the body.
        body: The JSON object.
        error: Makes the API's error from pydantic's first error and the path of the value.
        where: Path of the object itself, if it is part of a larger body.

    Raises:
        ApiError: The body is invalid.
    """
    try:
        return model.model_validate(dict(body))
    except ValidationError as found:
        first = found.errors(include_url=False)[0]
        path = path_of(first["loc"], body, where) + (first.get("ctx") or {}).get("at", "")
        raise error(first, path.lstrip(".")) from None


def path_of(location: Sequence[str | int], body: Any, where: str = "") -> str:
    """Return a path such as `messages[0].content` for pydantic's location, without the names of union members."""
    path, value = where, body
    for place, step in enumerate(location):
        if isinstance(step, int):
            path, value = f"{path}[{step}]", value[step]
        elif isinstance(value, Mapping) and (step in value or place == len(location) - 1):
            path, value = f"{path}.{step}", value.get(step)
    return path


def invalid(code: str, message: str, at: str = "") -> PydanticCustomError:
    """Return an error for a validator to raise.

    Args:
        code: The API's error code.
        message: The message; `{param}` in it stands for the path of the value.
        at: The path of the value inside what is validated, such as `.name`.
    """
    return PydanticCustomError(code, message, {"at": at})


def json_type(value: Any) -> str:
    """Return JSON's name of a value's type."""
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")
