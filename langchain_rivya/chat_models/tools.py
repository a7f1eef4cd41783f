"""LangChain's tools in the form in which they are sent. Schemas are written in `rivya_core.structured`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_origin

from langchain_core.tools import BaseTool, Tool, create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import is_typeddict

from rivya_core.adapters.tool_choice import tool_list
from rivya_core.errors import InvalidInputError
from rivya_core.structured.schemas import is_model_class, schema_of
from rivya_core.structured.wire_forms import wire_tool

ToolLike = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
DESCRIBED_APART = frozenset({"title", "description"})


def tool_schemas(tools: Sequence[ToolLike], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Return *tools* as they are sent; a provider's own tool stays as it is.

    Raises:
        InvalidInputError: An entry is not a tool, or has no strict form. Nothing was sent.
    """
    return [_tool(tool, strict=strict) for tool in tool_list(tools)]


def schema_like(schema: Any) -> Any:
    """Return *schema* in a form that `schema_of` takes: tools and functions stand for their arguments."""
    is_class = isinstance(schema, (Mapping, type)) or is_typeddict(schema)
    is_tool = isinstance(schema, BaseTool) or (callable(schema) and not is_class and get_origin(schema) is None)
    return _tool(schema) if is_tool else schema


def _tool(tool: ToolLike, *, strict: bool | None = None) -> dict[str, Any]:
    if isinstance(tool, BaseTool):
        return _of_base_tool(tool, strict=strict)
    if isinstance(tool, Mapping):
        return wire_tool(convert_to_openai_tool(tool) if "toolSpec" in tool else tool, strict=strict)
    if isinstance(tool, type) or is_typeddict(tool) or not callable(tool):
        return wire_tool(tool, strict=strict)
    name = getattr(tool, "__name__", None)
    if name is None:
        raise InvalidInputError(
            f"A tool must be a function, a class, a LangChain tool or a JSON schema, not {type(tool).__name__}. "
            "Nothing was sent."
        )
    arguments = create_schema_from_function(
        name, tool, parse_docstring=True, error_on_invalid_docstring=False, include_injected=False
    )
    return _function(name, arguments.__doc__ or "", schema_of(arguments).parameters, strict=strict)


def _of_base_tool(tool: BaseTool, *, strict: bool | None) -> dict[str, Any]:
    """A tool with the schema of what a model fills in; free-form and simple tools are LangChain's own special cases."""
    special = isinstance(tool, Tool) and (not tool.args_schema or (tool.metadata or {}).get("type") == "custom_tool")
    if special:
        return wire_tool(convert_to_openai_tool(tool), strict=strict)
    schema: Any = tool.tool_call_schema
    if is_model_class(schema):
        schema = schema_of(schema).parameters
    parameters = {key: value for key, value in schema.items() if key not in DESCRIBED_APART}
    return _function(tool.name, tool.description, parameters, strict=strict)


def _function(name: str, description: str, parameters: Mapping[str, Any], *, strict: bool | None) -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": parameters}
    return wire_tool({"type": "function", "function": function}, strict=strict)
