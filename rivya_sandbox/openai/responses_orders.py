"""A request to the Responses API, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.flavours import ChatModel, Flavour
from rivya_sandbox.openai.orders import Order, read_choice, read_format, read_function, refuse_parameters
from rivya_sandbox.openai.responses_input import Find, read_input
from rivya_sandbox.openai.responses_store import Stored
from rivya_sandbox.values import Message

KNOWN_KEYS = frozenset(
    "background conversation include input instructions max_output_tokens max_tool_calls metadata model "
    "parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning "
    "safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p "
    "truncation user".split()
)
BUILT_IN = (
    "web_search",
    "web_search_preview",
    "file_search",
    "code_interpreter",
    "image_generation",
    "mcp",
    "computer_use_preview",
    "local_shell",
    "custom",
)
LEAST_OUTPUT = 16


@dataclass(frozen=True)
class ResponseOrder:
    """What a request asks for.

    Attributes:
        order: What any completion is asked for.
        items: The input items.
        before: The response that is continued.
        store: Whether the response is kept.
        searches: Whether the model may search the web.
        must_search: Whether it has to.
        summary: Whether it summarises its reasoning.
        encrypted: Whether its reasoning is handed out encrypted.
        sources: Whether the sources of a search are listed.
    """

    order: Order
    items: tuple[Mapping[str, Any], ...]
    before: Stored | None = None
    store: bool = True
    searches: bool = False
    must_search: bool = False
    summary: bool = False
    encrypted: bool = False
    sources: bool = False


def read_response_order(
    body: Mapping[str, Any], flavour: Flavour, model: ChatModel, find: Find, before: Stored | None
) -> ResponseOrder:
    """The order in a request's body.

    Raises:
        OpenAIRefusal: As OpenAI would.
    """
    refuse_unknown(body, flavour)
    reasoning = body.get("reasoning") if isinstance(body.get("reasoning"), Mapping) else {}
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    refuse_parameters({**body, "reasoning_effort": effort}, model)
    spoken, items = read_input(body.get("input"), find, before.context if before else ())
    instructions = body.get("instructions")
    system = (Message("system", instructions),) if isinstance(instructions, str) else ()
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    functions = tuple(
        read_function(nested(tool), place) for place, tool in enumerate(tools) if is_function(tool, place)
    )
    choice, forced, must_search = read_tool_choice(body, functions)
    include = tuple(body.get("include") or ())
    order = Order(
        model,
        (*system, *spoken),
        functions,
        choice,
        forced,
        body.get("parallel_tool_calls") is not False,
        read_text_format(body),
        body.get("stream") is True,
        limit=read_limit(body),
        logprobs="message.output_text.logprobs" in include,
        thinks=effort not in (None, "none"),
        body=body,
    )
    return ResponseOrder(
        order,
        items,
        before,
        body.get("store") is not False,
        any(str(tool.get("type")).startswith("web_search") for tool in tools),
        must_search,
        bool(isinstance(reasoning, Mapping) and reasoning.get("summary")),
        "reasoning.encrypted_content" in include,
        "web_search_call.action.sources" in include,
    )


def refuse_unknown(body: Mapping[str, Any], flavour: Flavour) -> None:
    """Refuse keys that OpenAI does not know, and chat completions' names for what is called otherwise here."""
    unknown = sorted(body.keys() - KNOWN_KEYS)
    if unknown and (not flavour.unknown_keys or unknown[0] in ("messages", "max_tokens", "response_format")):
        raise OpenAIRefusal(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")


def is_function(tool: Mapping[str, Any], place: int) -> bool:
    """Whether a tool is the caller's function; a strange kind is refused."""
    kind = str(tool.get("type"))
    if kind != "function" and not kind.startswith(BUILT_IN):
        raise OpenAIRefusal(
            f"Invalid value: '{kind}'. Supported values are: 'function', {', '.join(map(repr, BUILT_IN))}.",
            param=f"tools[{place}].type",
            code="invalid_value",
        )
    if kind == "function" and not isinstance(tool.get("name"), str):
        raise OpenAIRefusal(
            f"Missing required parameter: 'tools[{place}].name'.",
            param=f"tools[{place}].name",
            code="missing_required_parameter",
        )
    return kind == "function"


def nested(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function in the form of chat completions."""
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def read_tool_choice(body: Mapping[str, Any], functions: tuple[Any, ...]) -> tuple[str, str | None, bool]:
    """Whether something has to be called, which function, and whether it is a search."""
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping) and choice.get("type") != "function":
        return "auto", None, str(choice.get("type")).startswith("web_search")
    if isinstance(choice, Mapping):
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    only_built_in = not functions and bool(body.get("tools"))
    if only_built_in and choice in ("auto", "required", None):
        return "auto", None, choice == "required"
    named = {"tool_choice": choice} if choice is not None else {}
    return (*read_choice(named, functions), False) if functions or choice != "auto" else ("auto", None, False)


def read_text_format(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the text has to conform to."""
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, Mapping) else None
    if not isinstance(wanted, Mapping):
        return None
    if wanted.get("type") == "json_schema":
        if "schema" not in wanted:
            raise OpenAIRefusal("Missing required parameter: 'text.format.schema'.", param="text.format.schema")
        wanted = {"type": "json_schema", "json_schema": {k: v for k, v in wanted.items() if k != "type"}}
    return read_format({"response_format": wanted, "messages": [body.get("input"), body.get("instructions")]})


def read_limit(body: Mapping[str, Any]) -> int | None:
    """Most tokens of the answer."""
    limit = body.get("max_output_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < LEAST_OUTPUT):
        raise OpenAIRefusal(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_OUTPUT}, but got "
            f"{limit} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    return limit
