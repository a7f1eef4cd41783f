"""Closing a streamed reply together with the stream that LlamaIndex wraps round it.

LlamaIndex reports a stream's events from a generator of its own, which drops the reply without closing it; the
connection would stay open until the garbage collector comes by. What a stream says is not decided here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

G = TypeVar("G")

_opened: ContextVar[list[Any]] = ContextVar("_opened")


def opened(reply: G) -> G:
    """Note *reply* as the one that the `closes_reply` around this call shall close, and return it."""
    _opened.get().append(reply)
    return reply


def closes_reply(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make the stream that *method* returns close what was `opened` in it, at once, when it is closed."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Notes() as replies:
            stream = method(*args, **kwargs)
        return _together(stream, *replies)

    return call


def acloses_reply(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make the stream that *method* returns close what was `opened` in it, at once, when it is closed."""

    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with _Notes() as replies:
            stream = await method(*args, **kwargs)
        return _atogether(stream, *replies)

    return call


class _Notes:
    def __enter__(self) -> list[Any]:
        replies: list[Any] = []
        self._token = _opened.set(replies)
        return replies

    def __exit__(self, *exc_info: object) -> None:
        _opened.reset(self._token)


def _together(stream: Generator[Any, None, None], reply: Generator[Any, None, None]) -> Generator[Any, None, None]:
    with closing(reply), closing(stream):
        yield from stream


async def _atogether(stream: AsyncGenerator[Any, None], reply: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    async with aclosing(reply), aclosing(stream):
        async for response in stream:
            yield response
