"""`tool_choice` in the words of both frameworks, as the API's own value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivya_core.errors import InvalidInputError

CHOICES = {"auto": "auto", "none": "none", "any": "required", "required": "required"}


def tool_choice_for(choice: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return *choice* as the API's `tool_choice`.

    Args:
        choice: None (not sent), `auto`, `none`, `any`, `required`, True (same as `any`), a tool's name, the API's own
            object, or LangChain's `{"type": "tool", "name": ...}`.
        tools: The tools of the call, as the API's objects.

    Raises:
        InvalidInputError: There is no such tool; nothing was sent.
    """
    if choice is None or choice is False or choice == "":
        return None
    if choice is True:
        return "required"
    if isinstance(choice, Mapping):
        return _from_object(choice)
    if choice in CHOICES:
        return CHOICES[choice]
    names = [name for name in map(_name, tools) if name]
    if choice in names:
        is_custom = any(_name(tool) == choice and tool.get("type") == "custom" for tool in tools)
        return {"type": "custom", "custom": {"name": choice}} if is_custom else _function(choice)
    if any(tool.get("type") == choice for tool in tools):
        return {"type": choice}
    known = ", ".join(f"`{name}`" for name in [*CHOICES, *names])
    raise InvalidInputError(
        f"`tool_choice` is {choice!r}, and there is no such tool. Use one of {known}, or an object. Nothing was sent."
    )


def _from_object(choice: Mapping[str, Any]) -> Any:
    """Return an object as the API wants it; `type: tool` and a bare name are how other APIs name a function."""
    kind, name = choice.get("type"), choice.get("name")
    if isinstance(name, str) and kind in (None, "tool"):
        return _function(name)
    return CHOICES.get(kind) if len(choice) == 1 and kind in CHOICES else dict(choice) or None


def _name(tool: Mapping[str, Any]) -> Any:
    """Return the name of a function, in the form of either API."""
    inner = tool.get("function") or tool.get("custom")
    return inner.get("name") if isinstance(inner, Mapping) else tool.get("name")


def _function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
