"""A request to the Responses API, checked as strictly as OpenAI checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from rivya_sandbox.openai.chat_request import (
    ChatRequest,
    FormatBody,
    SamplingBody,
    check_known,
    check_supported,
    schema_of,
)
from rivya_sandbox.openai.content import FunctionBody, SchemaBody, choose_tool, parse_body
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.openai.providers import ChatModel, Provider
from rivya_sandbox.openai.responses_input import Find, read_input
from rivya_sandbox.openai.responses_store import StoredResponse
from rivya_sandbox.validation import Body, invalid
from rivya_sandbox.values import Message, ModelRequest, Tool

UNCHECKED = frozenset(
    "background conversation max_tool_calls metadata prompt prompt_cache_key prompt_cache_retention safety_identifier "
    "service_tier stream_options top_logprobs truncation user".split()
)
"""Parameters that OpenAI knows and the sandbox ignores."""
CHAT_NAMES = frozenset({"messages", "max_tokens", "response_format"})
"""Parameters of chat completions that have another name here."""
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


class _Tool(Body):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _is_known(self) -> _Tool:
        if self.type != "function" and not self.type.startswith(BUILT_IN):
            supported = ", ".join(map(repr, ("function", *BUILT_IN)))
            raise invalid("invalid_value", f"Invalid value: '{self.type}'. Supported values are: {supported}.", ".type")
        if self.type == "function" and self.name is None:
            raise invalid("missing_required_parameter", "Missing required parameter: '{param}'.", ".name")
        return self


class _TextFormat(SchemaBody):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None  # type: ignore[assignment]  # only a schema has one


class _Text(Body):
    format: _TextFormat | None = None


class _Reasoning(Body):
    effort: str | None = None
    summary: str | None = None


class ResponsesBody(SamplingBody):
    """The request's body."""

    input: Any = None
    instructions: str | None = None
    tools: list[_Tool] | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: int | None = Field(None, ge=16)
    include: list[str] | None = None
    store: bool | None = None
    previous_response_id: str | None = None


@dataclass(frozen=True)
class ResponsesRequest:
    """What a request asks for.

    Attributes:
        chat: What any completion request asks for.
        previous: The response that it continues.
        store: Whether the response is stored.
        searches: Whether the model may search the web.
        must_search: Whether it must.
        summary: Whether it summarizes its reasoning.
        encrypted: Whether the reasoning comes encrypted.
        sources: Whether a search lists its sources.
    """

    chat: ChatRequest
    previous: StoredResponse | None = None
    store: bool = True
    searches: bool = False
    must_search: bool = False
    summary: bool = False
    encrypted: bool = False
    sources: bool = False


def read_responses_request(
    body: Mapping[str, Any], provider: Provider, model: ChatModel, find: Find, previous: StoredResponse | None
) -> ResponsesRequest:
    """Read a request's body.

    Raises:
        OpenAIError: The body is invalid.
    """
    check_known(body.keys() & CHAT_NAMES if provider.unknown_keys else body.keys(), KNOWN)
    asked = parse_body(ResponsesBody, body)
    effort = asked.reasoning.effort if asked.reasoning else None
    check_supported(asked, model, effort)
    prompt, must_search = prompt_of(asked, find, previous)
    include = asked.include or ()
    chat = ChatRequest(
        model,
        prompt,
        bool(asked.stream),
        logprobs="message.output_text.logprobs" in include,
        reasons=effort not in (None, "none"),
        body=body,
    )
    return ResponsesRequest(
        chat,
        previous,
        asked.store is not False,
        any(tool.type.startswith("web_search") for tool in asked.tools or ()),
        must_search,
        bool(asked.reasoning and asked.reasoning.summary),
        "reasoning.encrypted_content" in include,
        "web_search_call.action.sources" in include,
    )


KNOWN = UNCHECKED | ResponsesBody.model_fields.keys()


def prompt_of(asked: ResponsesBody, find: Find, previous: StoredResponse | None) -> tuple[ModelRequest, bool]:
    """Return what the model gets, and whether it must search the web."""
    messages = read_input(asked.input, find, previous.context if previous else ())
    system = (Message("system", asked.instructions),) if asked.instructions is not None else ()
    tools = tuple(
        parse_body(FunctionBody, tool.model_dump(), f"tools[{place}]").tool()
        for place, tool in enumerate(asked.tools or ())
        if tool.type == "function"
    )
    choice, forced, must_search = read_tool_choice(asked, tools)
    request = ModelRequest(
        (*system, *messages),
        tools=tools,
        tool_choice=choice,
        forced_tool=forced,
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        schema=read_format(asked),
        max_tokens=asked.max_output_tokens,
    )
    return request, must_search


def read_tool_choice(asked: ResponsesBody, tools: tuple[Tool, ...]) -> tuple[str, str | None, bool]:
    """Return whether the model must call a tool, which one, and whether it must search the web."""
    choice = asked.tool_choice
    if isinstance(choice, Mapping) and choice.get("type") != "function":
        return "auto", None, str(choice.get("type")).startswith("web_search")
    if not tools and asked.tools and choice in ("auto", "required", None):
        return "auto", None, choice == "required"
    if not tools and choice not in (None, "auto", "none"):
        raise OpenAIError("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    return (*choose_tool(choice, tools, lambda named: named.get("name")), False)


def read_format(asked: ResponsesBody) -> Mapping[str, Any] | None:
    """Return the schema of the reply."""
    wanted = asked.text.format if asked.text else None
    if wanted is None:
        return None
    if wanted.type == "json_schema" and wanted.schema_ is None:
        raise OpenAIError("Missing required parameter: 'text.format.schema'.", param="text.format.schema")
    return schema_of(FormatBody(type=wanted.type, json_schema=wanted), str([asked.input, asked.instructions]))
