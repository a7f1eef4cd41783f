"""Tools and `tool_choice` as callers of both frameworks pass them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from rivya_core.errors import InvalidInputError
from rivya_core.structured.wire_forms import tool_name

CHOICES = {"auto": "auto", "none": "none", "any": "required", "required": "required"}
ALLOWED = "allowed_tools"


def tool_list(tools: Any) -> list[Any]:
    """Return *tools* as a list.

    Raises:
        InvalidInputError: It is not a list, for example a single tool; nothing was sent.
    """
    if isinstance(tools, (list, tuple)):  # nearly always, and the question below is expensive
        return list(tools)
    single = isinstance(tools, (str, bytes, Mapping, BaseModel, type)) or not isinstance(tools, Iterable)
    if single:
        raise InvalidInputError(f"Tools are passed as a list, not as one {type(tools).__name__}. Nothing was sent.")
    return list(tools)


def tool_choice_for(choice: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return *choice* as the API's `tool_choice`.

    Args:
        choice: None (not sent), `auto`, `none`, `any`, `required`, True (same as `any`), a tool's name, an object of
            either API, or LangChain's `{"type": "tool", "name": ...}`.
        tools: The tools of the call, as the API's objects.

    Returns:
        The value that chat completions take; the Responses API's client flattens it.

    Raises:
        InvalidInputError: There is no such tool; nothing was sent.
    """
    if choice is None or choice is False or choice == "":
        return None
    if choice is True:
        return "required"
    if isinstance(choice, Mapping):
        return _from_object(choice, tools)
    if not isinstance(choice, str):
        raise InvalidInputError(
            f"`tool_choice` must be a text, a bool or an object, not a {type(choice).__name__}. Nothing was sent."
        )
    if choice in CHOICES:
        return CHOICES[choice]
    if not any(tool_name(tool) == choice for tool in tools) and any(tool.get("type") == choice for tool in tools):
        return {"type": choice}
    return _named(choice, tools)


def _from_object(choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return an object as the API wants it; `type: tool` and a bare name are how other APIs name a function."""
    kind, name = choice.get("type"), tool_name(choice)
    if name and kind in (None, "tool", "function"):
        return _named(name, tools) if tools else _function(name)
    if kind == ALLOWED and isinstance(choice.get("tools"), list):
        allowed = [_nested(tool) for tool in choice["tools"]]
        return {"type": kind, kind: {**{key: choice[key] for key in choice if key != "type"}, "tools": allowed}}
    if len(choice) == 1 and isinstance(kind, str) and kind in CHOICES:
        return CHOICES[kind]
    return dict(choice) or None


def _nested(tool: Any) -> Any:
    is_flat = isinstance(tool, Mapping) and tool.get("type") == "function" and isinstance(tool.get("name"), str)
    return _function(tool["name"]) if is_flat else tool


def _named(name: str, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The choice of the tool that is called *name*."""
    found = next((tool for tool in tools if tool_name(tool) == name), None)
    if found is None:
        known = ", ".join(f"`{known}`" for known in [*CHOICES, *filter(None, map(tool_name, tools))])
        raise InvalidInputError(
            f"`tool_choice` is {name!r}, and there is no such tool. Use one of {known}, or an object. Nothing was sent."
        )
    return {"type": "custom", "custom": {"name": name}} if found.get("type") == "custom" else _function(name)


def _function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
