"""The base of the models of OpenAI-compatible back ends: fields, tools and structured output."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, get_args

from llama_index.core.base.llms.types import LLMMetadata
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field

from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.function_calling import ToolCallingLLM
from llamaindex_rivya.llms.output_modes import OutputMode, OutputModeName
from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.errors import InvalidInputError
from rivya_core.model_facts import facts_for
from rivya_core.openai.chat import quirks

UNKNOWN_WINDOW = 32_000
"""Assumed context window of an unknown model, in tokens."""
LONGEST_OUTPUT = 4_096
"""Most tokens that prompts leave free if `max_tokens` is not set."""


class BaseOpenAILLM(OpenAIFields, ToolCallingLLM):
    """Base of the models of OpenAI-compatible APIs; do not use it directly. Unset options are not sent."""

    takes: ClassVar[InputCapabilities] = InputCapabilities(
        "Chat completions",
        frozenset({"image", "audio", "video", "file"}),
        "Put it into a user's message.",
        frozenset({"user", "tool", "assistant"}),
    )
    call_options: ClassVar[frozenset[str]] = OpenAIFields.call_options | {"allow_parallel_tool_calls"}

    is_function_calling_model: bool = Field(
        default=True, description="Whether the model calls tools; without them agents and programs work in text."
    )
    output_mode: OutputModeName = Field(
        default="auto",
        description="How objects are asked for: `native` (response format), `tool`, `prompted` (in words), or `auto`.",
    )
    context_window: int | None = Field(
        default=None, gt=0, description="Tokens of input and output; known for some models, else 32,000."
    )

    @property
    def metadata(self) -> LLMMetadata:
        """LlamaIndex's description of the model; nothing is sent or read for it, and any model id is accepted."""
        facts = facts_for(self.model)
        window = self.context_window or (facts.context_window if facts else UNKNOWN_WINDOW)
        return LLMMetadata(
            context_window=window,
            num_output=self.max_tokens or max(1, min(LONGEST_OUTPUT, window // 8)),
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
        )

    def _output_modes(
        self, output_cls: type[BaseModel], wanted: OutputModeName | None, options: Mapping[str, Any]
    ) -> Sequence[OutputMode]:
        chosen = wanted or self.output_mode
        if chosen not in get_args(OutputModeName):
            raise InvalidInputError(
                f"`output_mode` must be one of {', '.join(get_args(OutputModeName))}, not {chosen!r}. Nothing was sent."
            )
        if self.tool_calling == "prompted" and chosen in ("auto", "prompted"):
            return [OutputMode("prompted", output_cls, by_wire=True)]
        if chosen != "auto":
            return [OutputMode(chosen, output_cls)]
        if self.pydantic_program_mode == PydanticProgramMode.LLM or not self.is_function_calling_model:
            return [OutputMode("prompted", output_cls)]
        model = str(options.get("model") or self.model)
        native = self.provider.completions_profile(model).json_schema
        if not native or self.pydantic_program_mode != PydanticProgramMode.DEFAULT:
            return [OutputMode("tool", output_cls)]
        modes = [OutputMode("native", output_cls), OutputMode("prompted", output_cls)]
        return modes[1:] if quirks.known(self._endpoint.base_url, model).ignores_schemas else modes

    def _note_ignored(self, options: Mapping[str, Any]) -> None:
        where, model = self._endpoint.base_url, str(options.get("model") or self.model)
        quirks.remember(where, model, replace(quirks.known(where, model), ignores_schemas=True))
