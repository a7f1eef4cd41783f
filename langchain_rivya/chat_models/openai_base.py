"""What the chat models of OpenAI-compatible back ends share: their fields, tools and structured output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, get_args

import httpx
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import AliasChoices, Field

from langchain_rivya.chat_models.base import HTTPChatModel, Wire
from langchain_rivya.chat_models.structured_output import Method, StructuredOutputParser, with_parser
from langchain_rivya.chat_models.tools import (
    ToolLike,
    json_schema_format,
    schema_tool,
    tool_choice_for,
    tool_schemas,
)
from langchain_rivya.errors import InvalidInputError
from rivya_core.http.retry import RetryPolicy, retry_policy
from rivya_core.models import facts_for
from rivya_core.openai.options import OPTIONS
from rivya_core.openai.router import OpenAIRouter, settings_of
from rivya_core.sessions.pointers import OnMismatch


class BaseOpenAIChat(HTTPChatModel):
    """Base of the chat models that speak chat completions; not for use by itself. What is not set is not sent."""

    temperature: float | None = None
    """0 to 2; many reasoning models take none."""
    max_tokens: int | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"), gt=0
    )
    """Limit of the reply's tokens, reasoning included; goes out under the name that the model wants."""
    top_p: float | None = None
    """0 to 1."""
    stop: list[str] | str | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    """Up to four texts that end the reply."""
    seed: int | None = None
    """For replies that are repeatable as far as possible."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    presence_penalty: float | None = None
    """-2 to 2."""
    logit_bias: Mapping[str, float] | None = None
    """Bias by token id."""
    logprobs: bool | None = None
    """Whether to return log probabilities; they are in `response_metadata`."""
    top_logprobs: int | None = None
    """How many alternatives, 0 to 20."""
    reasoning_effort: str | None = None
    """For example `low`; which ones there are is the model's."""
    verbosity: str | None = None
    """`low`, `medium` or `high`."""
    parallel_tool_calls: bool | None = None
    """Whether several calls may come in one reply."""
    service_tier: str | None = None
    """For example `flex`."""
    user: str | None = None
    """Your own user, for abuse detection."""
    stream_usage: bool | None = None
    """Whether to ask for usage in streams; by default wherever the provider is not known to refuse it."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """Merged into every request's body, for what has no name here."""
    retry_lost_answers: bool = False
    """Whether to repeat a call whose answer was lost (a timeout, a broken connection), although it may be charged."""
    include_response_headers: bool = False
    """Whether `response_metadata` holds the answer's headers."""
    think_tags: bool = False
    """Whether text in `<think>` tags is reasoning instead of text."""

    use_responses_api: bool | None = None
    """Whether to use the Responses API; by default where a turn needs it: a built-in tool, `include`, a file by URL."""
    use_previous_response_id: bool = False
    """Whether to continue the stored response of the last reply, as long as the messages are what it holds."""
    on_history_mismatch: OnMismatch = "replay"
    """With `use_previous_response_id`: what to do with a history that no stored response holds."""
    previous_response_id: str | None = None
    """A stored response to continue, unchecked; the messages are sent as they are. Responses API."""
    instructions: str | None = None
    """A system message beside the messages. Responses API."""
    include: Sequence[str] | None = None
    """What else the answer is to hold, for example `reasoning.encrypted_content`. Responses API."""
    store: bool | None = None
    """Whether the provider keeps the reply."""
    truncation: str | None = None
    """`auto` or `disabled`. Responses API."""
    reasoning: Mapping[str, Any] | None = None
    """For example `{"effort": "low", "summary": "auto"}`. Responses API."""
    reasoning_summary: str | None = None
    """`auto`, `concise` or `detailed`. Responses API."""
    max_tool_calls: int | None = None
    """How many built-in tool calls there may be. Responses API."""

    call_options: ClassVar[frozenset[str]] = OPTIONS | {"timeout", "max_completion_tokens"}

    def _wire(self, options: Mapping[str, Any]) -> Wire:
        where = self._endpoint
        if options.get("timeout") is not None:
            where = replace(where, timeout=httpx.Timeout(options["timeout"]))
        return OpenAIRouter(where, self._settings(options), self._retry)

    @property
    def _retry(self) -> RetryPolicy:
        return retry_policy(self.max_retries, self.max_retry_seconds, self.retry_lost_answers)

    def _settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the model's settings with a call's overrides; `extra_body` of both is merged."""
        own = {name: getattr(self, name) for name in settings_of(type(self))}
        call = {name: value for name, value in given.items() if name in OPTIONS and value is not None}
        if given.get("max_completion_tokens") is not None:
            call["max_tokens"] = given["max_completion_tokens"]
        merged = {**own, **call, "extra_body": {**self.extra_body, **call.get("extra_body", {})}}
        merged["tools"] = tuple(call.get("tools", ()))
        if not merged["tools"] and "parallel_tool_calls" not in call:
            merged["parallel_tool_calls"] = None
        return merged

    def _overrides(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(kwargs)
        usage = given.pop("stream_usage", None)
        if given.pop("n", None) not in (None, 1):
            raise InvalidInputError("One call gives one reply; use `batch` for several instead of `n`.")
        found = super()._overrides(stop, given)
        return found if usage is None else {**found, "stream_usage": usage}

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools.

        Args:
            tools: Pydantic classes, functions, `BaseTool`s, TypedDicts, JSON schemas, or a provider's built-in tools.
            tool_choice: `auto`, `none`, `any`, `required`, True (same as `any`), a tool's name, or the wire's object.
            strict: Whether arguments must fit the schema exactly; sent only when set.
            parallel_tool_calls: Whether several calls may come in one reply; sent only when set.
            kwargs: Further options of the calls.

        Raises:
            InvalidInputError: `tool_choice` names no tool.
        """
        schemas = tool_schemas(tools, strict=strict)
        choice = tool_choice_for(tool_choice, schemas)
        optional = {"tool_choice": choice, "parallel_tool_calls": parallel_tool_calls}
        present = {name: value for name, value in optional.items() if value is not None}
        return self.bind(tools=schemas, **present, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with a parser behind it that gives objects of *schema*.

        Args:
            schema: Pydantic class, TypedDict, or JSON schema.
            method: `json_schema` (the provider's own), `function_calling`, or `json_mode` (say the form in the prompt).
                By default `json_schema` where the model takes it, else `function_calling`.
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}` and raise no parsing error.
            strict: Whether the reply must fit the schema exactly; sent only when set.
            kwargs: Further options of the calls.

        Raises:
            InvalidInputError: *method* is none of the three.
        """
        native = self.provider.completions_profile(self.model).json_schema
        chosen = method or ("json_schema" if native else "function_calling")
        if chosen not in get_args(Method):
            raise InvalidInputError(f"`method` must be one of {', '.join(get_args(Method))}, not {method!r}.")
        told = {"kwargs": {"method": chosen, "strict": strict}, "schema": schema}
        parser = StructuredOutputParser(wanted=schema)
        if chosen == "function_calling":
            tool = schema_tool(schema, strict=strict)
            name = tool["function"]["name"]
            parser = StructuredOutputParser(wanted=schema, tool_name=name)
            choice: dict[str, Any] = {"type": "function", "function": {"name": name}}
            bound = self.bind(tools=[tool], tool_choice=choice, ls_structured_output_format=told, **kwargs)
        elif chosen == "json_schema":
            form = json_schema_format(schema, strict=strict)
            bound = self.bind(response_format=form, ls_structured_output_format=told, **kwargs)
        else:
            bound = self.bind(response_format={"type": "json_object"}, ls_structured_output_format=told, **kwargs)
        return with_parser(bound, parser, include_raw=include_raw)

    def _resolve_model_profile(self) -> ModelProfile | None:
        model = self.model or self.provider.default_model
        facts = facts_for(model)
        if facts is None:
            return None
        return ModelProfile(
            max_input_tokens=facts.max_input,
            max_output_tokens=facts.max_output,
            text_inputs=True,
            text_outputs=True,
            image_inputs=facts.images,
            image_url_inputs=facts.images,
            tool_calling=facts.tools,
            tool_choice=facts.tools,
            tool_call_streaming=facts.tools,
            structured_output=facts.structured_output and self.provider.completions_profile(model).json_schema,
            reasoning_output=facts.reasoning,
        )
