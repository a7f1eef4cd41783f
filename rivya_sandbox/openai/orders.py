"""A chat completion request, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.flavours import ChatModel, Flavour
from rivya_sandbox.openai.messages import read_messages
from rivya_sandbox.values import Context

KNOWN_KEYS = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages "
    "metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream "
    "stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options".split()
)
FUNCTION_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
NUMBERS = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}
MOST_STOPS = 4


@dataclass(frozen=True)
class Function:
    """A function that the model may call."""

    name: str
    about: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What a request asks for.

    Attributes:
        model: Who is to answer.
        context: What the model sees.
        functions: What it may call.
        choice: `auto`, `none` or `required`.
        forced: The function that it has to call, if one is named.
        parallel: Whether several calls may come at once.
        schema: What its text has to conform to; `{}` for any JSON object, None for any text.
        stream: Whether it is streamed.
        include_usage: Whether the stream ends with the usage.
        limit: Most tokens of the answer.
        stops: Texts at which it ends.
        logprobs: Whether log probabilities are wanted.
        thinks: Whether some effort to reason is asked for.
        body: The request itself.
    """

    model: ChatModel
    context: Context
    functions: tuple[Function, ...] = ()
    choice: str = "auto"
    forced: str | None = None
    parallel: bool = True
    schema: Mapping[str, Any] | None = None
    stream: bool = False
    include_usage: bool = False
    limit: int | None = None
    stops: tuple[str, ...] = ()
    logprobs: bool = False
    thinks: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)


def known_model(body: Mapping[str, Any], flavour: Flavour) -> ChatModel:
    """The model that is asked for.

    Raises:
        OpenAIRefusal: There is none of that name.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise OpenAIRefusal("you must provide a model parameter")
    if name not in flavour.models:
        refusal = OpenAIRefusal(
            f"The model `{name}` does not exist or you do not have access to it.", status=404, code="model_not_found"
        )
        refusal.model = name
        raise refusal
    return flavour.models[name]


def read_order(body: Mapping[str, Any], flavour: Flavour, model: ChatModel) -> Order:
    """The order in a request's body.

    Raises:
        OpenAIRefusal: As OpenAI would.
    """
    if not flavour.unknown_keys:
        refuse_unknown(body)
    context = read_messages(body.get("messages"))
    refuse_parameters(body, model)
    functions = tuple(read_function(tool, place) for place, tool in enumerate(body.get("tools") or ()))
    options = body.get("stream_options")
    if options is not None and not body.get("stream"):
        raise OpenAIRefusal(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    if model.wants_reasoning:
        refuse_missing_reasoning(body["messages"])
    return Order(
        model,
        context,
        functions,
        *read_choice(body, functions),
        body.get("parallel_tool_calls") is not False,
        read_format(body),
        body.get("stream") is True,
        isinstance(options, Mapping) and options.get("include_usage") is True,
        read_limit(body),
        read_stops(body.get("stop")),
        body.get("logprobs") is True,
        body.get("reasoning_effort") not in (None, "none"),
        body,
    )


def refuse_unknown(body: Mapping[str, Any]) -> None:
    """Refuse keys that OpenAI does not know."""
    unknown = sorted(body.keys() - KNOWN_KEYS)
    if unknown:
        raise OpenAIRefusal(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")


def refuse_parameters(body: Mapping[str, Any], model: ChatModel) -> None:
    """Refuse parameters that the model does not take, and values outside their range."""
    if body.get("max_tokens") is not None and not model.max_tokens:
        raise OpenAIRefusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if body.get("temperature") not in (None, 1) and not model.temperature:
        raise OpenAIRefusal(
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        )
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in model.efforts:
        raise unsupported("reasoning_effort", effort, [repr(name) for name in model.efforts])
    if body.get("n") not in (None, 1):
        raise unsupported("n", body["n"], ["1"])
    for key, (least, most) in NUMBERS.items():
        value = body.get(key)
        if value is not None and not (isinstance(value, (int, float)) and least <= value <= most):
            raise OpenAIRefusal(
                f"Invalid '{key}': expected a number between {least} and {most}.", param=key, code="invalid_value"
            )


def unsupported(param: str, value: Any, supported: list[str]) -> OpenAIRefusal:
    """The refusal of a value."""
    return OpenAIRefusal(
        f"Unsupported value: '{param}' does not support {value!r} with this model. Supported values are: "
        f"{', '.join(supported)}.",
        param=param,
        code="unsupported_value",
    )


def read_function(tool: Any, place: int) -> Function:
    """One entry of `tools`."""
    function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not FUNCTION_NAME.match(name):
        raise OpenAIRefusal(
            f"Invalid 'tools[{place}].function.name': expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            param=f"tools[{place}].function.name",
            code="invalid_value",
        )
    parameters = function.get("parameters") or {}
    if parameters and parameters.get("type") != "object":
        raise OpenAIRefusal(
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'.",
            param=f"tools[{place}].function.parameters",
            code="invalid_function_parameters",
        )
    if function.get("strict"):
        refuse_loose(parameters, f"function '{name}'", f"tools[{place}].function.parameters")
    return Function(name, str(function.get("description") or ""), parameters)


def read_choice(body: Mapping[str, Any], functions: tuple[Function, ...]) -> tuple[str, str | None]:
    """Whether something has to be called, and what."""
    choice = body.get("tool_choice")
    for key in ("tool_choice", "parallel_tool_calls"):
        if body.get(key) is not None and not functions and body.get(key) != "none":
            raise OpenAIRefusal(f"'{key}' is only allowed when 'tools' are specified.", param=key)
    if choice in (None, "auto", "none", "required"):
        return str(choice or "auto"), None
    function = choice.get("function") if isinstance(choice, Mapping) and choice.get("type") == "function" else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if name not in {function.name for function in functions}:
        raise OpenAIRefusal(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return "required", str(name)


def read_format(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the text has to conform to."""
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if wanted is None or kind == "text":
        return None
    if kind == "json_object":
        if "json" not in str(body["messages"]).lower():
            raise OpenAIRefusal(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                param="messages",
            )
        return {}
    inner = wanted.get("json_schema") if isinstance(wanted, Mapping) and kind == "json_schema" else None
    if not isinstance(inner, Mapping) or not FUNCTION_NAME.match(str(inner.get("name") or "")):
        raise OpenAIRefusal("Missing required parameter: 'response_format.json_schema.name'.", param="response_format")
    schema = inner.get("schema") or {}
    if inner.get("strict"):
        refuse_loose(schema, f"response_format '{inner['name']}'", "response_format")
    return dict(schema)


