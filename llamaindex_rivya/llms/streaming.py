"""The connection between a streamed reply and LlamaIndex's own generator around it.

LlamaIndex reports a stream from its own generator. That generator drops the reply without closing it, so the connection
would stay open until garbage collection. It also makes an event of every piece, which costs as much as all other work
on the piece. Without a listener it therefore gets only the end of the reply. This module does not change the contents.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from llama_index.core.instrumentation.event_handlers import NullEventHandler
from llama_index.core.llms import callbacks

from rivya_core.http.secrets import mask_headers

_replies: ContextVar[list[_Reply]] = ContextVar("_replies")


def track_stream(pieces: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Register *pieces* with the enclosing `closes_stream`, and return the pieces that LlamaIndex reports."""
    reply = _Reply(pieces)
    return reply.ending() if reply.quiet else pieces


def atrack_stream(pieces: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Register *pieces* with the enclosing `acloses_stream`, and return the pieces that LlamaIndex reports."""
    reply = _Reply(pieces)
    return reply.aending() if reply.quiet else pieces


def closes_stream(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate *method* so that closing its stream closes the reply tracked by `track_stream` at once."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Notes() as replies:
            stream = method(*args, **kwargs)
        return _together(stream, *replies)

    return call


def acloses_stream(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate *method* so that closing its stream closes the reply tracked by `atrack_stream` at once."""

    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with _Notes() as replies:
            stream = await method(*args, **kwargs)
        return _atogether(stream, *replies)

    return call


def guarded(name: str, check: Callable[[Any], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a method whose first argument is *name*, before LlamaIndex makes an event of its arguments.

    The first argument is checked, and the values of `extra_headers` are masked.
    """

    def prepared(args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        check(args[1] if len(args) > 1 else kwargs.get(name))
        return mask_headers(kwargs)

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(method):

            @wraps(method)
            async def acall(*args: Any, **kwargs: Any) -> Any:
                return await method(*args, **prepared(args, kwargs))

            return acall

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **prepared(args, kwargs))

        return call

    return decorate


def has_listeners() -> bool:
    """Whether a handler receives LlamaIndex's events of pieces."""
    dispatcher = callbacks.dispatcher
    while dispatcher.propagate and not _has_listeners(dispatcher.event_handlers):
        dispatcher = dispatcher.parent
    return _has_listeners(dispatcher.event_handlers)


def _has_listeners(handlers: list[Any]) -> bool:
    return any(not isinstance(handler, NullEventHandler) for handler in handlers)


class _Notes:
    def __enter__(self) -> list[_Reply]:
        replies: list[_Reply] = []
        self._token = _replies.set(replies)
        return replies

    def __exit__(self, *exc_info: object) -> None:
        _replies.reset(self._token)


class _Reply:
    """A reply. If no handler receives its pieces, it stores its end, and only the end is reported."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = pieces
        self.quiet = not has_listeners()
        self.last: Any = None
        self._error: BaseException | None = None
        _replies.get().append(self)

    def __enter__(self) -> None:
        """While it is read."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        """Keep what was raised; it is raised again where it is reported."""
        self._error = error
        return True

    def ending(self) -> Generator[Any, None, None]:
        """The last piece, or what was raised instead."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # an error holds its frames, and one of them this
        if self.last is not None:
            yield self.last

    async def aending(self) -> AsyncGenerator[Any, None]:
        """The last piece, or what was raised instead."""
        for last in self.ending():
            yield last


def _together(stream: Generator[Any, None, None], reply: _Reply) -> Generator[Any, None, None]:
    with closing(reply.pieces), closing(stream):
        if not reply.quiet:
            yield from stream
            return
        with reply:
            for piece in reply.pieces:
                reply.last = piece
                yield piece
        for _ in stream:  # reports the ending
            pass


async def _atogether(stream: AsyncGenerator[Any, None], reply: _Reply) -> AsyncGenerator[Any, None]:
    async with aclosing(reply.pieces), aclosing(stream):
        if not reply.quiet:
            async for response in stream:
                yield response
            return
        with reply:
            async for piece in reply.pieces:
                reply.last = piece
                yield piece
        async for _ in stream:  # reports the ending
            pass
