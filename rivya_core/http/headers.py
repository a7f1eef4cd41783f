"""What a response says in its headers, and which request headers hold secrets."""

from __future__ import annotations

import html
import json
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from rivya_core.errors import InvalidInputError
from rivya_core.http.library import httpx

CREDENTIAL = re.compile(r"auth|key|token|secret|cookie|password|credential|signature", re.IGNORECASE)
"""Header names that suggest credentials."""
PUBLIC = frozenset(
    "accept accept-encoding accept-language connection content-length content-type host idempotency-key "
    "transfer-encoding user-agent".split()
)
"""Headers of a request that hold no secret. Everything else may: people put tokens into headers of any name."""
SHORTEST_CREDENTIAL = 7
"""Shorter words are not removed from messages, because they would take ordinary ones such as `Bearer` along."""
SHORTEST_OTHER_SECRET = 12
REQUEST_IDS = ("x-request-id", "x-oneapi-request-id", "request-id")
RESET = re.compile(r"x-ratelimit-reset(-\w+)?")
DURATION = re.compile(
    r"(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m(?!s))?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?(?:(?P<ms>\d{1,9}(?:\.\d{1,9})?)ms)?"
)
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
EPOCH = 1e9
"""A plain number above this is a point in time, not a duration."""
EPOCH_MILLISECONDS = 1e11
"""Above this, the point in time is in milliseconds, as OpenRouter has it."""


def request_id(response: httpx.Response) -> str | None:
    """Return the provider's id of the request, if it gave one, without secrets of the request."""
    found = next((response.headers[name] for name in REQUEST_IDS if response.headers.get(name)), None)
    return found and without_secrets(found, response)


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
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))


def rate_limit_reset(headers: httpx.Headers, now: float | None = None) -> float | None:
    """Return the seconds until a rate limit is lifted, from `x-ratelimit-reset-*` as `1s`, `6m0s`, `120ms` or a number.

    Of several limits, those with nothing remaining decide; if no header says what remains, the shortest does.
    """
    resets = {name: _seconds_until(value, now) for name, value in headers.items() if RESET.fullmatch(name)}
    known = {name: seconds for name, seconds in resets.items() if seconds is not None}
    used_up = [s for name, s in known.items() if headers.get(name.replace("reset", "remaining"), "").strip() == "0"]
    return max(used_up) if used_up else min(known.values(), default=None)


def _seconds_until(value: str, now: float | None) -> float | None:
    number = _number(value)
    if number is not None:
        number /= 1000 if number > EPOCH_MILLISECONDS else 1
        passed = (time.time() if now is None else now) if number > EPOCH else 0.0
        return max(0.0, number - passed)
    found = DURATION.fullmatch(value.strip()) if value.strip() else None
    if found is None:
        return None
    return sum(float(amount) * UNITS[unit] for unit, amount in found.groupdict().items() if amount)


def secrets_of(request: httpx.Request) -> list[str]:
    """Return what is secret in the headers and the query of *request*, the longest first."""
    found = set()
    for name, value in (*request.headers.items(), *_secret_parameters(request.url)):
        if name.lower() not in PUBLIC:
            shortest = SHORTEST_CREDENTIAL if CREDENTIAL.search(name) else SHORTEST_OTHER_SECRET
            found |= {word for word in (value, *re.split(r"[\s;,=]+", value)) if len(word) >= shortest}
    return sorted(found, key=len, reverse=True)


def _secret_parameters(url: httpx.URL) -> list[tuple[str, str]]:
    return [(name, value) for name, value in url.params.multi_items() if CREDENTIAL.search(name)]


def public_query(query: Mapping[str, str]) -> dict[str, str | None]:
    """Return *query*, as it may be stored: with None for values whose names suggest credentials."""
    return {name: None if CREDENTIAL.search(name) else value for name, value in query.items()}


def without_secrets(text: str, response: httpx.Response) -> str:
    """Return *text* with the secrets of the request replaced by `***`, in case the server repeats them."""
    for request in (response.request, *(earlier.request for earlier in response.history)):
        text = mask_secrets(text, request)
    return text


def mask_secrets(text: str, request: httpx.Request) -> str:
    """Return *text* with the secrets of *request* replaced by `***`."""
    for secret in secrets_of(request):
        for form in _forms(secret):
            text = text.replace(form, "***")
    return text


def kept_headers(response: httpx.Response, dropped: frozenset[str], most: int = 200) -> list[tuple[bytes, bytes]]:
    """Return the headers of *response* as bytes, without secrets and without those named in *dropped*."""
    kept = [(name, value) for name, value in response.headers.raw if name.decode("latin-1").lower() not in dropped]
    return [(name, _without_secrets(value, response)) for name, value in kept[:most]]


def reported_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers of *response* as a reply reports them: without secrets and cookies."""
    return dict(httpx.Headers(kept_headers(response, frozenset({"set-cookie"}))).items())


def mask_reason(response: httpx.Response) -> None:
    """Remove secrets from the reason after the status, which every repr of *response* shows."""
    reason = response.extensions.get("reason_phrase", b"OK")
    if reason != b"OK":
        response.extensions["reason_phrase"] = _without_secrets(reason, response)


def _without_secrets(value: bytes, response: httpx.Response) -> bytes:
    return without_secrets(value.decode("latin-1"), response).encode("latin-1")


def _forms(secret: str) -> Iterator[str]:
    """The forms in which a server may repeat a secret."""
    written = (secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, safe=""))
    yield from dict.fromkeys((*written, *_base64_forms(secret.encode())))


def _base64_forms(secret: bytes) -> Iterator[str]:
    """The secret in base64 after any text: without the first and the last characters, which hold bits of that text."""
    for shift, shared in enumerate((0, 2, 3)):
        size = (shift + len(secret)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(shift) + secret)[shared:size].decode()


def _number(value: str | None) -> float | None:
    if value is None or not re.fullmatch(r"\s*\d{1,20}(\.\d{1,9})?\s*", value):
        return None
    return float(value)


LONGEST_KEY = 200
"""Most characters of an idempotency key."""


def check_idempotency_key(key: Any) -> None:
    """Check a key that the caller passed.

    Raises:
        InvalidInputError: It cannot be in a header; nothing was sent.
    """
    usable = isinstance(key, str) and 0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()
    if not usable:
        raise InvalidInputError(
            f"`idempotency_key` must be printable ASCII text of at most {LONGEST_KEY} characters; nothing was sent."
        )
