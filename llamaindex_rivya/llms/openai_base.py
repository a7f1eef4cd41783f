"""The base of the models of OpenAI-compatible back ends: fields, tools and structured output."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, get_args

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field

from llamaindex_rivya.errors import OutputError
from llamaindex_rivya.llms.base import HTTPLLM
from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.messages import tool_calls_of
from llamaindex_rivya.llms.output_modes import OutputMode, OutputModeName
from llamaindex_rivya.llms.tool_calls import check_calls, selections
from llamaindex_rivya.llms.tools import tool_schemas
from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.adapters.tool_choice import tool_choice_for
from rivya_core.errors import InvalidInputError
from rivya_core.model_facts import facts_for
from rivya_core.openai.chat import quirks

UNKNOWN_WINDOW = 32_000
"""Assumed context window of an unknown model, in tokens."""
LONGEST_OUTPUT = 4_096
"""Most tokens that prompts leave free if `max_tokens` is not set."""


class BaseOpenAILLM(OpenAIFields, HTTPLLM, FunctionCallingLLM):
    """Base of the models of OpenAI-compatible APIs; do not use it directly. Unset options are not sent."""

    takes: ClassVar[InputCapabilities] = InputCapabilities(
        "Chat completions",
        frozenset({"image", "audio", "video", "file"}),
        "Put it into a user's message.",
        frozenset({"user", "tool"}),
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

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: FBT001, FBT002 - the signature is LlamaIndex's
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002
        tool_required: bool = False,  # noqa: FBT001, FBT002
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the keywords of a chat with *tools*; the caller's list of messages stays as it is."""
        messages = list(chat_history or [])
        if user_msg is not None:
            said = (
                user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(role=MessageRole.USER, content=user_msg)
            )
            messages.append(said)
        asked: dict[str, Any] = {"messages": messages, **kwargs, "allow_parallel_tool_calls": allow_parallel_tool_calls}
        specs = tool_schemas(tools)
        if specs:
            choice = tool_choice_for(tool_choice or ("required" if tool_required else None), specs)
            asked |= {"tools": specs, **({} if choice is None else {"tool_choice": choice})}
        return asked

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - the signature is LlamaIndex's
        **_: Any,
    ) -> list[ToolSelection]:
        """Return the tool calls in a response, complete or still arriving.

        Raises:
            OutputError: With *error_on_no_tool_call*, if there is no call, or its arguments are not a JSON object.
        """
        calls = tool_calls_of(response.message)
        if error_on_no_tool_call:
            check_calls(response.message, calls)
        return selections(response.message, calls)

    def predict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> Any:
        """Let the model call one of *tools*, and return its output."""
        try:
            return super().predict_and_call(tools, *args, **kwargs)
        except KeyError as exc:
            raise _unknown_tool(exc) from exc

    async def apredict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> Any:
        """Let the model call one of *tools*, and return its output."""
        try:
            return await super().apredict_and_call(tools, *args, **kwargs)
        except KeyError as exc:
            raise _unknown_tool(exc) from exc


def _unknown_tool(error: KeyError) -> OutputError:
    """Return the error for a tool that was not offered; LlamaIndex itself raises a `KeyError`."""
    return OutputError(f"The model called a tool that was not offered: {error}.")
