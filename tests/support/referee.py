"""The official client's types as a referee: a body has to be valid, to the last key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from openai import OpenAI
from pydantic import BaseModel, TypeAdapter

from rivya_sandbox import Sandbox

made: list[OpenAI] = []
"""All clients, to be closed after a test."""


def client(sandbox: Sandbox, flavour: str = "openai", **options: Any) -> OpenAI:
    """The official client on one of the sandbox's APIs; it never asks twice."""
    url = {"openai": sandbox.openai_url, "evolink": sandbox.evolink_url, "gmi": sandbox.gmi_url}[flavour]
    made.append(OpenAI(**{"base_url": url, "api_key": sandbox.api_key, "max_retries": 0, **options}))
    return made[-1]


def strictly(kind: Any, value: Any, allowed: frozenset[str] = frozenset()) -> Any:
    """The value as *kind*, validated; no key may be one that the type does not know."""
    valid = adapter(kind).validate_python(value)
    strange = set(extras(valid)) - allowed
    assert not strange, f"keys that {kind} does not know: {strange}"
    return valid


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """The validator of a type; that of all events takes a while to build."""
    return TypeAdapter(kind)


def extras(value: Any) -> Iterator[str]:
    """The unknown keys in a value and in all that it holds."""
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from extras(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from extras(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from extras(item)


def tool(name: str, about: str, **properties: Any) -> dict[str, Any]:
    """A function for chat completions; every property is required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": parameters}}


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
WEATHER = tool("get_weather", "Get the weather at a location.", location=TEXT)
ADD = tool("add", "Add two numbers.", a=WHOLE, b=WHOLE)
MULTIPLY = tool("multiply", "Multiply two numbers.", a=WHOLE, b=WHOLE)
