"""Custom tools, which take free text instead of arguments, in both APIs. Pure.

https://platform.openai.com/docs/guides/function-calling#custom-tools. In replies a call of one is a tool call whose
arguments are `{"input": text}`; in requests it and its result have forms of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rivya_core.http.json_codec import loads

CUSTOM = "custom"
CALL = "custom_tool_call"
INPUT_KEYS = ("input", "__arg1")
"""Names of the only argument; the second is LangChain's."""


def custom_names(tools: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the custom tools among *tools*, in the form of either API."""
    if not tools:
        return frozenset()
    found = (tool.get(CUSTOM) if isinstance(tool.get(CUSTOM), Mapping) else tool for tool in tools if _is_custom(tool))
    return frozenset(str(tool["name"]) for tool in found if tool and tool.get("name"))


def arguments_of(text: str) -> str:
    """Return the arguments of a call with the input *text*."""
    return json.dumps({"input": text}, ensure_ascii=False)


def input_of(arguments: str) -> str:
    """Return the input in the arguments of a call; anything else counts as the input itself."""
    try:
        value = loads(arguments)
    except ValueError:
        return arguments
    only = next((value[key] for key in INPUT_KEYS if key in value), None) if isinstance(value, dict) else None
    return only if isinstance(only, str) and len(value) == 1 else arguments


def nested(value: Any) -> Any:
    """Return a custom tool, or the choice of one, in the form of chat completions; anything else as it is."""
    if not _is_custom(value) or CUSTOM in value:
        return value
    return {"type": CUSTOM, CUSTOM: {key: part for key, part in value.items() if key != "type"}}


def _is_custom(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") == CUSTOM
