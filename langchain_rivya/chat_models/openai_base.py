"""The base of the chat models of OpenAI-compatible back ends: fields, tools and structured output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.model_profile import ModelProfile

from langchain_rivya.chat_models.description import described
from langchain_rivya.chat_models.function_calling import ToolCallingChat
from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.model_facts import facts_for

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from langchain_rivya.chat_models.structured_output import Method


class BaseOpenAIChat(OpenAIFields, ToolCallingChat):
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
        labels = own if own and all(isinstance(value, str) for value in own.values()) else {}
        return {**super()._settings(options), "labels": labels}

    def _asks_for_sources(self, options: Mapping[str, Any], /) -> bool:
        from rivya_core.openai.options import asks_for_sources

        return asks_for_sources(self._settings(options))

    def _default_method(self) -> Method:
        if self.tool_calling == "prompted":
            return "prompted"
        return "json_schema" if self.provider.completions_profile(self.model).json_schema else "function_calling"

    def _resolve_model_profile(self) -> ModelProfile | None:
        model = self.model or self.provider.default_model
        facts = facts_for(model)
        if facts is None:
            return None
        json_schema = self.provider.completions_profile(model).json_schema
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
            structured_output=self.tool_calling == "native" and facts.structured_output and json_schema,
            reasoning_output=facts.reasoning,
        )
