"""What the drivers do to a request before it leaves, and to a failure that comes after its answer began."""

from __future__ import annotations

from typing import Any

import httpx

from rivya_core.errors import StreamBrokenError
from rivya_core.plan import Decoder


def fit(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give *request* what it left open and *client* was set up with: headers and timeout."""
    for name, value in client.headers.items():
        if name not in request.headers:
            request.headers[name] = value
    request.extensions.setdefault("timeout", client.timeout.as_dict())
    return request


def plain(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give a *request* to a foreign host nothing of what *client* was set up with but its timeout."""
    request.extensions.setdefault("timeout", client.timeout.as_dict())
    return request


class reading:  # noqa: N801 - reads as the statement that it is
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
