"""Models that follow a script, for agents of both frameworks: each line is a text, a tool call, or made from the talk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

Line = str | list[tuple[str, dict[str, Any]]] | Callable[[str], Any]
"""What the model says: a text, tool calls as names and arguments, or a function of the last message's text."""


class ScriptedChatModel(BaseChatModel):
    """LangChain's."""

    script: list[Any]
    tools: list[Any] = []
    seen: list[list[BaseMessage]] = []

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.tools[:] = tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.seen.append(messages)
        line = self.script.pop(0)
        line = line(str(messages[-1].content)) if callable(line) else line
        number = len(self.seen)
        calls = (
            []
            if isinstance(line, str)
            else [ToolCall(name=name, args=args, id=f"call_{number}_{at}") for at, (name, args) in enumerate(line)]
        )
        text = line if isinstance(line, str) else ""
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, tool_calls=calls))])

    @property
    def _llm_type(self) -> str:
        return "scripted"


class ScriptedLLM(FunctionCallingLLM):
    """LlamaIndex's."""

    script: list[Any]
    seen: list[list[ChatMessage]] = []
    functions: bool = True

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=self.functions, model_name="scripted")

    def _next(self, messages: Sequence[ChatMessage]) -> ChatResponse:
        self.seen.append([*messages])
        line = self.script.pop(0)
        line = line(str(messages[-1].content)) if callable(line) else line
        calls = [] if isinstance(line, str) else line
        message = ChatMessage(role="assistant", content=line if isinstance(line, str) else "")
        message.additional_kwargs["calls"] = calls
        return ChatResponse(message=message, delta=message.content)

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        return self._next(messages)

    async def achat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        return self._next(messages)

    def stream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> Any:
        yield self._next(messages)

    async def astream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> Any:
        async def one() -> Any:
            yield self._next(messages)

        return one()

    def complete(self, *_: Any, **__: Any) -> Any: ...

    async def acomplete(self, *_: Any, **__: Any) -> Any: ...

    def stream_complete(self, *_: Any, **__: Any) -> Any: ...

    async def astream_complete(self, *_: Any, **__: Any) -> Any: ...

    def _prepare_chat_with_tools(self, tools: Any, user_msg: Any = None, chat_history: Any = None, **_: Any) -> Any:
        return {"messages": [*(chat_history or []), *([user_msg] if user_msg else [])]}

    def get_tool_calls_from_response(self, response: ChatResponse, **_: Any) -> list[ToolSelection]:
        calls = response.message.additional_kwargs.get("calls", [])
        number = len(self.seen)
        return [
            ToolSelection(tool_id=f"call_{number}_{at}", tool_name=name, tool_kwargs=args)
            for at, (name, args) in enumerate(calls)
        ]
