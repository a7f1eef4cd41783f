"""A chat completion request, checked as strictly as OpenAI checks it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rivya_sandbox.openai.content import FunctionBody, SchemaBody, choose_tool, parse_body
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.openai.messages import MessageBody, check_tool_results
from rivya_sandbox.openai.providers import ChatModel, Provider
from rivya_sandbox.validation import Body
from rivya_sandbox.values import ModelRequest, Tool

UNCHECKED = frozenset(
    "audio function_call functions logit_bias metadata modalities prediction prompt_cache_key prompt_cache_retention "
    "safety_identifier seed service_tier store top_logprobs user verbosity web_search_options".split()
)
"""Parameters that OpenAI knows and the sandbox ignores."""


class _Tool(Body):
    type: Literal["function"]
    function: FunctionBody


class FormatBody(Body):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaBody | None = None


class _StreamOptions(Body):
    include_usage: bool = False


def as_list(stop: Any) -> Any:
    """Turn one stop text into a list."""
    return [stop] if isinstance(stop, str) else stop


class SamplingBody(Body):
    """The parameters that chat completions and the Responses API share."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    stream: bool | None = None
    parallel_tool_calls: bool | None = None
    tool_choice: Any = None


class ChatBody(SamplingBody):
    """The request's body."""

    messages: list[MessageBody] = Field(min_length=1)
    tools: list[_Tool] | None = None
    response_format: FormatBody | None = None
    stream_options: _StreamOptions | None = None
    max_completion_tokens: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    stop: Annotated[list[str] | None, BeforeValidator(as_list), Field(max_length=4)] = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    n: Literal[1] | None = None
    logprobs: bool | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True)
class ChatRequest:
    """What a request asks for.

    Attributes:
        model: The model that replies.
        prompt: What the model gets.
        stream: Whether the reply is streamed.
        include_usage: Whether the stream ends with the usage.
        stop: Texts at which the reply ends.
        logprobs: Whether the reply contains log probabilities.
        reasons: Whether the request asks for reasoning.
        body: The body itself.
    """

    model: ChatModel
    prompt: ModelRequest
    stream: bool = False
    include_usage: bool = False
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    reasons: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)


def known_model(body: Mapping[str, Any], provider: Provider) -> ChatModel:
    """Return the model of a request.

    Raises:
        OpenAIError: The provider has no such model.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise OpenAIError("you must provide a model parameter")
    if name not in provider.models:
        error = OpenAIError(
            f"The model `{name}` does not exist or you do not have access to it.", status=404, code="model_not_found"
        )
        error.model = name
        raise error
    return provider.models[name]


def read_chat_request(body: Mapping[str, Any], provider: Provider, model: ChatModel) -> ChatRequest:
    """Read a request's body.

    Raises:
        OpenAIError: The body is invalid.
    """
    if not provider.unknown_keys:
        check_known(body.keys(), UNCHECKED | ChatBody.model_fields.keys())
    asked = parse_body(ChatBody, body)
    check_supported(asked, model, asked.reasoning_effort)
    if asked.max_tokens is not None and not model.max_tokens:
        raise OpenAIError(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if asked.stream_options is not None and not asked.stream:
        raise OpenAIError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    if model.needs_reasoning:
        check_reasoning(body["messages"])
    return ChatRequest(
        model,
        prompt_of(asked),
        bool(asked.stream),
        bool(asked.stream_options and asked.stream_options.include_usage),
        tuple(asked.stop or ()),
        bool(asked.logprobs),
        asked.reasoning_effort not in (None, "none"),
        body,
    )


def prompt_of(asked: ChatBody) -> ModelRequest:
    """Return what the model gets."""
    tools = tuple(tool.function.tool() for tool in asked.tools or ())
    check_tools_given(asked, tools)
    choice, forced = choose_tool(asked.tool_choice, tools, lambda choice: (choice.get("function") or {}).get("name"))
    return ModelRequest(
        check_tool_results([message.read() for message in asked.messages]),
        tools=tools,
        tool_choice=choice,
        forced_tool=forced,
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        schema=schema_of(asked.response_format, str(asked.messages)),
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
    )


def schema_of(wanted: FormatBody | None, prompt: str) -> Mapping[str, Any] | None:
    """Return the schema of the reply; `{}` for any JSON object, `None` for any text.

    Raises:
        OpenAIError: The prompt does not mention JSON, or the schema is missing.
    """
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        if "json" not in prompt.lower():
            raise OpenAIError(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                param="messages",
            )
        return {}
    if wanted.json_schema is None:
        raise OpenAIError("Missing required parameter: 'response_format.json_schema.name'.", param="response_format")
    return wanted.json_schema.schema_ or {}


def check_known(names: AbstractSet[str], known: AbstractSet[str]) -> None:
    """Reject parameters that OpenAI does not know."""
    unknown = sorted(names - known)
    if unknown:
        raise OpenAIError(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")


def check_supported(asked: SamplingBody, model: ChatModel, effort: str | None) -> None:
    """Reject a temperature or an effort that the model does not accept."""
    if asked.temperature not in (None, 1) and not model.temperature:
        raise OpenAIError(
            f"Unsupported value: 'temperature' does not support {asked.temperature:g} with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        )
    if effort is not None and effort not in model.efforts:
        raise OpenAIError(
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. Supported values are: "
            f"{', '.join(map(repr, model.efforts))}.",
            param="reasoning_effort",
            code="unsupported_value",
        )


def check_tools_given(asked: SamplingBody, tools: tuple[Tool, ...]) -> None:
    """Reject parameters that only make sense with tools."""
    for key in ("tool_choice", "parallel_tool_calls"):
        value = getattr(asked, key)
        if value is not None and value != "none" and not tools:
            raise OpenAIError(f"'{key}' is only allowed when 'tools' are specified.", param=key)


def check_reasoning(messages: list[Any]) -> None:
    """Check that a tool loop sends the model's reasoning back.

    Raises:
        OpenAIError: It does not.
    """
    asked = max((place for place, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    for message in messages[asked + 1 :]:
        if message.get("tool_calls") and not message.get("reasoning_content"):
            raise OpenAIError("The `reasoning_content` in the thinking mode must be passed back to the API.")
