"""What the models are compared with in `memory.py`: each framework without a network, and httpx without a framework."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

WORD = "token "


def langchain_floor(length: int) -> Any:
    """A chat model of LangChain whose stream has *length* chunks.

    Each stream makes its own chunks, as any model must: LangChain writes its id into them and keeps them to the end.
    """
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    class Floor(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "floor"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("Hello there."))])

        async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            for _piece in range(length):
                yield ChatGenerationChunk(message=AIMessageChunk(content=WORD))

    return Floor()


def llamaindex_floor(length: int) -> Any:
    """A model of LlamaIndex whose stream has *length* pieces."""
    from llama_index.core.llms import ChatMessage, ChatResponse, CompletionResponse, CustomLLM, LLMMetadata
    from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

    class Floor(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata()

        @llm_chat_callback()
        def chat(self, *_: Any, **__: Any) -> ChatResponse:
            return ChatResponse(message=ChatMessage("Hello there.", role="assistant"))

        @llm_completion_callback()
        def complete(self, *_: Any, **__: Any) -> CompletionResponse:
            return CompletionResponse(text="Hello there.")

        @llm_completion_callback()
        def stream_complete(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError  # abstract in LlamaIndex, and not measured

        @llm_completion_callback()
        async def astream_complete(self, *_: Any, **__: Any) -> Any:
            async def pieces() -> AsyncIterator[CompletionResponse]:
                for end in range(1, length + 1):
                    yield CompletionResponse(text=WORD * end, delta=WORD)

            return pieces()

    return Floor()


class Raw:
    """httpx in the place of a model: it sends the messages and yields what comes, as bytes.

    Args:
        url: The server, in OpenAI's form.
    """

    def __init__(self, url: str) -> None:
        import httpx

        self._url = f"{url}/chat/completions"
        self._client = httpx.Client()
        self._streaming = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)

    def invoke(self, messages: list[Any]) -> bytes:
        """Send *messages* and return the body of the response."""
        said = [{"role": "user", "content": message.content} for message in messages]
        return self._client.post(self._url, content=json.dumps({"model": "gpt-5.2", "messages": said})).content

    async def astream(self, prompt: str) -> AsyncIterator[bytes]:
        """Send *prompt* and yield the pieces of the response."""
        body = {"model": "gpt-5.2", "stream": True, "messages": [{"role": "user", "content": prompt}]}
        async with self._streaming.stream("POST", self._url, json=body) as response:
            async for piece in response.aiter_bytes():
                yield piece
