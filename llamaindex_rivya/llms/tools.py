"""LlamaIndex's tools in the form in which they are sent. Schemas are written in `rivya_core.structured`."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.tools.types import BaseTool, ToolMetadata

from rivya_core.adapters.tool_choice import tool_list
from rivya_core.errors import InvalidInputError
from rivya_core.structured.schemas import is_model_class, schema_of
from rivya_core.structured.wire_forms import wire_tool


def tool_schemas(tools: Sequence[BaseTool]) -> list[dict[str, Any]]:
    """Return *tools* as they are sent.

    Raises:
        InvalidInputError: An entry is not a tool of LlamaIndex. Nothing was sent.
    """
    return [_tool(_metadata(tool)) for tool in tool_list(tools)]


def _metadata(tool: Any) -> ToolMetadata:
    found = getattr(tool, "metadata", None)
    if not isinstance(found, ToolMetadata):
        raise InvalidInputError(
            f"A tool must be a LlamaIndex tool, not {type(tool).__name__}. Use `FunctionTool.from_defaults(function)` "
            "for a function, and `to_tool_list()` of a tool spec. Nothing was sent."
        )
    return found


def _tool(metadata: ToolMetadata) -> dict[str, Any]:
    """A tool whose metadata define their own schema keeps it."""
    if _writes_itself(type(metadata)) or not is_model_class(metadata.fn_schema):
        return wire_tool(metadata.to_openai_tool(skip_length_check=True))
    parameters = schema_of(metadata.fn_schema).parameters
    function = {"name": metadata.get_name(), "description": metadata.description, "parameters": parameters}
    return wire_tool({"type": "function", "function": function})


def _writes_itself(kind: type[ToolMetadata]) -> bool:
    written = kind.get_parameters_dict, kind.to_openai_tool
    return written != (ToolMetadata.get_parameters_dict, ToolMetadata.to_openai_tool)
