"""What the models of OpenAI-compatible back ends share: their fields, tools, and how they are asked for objects."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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
from llamaindex_rivya.llms.output_modes import OutputMode, native_output, prompted_output, tool_output
from llamaindex_rivya.llms.tool_calls import check_calls, selections, tool_choice_for
from rivya_core.http.retry import RetryPolicy, retry_policy
from rivya_core.models import facts_for
from rivya_core.openai.options import OPTIONS
from rivya_core.openai.router import OpenAIRouter, settings_of
from rivya_core.sessions.pointers import OnMismatch

UNKNOWN_WINDOW = 32_000
"""Tokens that a model of unknown size is taken to have room for."""
LONGEST_OUTPUT = 4_096
"""Tokens that prompts leave free at most, when `max_tokens` does not say."""


class FunctionCallingModel(HTTPLLM, FunctionCallingLLM):
    """Base of the models that speak chat completions; not for use by itself. What is not set is not sent."""

    takes: ClassVar[InputCapabilities] = InputCapabilities(
        "Chat completions",
        frozenset({"image", "audio", "video", "file"}),
        "Put it into a user's message.",
        frozenset({"user", "tool"}),
    )
    call_options: ClassVar[frozenset[str]] = OPTIONS | {"timeout", "allow_parallel_tool_calls"}

    temperature: float | None = Field(default=None, description="0 to 2; many reasoning models take none.")
    max_tokens: int | None = Field(default=None, gt=0, description="Limit of the reply's tokens, reasoning included.")
    top_p: float | None = Field(default=None, description="0 to 1.")
    stop: list[str] | str | None = Field(default=None, description="Up to four texts that end the reply.")
    seed: int | None = Field(default=None, description="For replies that are repeatable as far as possible.")
    frequency_penalty: float | None = Field(default=None, description="-2 to 2.")
    presence_penalty: float | None = Field(default=None, description="-2 to 2.")
    logit_bias: dict[str, float] | None = Field(default=None, description="Bias by token id.")
    logprobs: bool | None = Field(default=None, description="Whether to return log probabilities.")
    top_logprobs: int | None = Field(default=None, description="How many alternatives, 0 to 20.")
    reasoning_effort: str | None = Field(default=None, description="For example `low`.")
    verbosity: str | None = Field(default=None, description="`low`, `medium` or `high`.")
    parallel_tool_calls: bool | None = Field(default=None, description="Whether several calls may come in one reply.")
    service_tier: str | None = Field(default=None, description="For example `flex`.")
    user: str | None = Field(default=None, description="Your own user, for abuse detection.")
    stream_usage: bool | None = Field(default=None, description="Whether to ask for usage in streams.")
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Merged into every request's body.")
    retry_lost_answers: bool = Field(
        default=False,
        description="Whether to repeat a call whose answer was lost (a timeout, a broken connection), although it may "
        "be charged.",
    )
    include_response_headers: bool = Field(default=False, description="Whether `raw` holds the answer's headers.")
    think_tags: bool = Field(default=False, description="Whether text in `<think>` tags is reasoning.")
    use_responses_api: bool | None = Field(
        default=None, description="Whether to use the Responses API; by default where a turn needs it."
    )
    use_previous_response_id: bool = Field(
        default=False, description="Whether to continue the stored response of the last reply, if the history is its."
    )
    on_history_mismatch: OnMismatch = Field(
        default="replay", description="What to do with a history that no stored response holds: `replay` or `error`."
    )
    previous_response_id: str | None = Field(default=None, description="A stored response to continue, unchecked.")
    instructions: str | None = Field(default=None, description="A system message beside the messages.")
    include: list[str] | None = Field(default=None, description="What else a response is to hold.")
    store: bool | None = Field(default=None, description="Whether the provider keeps the reply.")
    truncation: str | None = Field(default=None, description="`auto` or `disabled`; Responses API.")
    reasoning: dict[str, Any] | None = Field(default=None, description="For example `{'effort': 'low'}`.")
    reasoning_summary: str | None = Field(default=None, description="`auto`, `concise` or `detailed`.")
    max_tool_calls: int | None = Field(default=None, description="How many built-in tool calls there may be.")
    built_in_tools: list[dict[str, Any]] = Field(
        default_factory=list, description="The provider's own tools, for example `{'type': 'web_search_preview'}`."
    )
    is_function_calling_model: bool = Field(
        default=True, description="Whether the model calls tools; without them agents and programs work in text."
    )
    context_window: int | None = Field(
        default=None, gt=0, description="Tokens of input and output; known for some models, else 32,000."
    )

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex asks about the model; nothing is sent or read for it, and any model will do."""
        facts = facts_for(self.model)
        window = self.context_window or (facts.context_window if facts else UNKNOWN_WINDOW)
        return LLMMetadata(
            context_window=window,
            num_output=self.max_tokens or max(1, min(LONGEST_OUTPUT, window // 8)),
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
        )

    def _wire(self, options: Mapping[str, Any]) -> OpenAIRouter:
        own = {name: getattr(self, name) for name in settings_of(type(self))}
        call = {name: value for name, value in options.items() if name in OPTIONS}
        tools = (*self.built_in_tools, *(call.get("tools") or ()))
        asked = {
            **own,
            **({} if tools else {"parallel_tool_calls": None}),
            **call,
            "tools": tools,
            "model": call.get("model") or self.model,
            "extra_body": {**self.extra_body, **(call.get("extra_body") or {})},
        }
        return OpenAIRouter(self._endpoint(options), asked, self._retry)

    @property
    def _retry(self) -> RetryPolicy:
        return retry_policy(self.max_retries, self.max_retry_seconds, self.retry_lost_answers)

    def _form(self, output_cls: type[BaseModel], options: Mapping[str, Any]) -> OutputMode:
        """Natively where the provider takes a JSON schema, else by a tool, else in words."""
        if self.pydantic_program_mode == PydanticProgramMode.LLM or not self.is_function_calling_model:
            return prompted_output(output_cls)
        native = self.provider.completions_profile(options.get("model") or self.model).json_schema
        default = self.pydantic_program_mode == PydanticProgramMode.DEFAULT
        return native_output(output_cls) if native and default else tool_output(output_cls)

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
        specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        if specs:
            choice = tool_choice_for(tool_choice, specs, required=tool_required)
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
            OutputError: With *error_on_no_tool_call*, if there is none, or one whose arguments are no JSON object.
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
    """LlamaIndex looks a call's tool up by its name and has no word for one that is not there."""
    return OutputError(f"The model called a tool that was not offered: {error}.")
