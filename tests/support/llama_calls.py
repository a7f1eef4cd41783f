"""One way of calling a LlamaIndex model, sync or async, so that a behaviour is written once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import ChatMessage


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


class Calls:
    """Calls methods by their sync names; with *is_async* their async twins are run instead."""

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async

    def run(self, llm: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call what returns one value."""
        if not self.is_async:
            return getattr(llm, method)(*args, **kwargs)

        async def call() -> Any:
            return await getattr(llm, twin(method))(*args, **kwargs)

        return asyncio.run(call())

    def each(self, llm: Any, method: str, /, *args: Any, **kwargs: Any) -> list[Any]:
        """Call what streams, and return all that came."""
        if not self.is_async:
            return list(getattr(llm, method)(*args, **kwargs))

        async def call() -> list[Any]:
            return [item async for item in await getattr(llm, twin(method))(*args, **kwargs)]

        return asyncio.run(call())

    def some(
        self, llm: Any, method: str, count: int, /, *args: Any, then: Callable[[], Any] = lambda: None
    ) -> list[Any]:
        """Call what streams, close the stream after *count* items, call *then*, and return those items."""
        if not self.is_async:
            stream = getattr(llm, method)(*args)
            items = [next(stream) for _ in range(count)]
            stream.close()
            then()
            return items

        async def call() -> list[Any]:
            stream = await getattr(llm, twin(method))(*args)
            items = [await anext(stream) for _ in range(count)]
            await stream.aclose()
            then()
            return items

        return asyncio.run(call())


def twin(name: str) -> str:
    """The async method's name."""
    return f"_structured_a{name.removeprefix('_structured_')}" if name.startswith("_structured_") else f"a{name}"