def refuse_loose(schema: Any, what: str, param: str, path: tuple[str, ...] = ()) -> None:
    """A strict schema closes every object and requires all its properties.

    Raises:
        OpenAIRefusal: It does not.
    """
    if isinstance(schema, list):
        for item in schema:
            refuse_loose(item, what, param, path)
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and schema.get("type") == "object":
        context = f"Invalid schema for {what}: In context={path!r}, "
        if schema.get("additionalProperties") is not False:
            raise loose(context + "'additionalProperties' is required to be supplied and to be false.", param)
        missing = [name for name in properties if name not in (schema.get("required") or ())]
        if missing:
            raise loose(
                context + "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'.",
                param,
            )
    for key, value in schema.items():
        refuse_loose(value, what, param, (*path, key))


def loose(message: str, param: str) -> OpenAIRefusal:
    """The refusal of a schema."""
    return OpenAIRefusal(message, param=param, code="invalid_json_schema")


def read_limit(body: Mapping[str, Any]) -> int | None:
    """Most tokens of the answer."""
    given = [body[key] for key in ("max_completion_tokens", "max_tokens") if body.get(key) is not None]
    if not given:
        return None
    if not isinstance(given[0], int) or given[0] < 1:
        raise OpenAIRefusal("Invalid 'max_completion_tokens': integer below minimum value.", param="max_tokens")
    return given[0]


def read_stops(stop: Any) -> tuple[str, ...]:
    """Texts at which the answer ends."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MOST_STOPS or not all(isinstance(text, str) for text in stops):
        raise OpenAIRefusal("Invalid 'stop': array too long. Expected at most 4 strings.", param="stop")
    return stops


def refuse_missing_reasoning(messages: list[Any]) -> None:
    """A reasoning model wants its own reasoning back in the steps of a tool loop."""
    asked = max((place for place, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    for message in messages[asked + 1 :]:
        if message.get("tool_calls") and not message.get("reasoning_content"):
            raise OpenAIRefusal("The `reasoning_content` in the thinking mode must be passed back to the API.")
