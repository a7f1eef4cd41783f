"""The base of the chat models of OpenAI-compatible back ends: fields, tools and structured output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_rivya.chat_models.base import HTTPChatModel
from langchain_rivya.chat_models.description import described
from langchain_rivya.errors import InvalidInputError, as_model_errors
from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.adapters.tool_choice import tool_choice_for
from rivya_core.model_facts import facts_for

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from langchain_rivya.chat_models.structured_output import Method
    from langchain_rivya.chat_models.tools import ToolLike


class BaseOpenAIChat(OpenAIFields, HTTPChatModel):
    """Base of the chat models of OpenAI-compatible APIs; do not use it directly. Unset options are not sent."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Add the common part of the docstring to the class of a provider."""
        super().__pydantic_init_subclass__(**kwargs)
        if "provider" in vars(cls) and cls.__doc__:
            cls.__doc__ = described(cls.__name__, cls.__doc__, cls.provider)

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """The model's options for traces and caches: those that it sends with every call."""
        settings = self._settings({}).items()
        sent = {name: value for name, value in settings if value is not False and value not in (None, (), {})}
        return {**super()._identifying_params, **sent}

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """LangChain's `metadata` is sent too if its values are text, the only type that the API takes."""
        own = {name: value for name, value in (self.metadata or {}).items() if name != "lc_versions"}
        labels = own if all(isinstance(value, str) for value in own.values()) else {}
        return {**super()._settings(options), "labels": labels}

    @as_model_errors()
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
        from langchain_rivya.chat_models.tools import tool_schemas

        schemas = tool_schemas(tools, strict=strict)
        choice = tool_choice_for(tool_choice, schemas)
        optional = {"tool_choice": choice, "parallel_tool_calls": parallel_tool_calls}
        present = {name: value for name, value in optional.items() if value is not None}
        return self.bind(tools=schemas, **present, **kwargs)

    @as_model_errors()
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[ToolLike] = (),
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model followed by a parser that returns objects of *schema*.

        Args:
            schema: Pydantic class, `RootModel`, TypedDict, dataclass, or JSON schema. Replies are checked against it.
            method: `json_schema` (the provider's own), `function_calling`, or `json_mode` (the prompt describes it).
                By default `json_schema` where the model takes it, else `function_calling`.
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}` and raise no parsing error.
            strict: Whether the reply must fit the schema exactly; sent only when set.
            tools: Further tools that the model may call instead, in the forms that `bind_tools` takes. A reply that
                calls them comes back as the message with its `tool_calls`; with *include_raw* it is `raw`, and
                `parsed` is None.
            kwargs: Further options of the calls.

        Raises:
            InvalidInputError: *method* is unknown, or *strict* is True and the schema has no strict form;
                the message has the path of the part.
        """
        from langchain_rivya.chat_models.structured_output import Method, structured_output, with_parser
        from langchain_rivya.chat_models.tools import tool_schemas

        native = self.provider.completions_profile(self.model).json_schema
        chosen = method or ("json_schema" if native else "function_calling")
        if chosen not in get_args(Method):
            raise InvalidInputError(f"`method` must be one of {', '.join(get_args(Method))}, not {method!r}.")
        options, parser = structured_output(schema, chosen, tool_schemas(tools, strict=strict), strict=strict)
        if "tool_choice" in kwargs:
            kwargs["tool_choice"] = tool_choice_for(kwargs["tool_choice"], options.get("tools", ()))
        return with_parser(self.bind(**{**options, **kwargs}), parser, include_raw=include_raw)

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
