"""Which output items of a response are whose business. Pure.

https://platform.openai.com/docs/api-reference/responses/object. The provider runs some tools itself, and its items
report what it did. Others are calls that the caller must run and answer. Only what is known to be run by the provider
counts as run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROVIDER_RUN = tuple(
    "web_search_call file_search_call code_interpreter_call image_generation_call mcp_call mcp_list_tools "
    "x_search_call".split()
)
"""Types of items that report what the provider did; `x_search_call` is xAI's. No set: the type may be a list."""
TOOL_CALLS = frozenset({"function_call", "custom_tool_call", "tool_call", "server_tool_call"})
"""Types of calls that are tool calls in every API, or blocks of a framework."""
UNFINISHED = ("in_progress", "searching", "interpreting", "generating", "calling", "queued")
FAILED = ("failed", "incomplete")
OUTPUT_SUFFIX = "_call_output"
"""How the types of items end that hold what the caller answers."""
APPROVAL_REQUEST, APPROVAL = "mcp_approval_request", "mcp_approval_response"
"""An MCP server's question to the caller, and the answer."""


def is_provider_run(item: Mapping[str, Any]) -> bool:
    """Whether *item* reports what the provider did."""
    return str(item.get("type")) in PROVIDER_RUN or (
        item.get("type") == "tool_search_call" and item.get("execution") == "server"
    )


def is_client_run(item: Mapping[str, Any]) -> bool:
    """Whether the caller must answer *item*: a call of the computer, a shell, a patch, whatever is new, an approval."""
    kind = str(item.get("type"))
    is_call = kind.endswith("_call") and kind not in TOOL_CALLS and not is_provider_run(item)
    return is_call or kind == APPROVAL_REQUEST


def is_answer(item: Mapping[str, Any]) -> bool:
    """Whether *item* is what the caller answers."""
    return str(item.get("type")).endswith(OUTPUT_SUFFIX) or item.get("type") == APPROVAL


def is_unfinished(item: Mapping[str, Any]) -> bool:
    """Whether what *item* reports has not ended."""
    return str(item.get("status")) in UNFINISHED


def is_failed(item: Mapping[str, Any]) -> bool:
    """Whether what *item* reports has failed."""
    return str(item.get("status")) in FAILED or bool(item.get("error"))


def image_block(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the image that *item* reports, in the form of chat completions, or None."""
    data = item.get("result")
    if item.get("type") != "image_generation_call" or not isinstance(data, str) or not data:
        return None
    facts = {key: item[key] for key in ("id", "revised_prompt", "size", "quality", "background") if item.get(key)}
    url = f"data:image/{item.get('output_format') or 'png'};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url}, **facts}
