"""What answers say in their headers, and what must never be repeated from a request's."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import httpx

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
        return max(0.0, parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now))
    except (ValueError, OverflowError):
        return None


def without_secrets(text: str, response: httpx.Response) -> str:
    """Return *text* with the credentials of the request blotted out, should the server repeat them."""
    secret = response.request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if len(secret) < 6:  # noqa: PLR2004 - shorter ones would blot out ordinary words
        return text
    return text.replace(secret, "***")


def _number(value: str | None) -> float | None:
    if value is None or not re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value):
        return None
    return float(value)
