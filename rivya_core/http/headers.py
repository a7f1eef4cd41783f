"""What answers say in their headers, and what must never be repeated from a request's."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime

import httpx

SECRET_NAMES = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
HARMLESS = frozenset({"idempotency-key"})
SHORTEST_SECRET = 7
"""Shorter words would blot out ordinary ones, such as `Bearer`."""
CREDENTIAL = re.compile(r"auth|key|token|secret|cookie|password|credential|signature", re.IGNORECASE)
"""Headers with such names may hold credentials."""
REQUEST_IDS = ("x-request-id", "x-oneapi-request-id", "request-id")


def request_id(headers: httpx.Headers) -> str | None:
    """Return the provider's id of the request, if it gave one."""
    return next((headers[name] for name in REQUEST_IDS if headers.get(name)), None)


def retry_after(headers: httpx.Headers, now: float | None = None) -> float | None:
    """Return the seconds that the provider asks to wait: `retry-after-ms`, seconds, or an HTTP date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        date = parsedate_to_datetime(value)
        moment = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))


def secrets_of(request: httpx.Request) -> list[str]:
    """Return the credentials in the headers of *request*, the longest first."""
    values = [value for name, value in request.headers.items() if SECRET_NAMES.search(name) and name not in HARMLESS]
    words = {word for value in values for word in re.split(r"[\s;,=]+", value)} | set(values)
    return sorted((word for word in words if len(word) >= SHORTEST_SECRET), key=len, reverse=True)


def public_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* without those whose names speak of credentials, for what is written down."""
    return {name: value for name, value in headers.items() if not CREDENTIAL.search(name)}


def without_secrets(text: str, response: httpx.Response) -> str:
    """Return *text* with the credentials of the request blotted out, should the server repeat them."""
    for secret in secrets_of(response.request):
        text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return text


def _number(value: str | None) -> float | None:
    if value is None or not re.fullmatch(r"\s*\d{1,20}(\.\d{1,9})?\s*", value):
        return None
    return float(value)
