"""The rows of `backends.py` through LlamaIndex: this package's model and the incumbent, as messages that the checks read.

The checks read LangChain's messages, so a reply of LlamaIndex is written as one: its blocks, calls, usage and facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.messages import AIMessage
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CitationBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from llamaindex_rivya import OpenAICompatible, RivyaError
from llamaindex_rivya.errors import ContextOverflowError as OwnOverflowError
from llamaindex_rivya.llms.blocks import RefusalBlock

NOT_ASKED = frozenset({"38 a tool that failed"})
"""Rows that LlamaIndex's messages cannot express."""
MODES = {"json_schema": "native", "json_mode": "native", "function_calling": "tool"}
QUESTION = [ChatMessage("?")]
TOOL = {"type": "custom", "name": "run"}


class Answer(BaseModel):
    """d."""

    value: int | None = None


def ours(row: Any, options: Mapping[str, Any]) -> Any:
    """Return this package's model for *row*."""
    further = {"output_mode": MODES[row.method]} if row.method else {}
    tools = {"built_in_tools": [TOOL]} if options.get("use_responses_api") else {}
    return OpenAICompatible(**options, **further, **tools)


def incumbent() -> Callable[[Any, Mapping[str, Any]], Any] | None:
    """Return what makes the incumbent's model, set up as its users have to, or None if it is not installed."""
    try:
        from llama_index.llms.openai import OpenAIResponses
        from llama_index.llms.openai_like import OpenAILike
    except ImportError:
        return None

    def make(row: Any, options: Mapping[str, Any]) -> Any:
        where = {"model": "gpt-4o", "api_base": options["base_url"], "api_key": options["api_key"], "max_retries": 0}
        if options.get("use_responses_api"):
            return OpenAIResponses(**where, built_in_tools=[TOOL])
        by_schema = {"should_use_structured_outputs": True} if row.method == "json_schema" else {}
        return OpenAILike(**where, is_chat_model=True, is_function_calling_model=True, **by_schema)

    return make


def outcome(model: Any, row: Any) -> Any:
    """Return the message, the object as a dict or a class, or the error, in LangChain's forms."""
    try:
        if row.method:
            found = model.structured_predict(row.schema or Answer, PromptTemplate("?"))
            return found if row.schema else found.model_dump(exclude_none=True)
        if row.ask == "agent":
            return _message(model, _second_reply(model, row))
        return _message(model, _reply(model, row, QUESTION if row.ask == "?" else _history(row.ask)))
    except Exception as error:  # noqa: BLE001 - whatever a client raises is its answer
        return _error(error)


def _reply(model: Any, row: Any, messages: list[ChatMessage]) -> ChatResponse:
    return [*model.stream_chat(messages)][-1] if row.stream else model.chat(messages)


def _second_reply(model: Any, row: Any) -> ChatResponse:
    first = _reply(model, row, QUESTION)
    result = ChatMessage(role="tool", content="4", additional_kwargs={"tool_call_id": "1"})
    return _reply(model, row, [*QUESTION, first.message, result])


def _history(messages: list[Any]) -> list[ChatMessage]:
    """LangChain's messages as LlamaIndex's."""
    made = []
    for message in messages:
        calls = [ToolCallBlock(tool_call_id=c["id"], tool_name=c["name"]) for c in getattr(message, "tool_calls", ())]
        facts = {"tool_call_id": message.tool_call_id} if message.type == "tool" else {}
        role = {"human": "user", "ai": "assistant", "tool": "tool"}[message.type]
        blocks = [*([TextBlock(text=message.text)] if message.text else []), *calls]
        made.append(ChatMessage(role=role, blocks=blocks, additional_kwargs=facts))
    return made


def _message(model: Any, response: ChatResponse) -> AIMessage:
    """A reply as the checks read it."""
    message = response.message
    calls, invalid = [], []
    for call in model.get_tool_calls_from_response(response, error_on_no_tool_call=False):
        bad = call.tool_id in message.additional_kwargs.get("invalid_tool_calls", {})
        one = {"name": call.tool_name, "args": str(call.tool_kwargs) if bad else call.tool_kwargs, "id": call.tool_id}
        (invalid if bad else calls).append(one)
    return AIMessage(
        [*_blocks(message)], tool_calls=calls, invalid_tool_calls=invalid, response_metadata=_facts(response.raw)
    ).model_copy(update={"usage_metadata": _usage(response.raw)})


def _blocks(message: ChatMessage) -> Any:
    for block in message.blocks:
        match block:
            case RefusalBlock():
                yield {"type": "refusal", "refusal": block.text}
            case ThinkingBlock():
                yield {"type": "reasoning", "reasoning": block.content or ""}
            case CitationBlock():
                yield {"type": "text", "text": "", "annotations": [{"type": "citation", "url": block.source}]}
            case TextBlock() if block.text:
                yield {"type": "text", "text": block.text}
    for item in message.additional_kwargs.get("built_in_tool_calls", ()):
        yield {"type": "server_tool_call", "id": "i", "name": str(item), "args": {}}
    for item in message.additional_kwargs.get("client_tool_calls", ()):
        yield {"type": "non_standard", "value": item}


def _plain(raw: Any) -> dict[str, Any]:
    return raw.model_dump() if isinstance(raw, BaseModel) else dict(raw) if isinstance(raw, Mapping) else {}


def _facts(raw: Any) -> dict[str, Any]:
    """The facts of a reply, of its only choice, and its model under LangChain's name."""
    plain = _plain(raw)
    choice = next(iter(plain.get("choices") or ()), None) or {}
    return {"model_name": plain.get("model"), **plain, **choice}


def _usage(raw: Any) -> dict[str, Any] | None:
    usage = _plain(_plain(raw).get("usage"))
    named = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
    return {**named, "total_tokens": usage.get("total_tokens")} if usage else None


def _error(error: Exception) -> Exception:
    """An error as the checks know it: a typed one says that the model, the server or the request is the cause."""
    if isinstance(error, OwnOverflowError):
        return ContextOverflowError(str(error))
    is_typed = isinstance(error, RivyaError) or type(error).__module__.startswith("openai")
    return ModelError(str(error)) if is_typed else error
