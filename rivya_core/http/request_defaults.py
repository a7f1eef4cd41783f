"""Headers and timeouts that a request gets from the client before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.errors import InvalidInputError
from rivya_core.http.httpx2_clients import is_timeout
from rivya_core.http.library import httpx

TIMEOUT = httpx.Timeout(120.0, connect=10.0)
"""Default seconds to wait for a connection and between two reads."""
HTTPX_TIMEOUT = httpx.Timeout(5.0)
DEFAULTS = TIMEOUT.as_dict()


def read_timeout(given: Any) -> httpx.Timeout:
    """Return a timeout as people pass it (seconds, a tuple, a mapping or an `httpx.Timeout`) in httpx's form.

    Raises:
        InvalidInputError: The value has another type, or is not above 0.
    """
    try:
        limits = given.as_dict() if is_timeout(given) else given
        timeout = httpx.Timeout(**limits) if isinstance(limits, Mapping) else httpx.Timeout(limits)
        usable = all(limit is None or limit > 0 for limit in timeout.as_dict().values())
    except (TypeError, ValueError, IndexError, AssertionError):
        usable = False
    if not usable:
        raise InvalidInputError("`timeout` must be seconds above 0, or an `httpx.Timeout` of such.")
    return timeout


def apply_client_defaults(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give *request* the headers and the timeout of *client* that it does not set itself."""
    if getattr(client, "is_shared", False):  # without headers, and with the default timeout
        given = request.extensions.get("timeout")
        request.extensions["timeout"] = fill_timeouts(given) if given else DEFAULTS.copy()
        return request
    own = {name.lower() for name, _ in request.headers.raw}
    left_open = [(name, value) for name, value in client.headers.raw if name.lower() not in own]
    if left_open:
        request.headers = httpx.Headers([*request.headers.raw, *left_open])
    return apply_timeout(request, client)


def apply_timeout(request: httpx.Request, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Give *request* the timeout of *client*, and nothing else."""
    request.extensions["timeout"] = fill_timeouts(request.extensions.get("timeout") or _limits(client.timeout))
    return request


def fill_timeouts(limits: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return *limits*, in httpx's form, with the default in place of None."""
    return {name: default if (given := limits.get(name)) is None else given for name, default in DEFAULTS.items()}


def _limits(timeout: httpx.Timeout) -> Mapping[str, float | None]:
    """Ignore httpx's own default of five seconds, which no user has chosen and which is too short for a model."""
    return DEFAULTS if timeout == HTTPX_TIMEOUT else timeout.as_dict()
