"""Clients and timeouts of httpx2, the successor of httpx, in the places of httpx's own.

Requests and responses are translated in both directions. Headers, authentication, hooks, proxies and certificates of
the client stay in effect. httpx2 is not imported here; if a client of it is passed, it is imported already.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from rivya_core.http.library import httpx

OTHER = "httpx2"


def adapted(client: Any) -> Any:
    """Return *client* if it is httpx's, and a client that sends through it if it is httpx2's."""
    if client is None or isinstance(client, (httpx.Client, httpx.AsyncClient)):
        return client
    other = sys.modules.get(OTHER)
    if other is not None and isinstance(client, other.Client):
        return _Client(client, other)
    if other is not None and isinstance(client, other.AsyncClient):
        return _AsyncClient(client, other)
    return client


def check_client(value: Any, *, asynchronous: bool) -> Any:
    """Return *value* if it is None or a client of httpx or httpx2, of the kind that is asked for.

    Raises:
        ValueError: It is something else.
    """
    name = "AsyncClient" if asynchronous else "Client"
    libraries = [library for library in (httpx, sys.modules.get(OTHER)) if library is not None]
    if value is not None and not any(isinstance(value, getattr(library, name)) for library in libraries):
        raise ValueError(f"must be an `httpx.{name}` or an `httpx2.{name}`, not {type(value).__name__}")
    return value


def is_timeout(value: Any) -> bool:
    """Whether *value* is a `Timeout` of httpx or httpx2."""
    other = sys.modules.get(OTHER)
    return isinstance(value, httpx.Timeout) or (other is not None and isinstance(value, other.Timeout))


class _Adapter:
    """What both kinds of client have in common.

    Args:
        client: The caller's client.
        library: httpx2.
    """

    def __init__(self, client: Any, library: Any) -> None:
        self._client, self._library = client, library

    @property
    def headers(self) -> httpx.Headers:
        """The client's own headers."""
        return httpx.Headers(self._client.headers.raw)

    @property
    def timeout(self) -> httpx.Timeout:
        """The client's own timeout."""
        return httpx.Timeout(**self._client.timeout.as_dict())

    def _request(self, request: httpx.Request) -> Any:
        return self._library.Request(
            request.method,
            str(request.url),
            headers=request.headers.raw,
            stream=_body_for(self._library)(request.stream),
            extensions=request.extensions,
        )

    def _response(self, response: Any, request: httpx.Request) -> httpx.Response:
        sent = response.request
        final = httpx.Request(sent.method, str(sent.url), headers=sent.headers.raw, extensions=request.extensions)
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Body(response),
            request=final,
            extensions=response.extensions,
        )


class _Client(_Adapter):
    """Sends through a client of httpx2."""

    def send(self, request: httpx.Request, *, stream: bool = True, **how: Any) -> httpx.Response:
        """Send *request*."""
        with _translated():
            return self._response(self._client.send(self._request(request), stream=stream, **how), request)


class _AsyncClient(_Adapter):
    """Sends through an async client of httpx2."""

    async def send(self, request: httpx.Request, *, stream: bool = True, **how: Any) -> httpx.Response:
        """Send *request*."""
        with _translated():
            return self._response(await self._client.send(self._request(request), stream=stream, **how), request)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response of httpx2."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._pieces(self._response.iter_raw)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            if self._response.is_stream_consumed:
                yield self._response.content
            else:
                async for piece in self._response.aiter_raw():
                    yield piece

    def _pieces(self, read: Any) -> Iterator[bytes]:
        return iter((self._response.content,)) if self._response.is_stream_consumed else read()

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._response.aclose()


def _body_for(library: Any) -> Any:
    """Return a class of httpx2's streams that wraps one of httpx's."""

    class Body(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            return iter(self._stream)

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._stream.__aiter__()  # type: ignore[no-any-return]

    return Body


@contextmanager
def _translated() -> Iterator[None]:
    """Raise httpx's exception of the same name for one of httpx2's."""
    try:
        yield
    except Exception as exc:
        kind = next((found for cls in type(exc).__mro__ if (found := _namesake(cls))), None)
        if kind is None:
            raise
        raise kind(str(exc)) from exc


def _namesake(kind: type) -> Any:
    """Return httpx's exception with the name of httpx2's *kind*."""
    if kind.__module__.partition(".")[0] != OTHER:
        return None
    found = getattr(httpx, kind.__name__, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None
