"""LlamaIndex's hooks for function calling, the same for all models: tools on their way out, calls on their way back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool

from llamaindex_rivya.errors import OutputError
from llamaindex_rivya.llms.base import HTTPLLM
from llamaindex_rivya.llms.tools import tool_schemas
from rivya_core.adapters.tool_choice import tool_choice_for
from rivya_core.extras import LazyModule

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from llamaindex_rivya.llms import messages as inputs
    from llamaindex_rivya.llms import tool_calls
else:
    inputs = LazyModule("llamaindex_rivya.llms.messages")
    tool_calls = LazyModule("llamaindex_rivya.llms.tool_calls")


class ToolCallingLLM(HTTPLLM, FunctionCallingLLM):
    """Base of the models that call tools; do not use it directly."""

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
            OutputError: With *error_on_no_tool_call*, if there is none, or one that cannot be run.
        """
        calls = inputs.tool_calls_of(response.message)
        if error_on_no_tool_call:
            tool_calls.check_calls(response.message, calls)
        return tool_calls.selections(response.message, calls)

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
