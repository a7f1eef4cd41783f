"""What the drivers do to a request before it leaves, and to a failure that comes after its answer began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from rivya_core.errors import StreamBrokenError
from rivya_core.http.plan import Decoder

TIMEOUT = httpx.Timeout(120.0, connect=10.0)
"""Seconds to wait for a connection and between two reads, when nothing else is said."""
HTTPX_TIMEOUT = httpx.Timeout(5.0)
DEFAULTS = TIMEOUT.as_dict()


def apply_client_defaults(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give *request* what it left open and *client* was set up with: headers and timeout."""
    own = {name.lower() for name, _ in request.headers.raw}
    left_open = [(name, value) for name, value in client.headers.raw if name.lower() not in own]
    if left_open:
        request.headers = httpx.Headers([*request.headers.raw, *left_open])
    return apply_timeout(request, client)


def apply_timeout(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give a *request* to a foreign host nothing of what *client* was set up with but its timeout."""
    request.extensions["timeout"] = fill_timeouts(request.extensions.get("timeout") or _limits(client.timeout))
    return request


def fill_timeouts(limits: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return *limits*, in httpx's form, with an end where there was none."""
    return {name: default if (given := limits.get(name)) is None else given for name, default in DEFAULTS.items()}


def _limits(timeout: httpx.Timeout) -> Mapping[str, float | None]:
    """A client's five seconds are httpx's own default and nobody's wish; no model answers within them."""
    return DEFAULTS if timeout == HTTPX_TIMEOUT else timeout.as_dict()


class translate_stream_errors:  # noqa: N801 - reads as the statement that it is
    """Turns a transport's failure in mid-body into `StreamBrokenError`, unless the answer was already whole."""

    def __init__(self, decoder: Decoder[Any]) -> None:
        self._decoder = decoder

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> bool:
        """Translate *exc*, or swallow it when nothing was missing any more."""
        if not isinstance(exc, httpx.RequestError):
            return False
        if self._decoder.complete:
            return True
        raise StreamBrokenError(
            f"The stream broke off ({type(exc).__name__}: {exc}).", partial=self._decoder.partial
        ) from exc
