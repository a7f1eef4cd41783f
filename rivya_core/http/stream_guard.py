"""What holds for every stream while it is read: failures of the transport are typed errors, and idle streams end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rivya_core.errors import StreamBrokenError
from rivya_core.http.headers import without_secrets
from rivya_core.http.library import httpx
from rivya_core.http.plan import Decoder
from rivya_core.http.response_body import limits_of
from rivya_core.http.transport_errors import forget_locals, hide_secrets, is_transport_failure


@contextmanager
def translate_stream_errors(response: httpx.Response, decoder: Decoder[Any]) -> Iterator[None]:
    """Turn a failure of the transport into `StreamBrokenError`; ignore it if the reply was already complete."""
    try:
        yield
    except Exception as exc:
        if not is_transport_failure(exc):
            raise
        if isinstance(exc, httpx.RequestError):
            exc.request = response.request
        hide_secrets(exc, response.request)
        if not decoder.complete:
            raise StreamBrokenError(
                f"The stream ended early ({type(exc).__name__}: {exc}).", partial=decoder.partial
            ) from exc


def forget_stream(error: Exception, response: httpx.Response) -> None:
    """Remove from *error* what the server may have repeated of the request's secrets."""
    if isinstance(error, StreamBrokenError):
        error.partial = without_secrets(error.partial, response)
    forget_locals(error)


class IdleTimer:
    """Ends a stream that brings no piece of the reply for too long, for example nothing but pings.

    The time that the caller takes with a piece does not count.
    """

    def __init__(
        self, response: httpx.Response, decoder: Decoder[Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = limits_of(response).stream_idle_timeout
        self._decoder, self._clock = decoder, clock
        self._since = clock()

    def restart(self) -> None:
        """A piece of the reply came and was taken."""
        self._since = self._clock()

    def check(self) -> None:
        """Something came that brings nothing.

        Raises:
            StreamBrokenError: It has been like this for `stream_idle_timeout`.
        """
        if self._clock() - self._since > self._seconds:
            raise StreamBrokenError(
                f"The stream brought no piece of the reply for {self._seconds:g} s (`stream_idle_timeout`).",
                partial=self._decoder.partial,
            )
