"""Checks a value against a schema: pydantic checks classes, `jsonschema` checks JSON schemas without the network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from rivya_core.structured.schemas import WRAPPER, Schema


class MismatchError(ValueError):
    """A value does not fit a schema; the message says where and why."""


def fit(schema: Schema, value: Any) -> Any:
    """Return *value* as what *schema* describes: an instance of its class, or the value itself.

    Raises:
        MismatchError: It does not fit.
    """
    if schema.wrapped and isinstance(value, Mapping) and set(value) == {WRAPPER}:
        value = value[WRAPPER]
    if schema.adapter is None:
        check_json(value, schema.inner, schema.parameters)
        return value
    try:
        return schema.adapter(value)
    except (ValueError, TypeError, RecursionError) as exc:  # pydantic's ValidationError is a ValueError
        raise MismatchError(_said(exc)) from exc


def check_json(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> None:
    """Check *value* against a JSON schema.

    Args:
        value: Any JSON value.
        schema: What it must fit.
        root: The schema that local references are resolved in; *schema* itself by default.

    Raises:
        MismatchError: It does not fit.
    """
    definitions = {key: root[key] for key in ("$defs", "definitions") if root is not None and key in root}
    try:
        error = _validator(to_json({**definitions, **schema})).evolve().iter_errors(value)
        first = next(iter(sorted(error, key=lambda found: len(found.absolute_path))), None)
    except RecursionError:
        raise MismatchError("it is nested too deeply") from None
    except Exception as exc:
        raise MismatchError(f"its schema cannot be read: {type(exc).__name__}") from exc
    if first is not None:
        where = ".".join(map(str, first.absolute_path))
        raise MismatchError(f"{f'`{where}`: ' if where else ''}{first.message[:300]}")


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Any:
    """A validator whose references stay inside the schema."""
    import json

    from rivya_core.extras import import_attribute

    kind = import_attribute("jsonschema", "Draft202012Validator")
    registry = import_attribute("referencing", "Registry")
    return kind(json.loads(schema), registry=registry())


def _said(exc: Exception) -> str:
    """What pydantic found, in one line; never the input, which may be long."""
    errors = getattr(exc, "errors", None)
    if not callable(errors):
        return str(exc)[:300]
    found = errors() if not hasattr(exc, "error_count") else errors(include_url=False, include_input=False)
    said = [f"`{'.'.join(map(str, one['loc'])) or 'value'}`: {one['msg']}" for one in found[:5]]
    return "; ".join(said)
