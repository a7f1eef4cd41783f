"""Tools and structured output, the same for all chat models: what is bound, and what reads the reply."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_rivya.chat_models.base import HTTPChatModel
from langchain_rivya.errors import InvalidInputError, as_model_errors
from rivya_core.adapters.tool_choice import tool_choice_for

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from langchain_rivya.chat_models.structured_output import Method
    from langchain_rivya.chat_models.tools import ToolLike


class ToolCallingChat(HTTPChatModel):
    """Base of the chat models that call tools; do not use it directly."""

    @abstractmethod
    def _default_method(self) -> Method:
        """Return how `with_structured_output` asks, if its caller does not say."""

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
            OutputError: While it is called: a reply without a valid call, where a call is required and some
                tools stand for structured output (`ToolStrategy`). An agent would end there without its object.
        """
        from langchain_rivya.chat_models.structured_output import needs_call, with_call
        from langchain_rivya.chat_models.tools import tool_schemas

        schemas = tool_schemas(tools, strict=strict)
        choice = tool_choice_for(tool_choice, schemas)
        optional = {"tool_choice": choice, "parallel_tool_calls": parallel_tool_calls}
        present = {name: value for name, value in optional.items() if value is not None}
        bound = self.bind(tools=schemas, **present, **kwargs)
        return bound | with_call if choice == "required" and needs_call(tools) else bound

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
            method: `json_schema` (the provider's own), `function_calling`, `json_mode` (the prompt describes it), or
                `prompted` (in words, with one repair turn for a reply that does not fit). By default `prompted` where
                tools are asked for in words, else `json_schema` where the model takes it, else `function_calling`.
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}` and raise no parsing error.
            strict: Whether the reply must fit the schema exactly; sent only when set.
            tools: Further tools that the model may call instead, in the forms that `bind_tools` takes. A reply that
                calls them comes back as the message with its `tool_calls`; with *include_raw* it is `raw`, and
                `parsed` is None.
            kwargs: Further options of the calls.

        Raises:
            InvalidInputError: *method* is unknown or needs `tool_calling="prompted"`, or *strict* is True and
                the schema has no strict form; the message has the path of the part.
        """
        from langchain_rivya.chat_models.structured_output import Method, structured_output, with_parser
        from langchain_rivya.chat_models.tools import tool_schemas

        chosen = method or self._default_method()
        if chosen not in get_args(Method):
            raise InvalidInputError(f"`method` must be one of {', '.join(get_args(Method))}, not {method!r}.")
        if chosen == "prompted" and getattr(self, "tool_calling", None) == "native":
            raise InvalidInputError(
                'With `method="prompted"` the schema is sent in words, which needs a model with '
                '`tool_calling="prompted"`. Nothing was sent.'
            )
        options, parser = structured_output(schema, chosen, tool_schemas(tools, strict=strict), strict=strict)
        if "tool_choice" in kwargs:
            kwargs["tool_choice"] = tool_choice_for(kwargs["tool_choice"], options.get("tools", ()))
        return with_parser(self.bind(**{**options, **kwargs}), parser, include_raw=include_raw)
