"""Failures of the transport: how they are recognised and translated, and what is removed from their tracebacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import TracebackType
from typing import Any

from rivya_core.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    ResponseLostError,
    RivyaError,
)
from rivya_core.http.headers import mask_secrets
from rivya_core.http.library import httpx
from rivya_core.http.proxies import proxy_for

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What fails before a request leaves."""
TRANSPORTS = frozenset(
    {"httpx", "httpcore", "httpx2", "httpcore2", "h11", "h2", "hpack", "hyperframe", "anyio", "ssl", "socksio"}
)
"""Packages whose exceptions are failures of a transport and whose frames hold what went over it."""
BODY_MODULE = "rivya_core.http.response_body"
GENERATORS = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
"""Functions that may be suspended after an exception has passed through them."""
HANDLERS = frozenset({"handle_request", "handle_async_request"})
"""Functions of a connection that end when a response has begun."""
FOREIGN_LOOP = ("Event loop is closed", "different loop", "different event loop")


def is_transport_failure(error: BaseException) -> bool:
    """Whether *error* comes from the transport."""
    if isinstance(error, RivyaError):
        return False
    known = isinstance(error, (httpx.RequestError, httpx.StreamError, OSError))
    return known or type(error).__module__.partition(".")[0] in TRANSPORTS


def translated(error: Exception, request: httpx.Request) -> RivyaError | None:
    """Return our error for a failure to send *request* or to read its response; None for other exceptions."""
    if isinstance(error, RivyaError):
        return error
    hide_secrets(error, request)
    host = request.url.netloc.decode("ascii", "replace").rpartition("@")[2]
    for kinds, translation in TRANSLATIONS:
        if isinstance(error, kinds):
            return translation(error, request, host)
    return _response_lost(error, request, host) if is_transport_failure(error) else None


def _not_connected(error: Exception, request: httpx.Request, host: str) -> APIConnectionError:
    proxy = _proxy_of(error) or proxy_for(request.url)
    if isinstance(error, httpx.PoolTimeout):
        return APIConnectionError(
            f"No connection of the client became free for {host} ({_named(error)}). Allow it more."
        )
    if proxy or isinstance(error, httpx.ProxyError):
        through = f"the proxy {proxy}" if proxy else "its proxy"
        return APIConnectionError(
            f"Could not connect to {host} through {through} ({_named(error)}). Check the proxy: it comes from "
            "`HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, or from your own client. `NO_PROXY` "
            "lists hosts that need none."
        )
    return APIConnectionError(f"Could not connect to {host} ({_named(error)}). Check the network and `base_url`.")


def _unusable_url(error: Exception, _: httpx.Request, host: str) -> ConfigurationError:
    return ConfigurationError(f"`base_url` is not usable (host {host[:100]!r}): {error}")


def _unwritable(_: Exception, __: httpx.Request, ___: str) -> ConfigurationError:
    """The exception's own text may repeat a header's value."""
    return ConfigurationError("The request cannot be written: check `default_headers` for line ends.")


def _response_lost(error: Exception, _: httpx.Request, host: str) -> ResponseLostError:
    return ResponseLostError(f"The connection to {host} was lost ({_named(error)}).")


def _timed_out(error: Exception, _: httpx.Request, host: str) -> APITimeoutError:
    return APITimeoutError(f"{host} did not answer in time ({_named(error)}).")


def _misused_client(error: Exception, _: httpx.Request, __: str) -> ConfigurationError | None:
    words = str(error)
    if any(part in words for part in FOREIGN_LOOP):
        return ConfigurationError(
            "`http_async_client` belongs to another event loop, or to one that has ended. Create it in the event loop "
            "that uses it. The request may have been carried out and charged."
        )
    if "client has been closed" in words:
        return ConfigurationError(
            "The client in `http_client` or `http_async_client` is closed; nothing was sent. Keep it open as long as "
            "it is used."
        )
    return None


TRANSLATIONS: tuple[tuple[Any, Callable[[Any, httpx.Request, str], RivyaError | None]], ...] = (
    ((httpx.UnsupportedProtocol, UnicodeError), _unusable_url),
    (httpx.LocalProtocolError, _unwritable),
    (NOT_SENT, _not_connected),
    (httpx.TimeoutException, _timed_out),
    (httpx.StreamError, _response_lost),
    (RuntimeError, _misused_client),
)
"""The first that fits counts."""


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def died_on_reuse(error: BaseException) -> bool:
    """Whether *error* came before the response began, on a connection that had served other requests.

    Only httpcore's connections tell. With other transports the result is False.
    """
    return any(getattr(connection, "_request_count", 0) > 1 for connection in _connections(error))


def _proxy_of(error: BaseException) -> str | None:
    """Return host and port of the proxy that the client used, or None if its transport does not tell."""
    for connection in _connections(error):
        url = getattr(connection, "_proxy_url", None)
        if url is not None:
            host = bytes(url.host).decode("ascii", "replace")
            return f"{host}:{url.port}" if url.port else host
    return None


def _connections(error: BaseException) -> Iterator[Any]:
    """The connections and pools of httpcore that *error* came through."""
    for found in _chain(error):
        trace = found.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_name in HANDLERS:
                yield trace.tb_frame.f_locals.get("self")
            trace = trace.tb_next


def hide_secrets(error: BaseException, request: httpx.Request) -> None:
    """Remove the secrets of *request* from *error* and from what led to it.

    Transports quote the server in their words and keep the request with its headers.
    """
    for found in _chain(error):
        if not isinstance(found, RivyaError):
            found.args = tuple(_hidden(value, request) for value in found.args)
        if isinstance(found, httpx.RequestError):
            found.request = httpx.Request(request.method, request.url.copy_with(query=None, userinfo=b""))


def _hidden(value: Any, request: httpx.Request) -> Any:
    text = value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
    hidden = mask_secrets(text, request) if isinstance(text, str) else text
    return value if hidden == text else hidden


def forget_locals(error: BaseException) -> None:
    """Clear the local variables in the tracebacks of *error* that may hold a key: those of the core and the transport.

    A server may repeat the key that it was sent, and some tools show local variables in tracebacks.
    """
    for found in _chain(error):
        trace = found.__traceback__
        while trace is not None:
            if _may_be_cleared(trace):
                with suppress(RuntimeError):  # it still runs
                    trace.tb_frame.clear()
            trace = trace.tb_next


def _may_be_cleared(trace: TracebackType) -> bool:
    """Whether a function has ended. Clearing a suspended generator would close it; only the core has such."""
    frame = trace.tb_frame
    module = str(frame.f_globals.get("__name__", ""))
    package = module.partition(".")[0]
    if package in TRANSPORTS or module == BODY_MODULE:
        return True
    over = not frame.f_code.co_flags & GENERATORS or frame.f_lasti == trace.tb_lasti
    return package == "rivya_core" and over


def _chain(error: BaseException) -> list[BaseException]:
    """*error* and everything that it was raised from or because of."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and not any(one is other for other in found):
            found.append(one)
            waiting += [one.__cause__, one.__context__]
    return found
