"""Tools and schemas in whatever form LangChain's users have them, as the wire's JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

ToolLike = Mapping[str, Any] | type | Callable[..., Any] | BaseTool


def tool_schemas(tools: Sequence[ToolLike], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Return *tools* as the wire's tool objects; a provider's built-in tool passes through untouched."""
    return [_tool(tool, strict=strict) for tool in tools]


def json_schema_format(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return *schema* as the wire's `response_format` of type `json_schema`."""
    function = convert_to_openai_tool(schema, strict=strict)["function"]
    inner: dict[str, Any] = {"name": function["name"], "schema": function.get("parameters", {"type": "object"})}
    if function.get("description"):
        inner["description"] = function["description"]
    if strict is not None:
        inner["strict"] = strict
    return {"type": "json_schema", "json_schema": inner}


def schema_tool(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return *schema* as a tool whose arguments are the wanted object."""
    return convert_to_openai_tool(schema, strict=strict)


def is_model_class(schema: Any) -> bool:
    """Whether *schema* is a pydantic class, of version 2 or 1."""
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _tool(tool: ToolLike, *, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, Mapping) and isinstance(tool.get("type"), str) and _is_built_in(tool):
        return dict(tool)
    return convert_to_openai_tool(tool, strict=strict)


def _is_built_in(tool: Mapping[str, Any]) -> bool:
    """A provider's own tool names its type and is no JSON schema of ours."""
    return tool["type"] != "object" and not tool.keys() & {"properties", "title", "input_schema"}
