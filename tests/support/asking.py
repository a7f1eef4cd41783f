"""The four ways of asking a LangChain chat model for one message."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk


def merged(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """One message out of the chunks of a stream."""
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


def invoke(model: Any, messages: Any, /, **kwargs: Any) -> AIMessage:
    return model.invoke(messages, **kwargs)


def ainvoke(model: Any, messages: Any, /, **kwargs: Any) -> AIMessage:
    return asyncio.run(model.ainvoke(messages, **kwargs))


def stream(model: Any, messages: Any, /, **kwargs: Any) -> AIMessage:
    return merged(list(model.stream(messages, **kwargs)))


def astream(model: Any, messages: Any, /, **kwargs: Any) -> AIMessage:
    async def collect() -> list[AIMessageChunk]:
        return [chunk async for chunk in model.astream(messages, **kwargs)]

    return merged(asyncio.run(collect()))


WAYS = [invoke, ainvoke, stream, astream]
