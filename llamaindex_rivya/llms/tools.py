"""LlamaIndex's tools in the form in which they are sent. Schemas are written in `rivya_core.structured`."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.tools.types import BaseTool, ToolMetadata

from rivya_core.structured.schemas import is_model_class, schema_of
from rivya_core.structured.wire_forms import wire_tool


def tool_schemas(tools: Sequence[BaseTool]) -> list[dict[str, Any]]:
    """Return *tools* as they are sent."""
    return [_tool(tool.metadata) for tool in tools]


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
