"""An endpoint: a provider's API as one account reaches it, found once and checked before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from rivya_core import __version__
from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.http.rate_pacer import LANE
from rivya_core.http.response_body import COMPRESSED, DEFAULT_LIMITS, EXTENSION, Limits
from rivya_core.providers import Provider


@dataclass(frozen=True)
class Endpoint:
    """A provider's API as one account reaches it.

    Attributes:
        provider: Whose API.
        base_url: Where, without a trailing slash.
        key: The account's key, or None where none is needed.
        headers: Further headers of every request.
        timeout: Overrides the client's.
        limits: What a response may take.
    """

    provider: Provider
    base_url: str
    key: SecretStr | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: httpx.Timeout | None = None
    limits: Limits = DEFAULT_LIMITS

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        files: Any = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """Return a request to *path* (with a leading slash) with this account's credentials.

        Args:
            method: HTTP method.
            path: Path below the base URL.
            body: Sent as JSON.
            files: Multipart files in httpx's form.
            fields: Multipart fields beside *files*.
            headers: Further headers of this request.

        Raises:
            InvalidInputError: *body* holds something that JSON cannot carry.
        """
        content = None if body is None else encode(body)
        every = self._headers.copy()
        for name, value in (headers or {}).items():
            every[name] = value
        lane = (self.base_url, path, self._account, (body or {}).get("model"))
        extensions: dict[str, Any] = {EXTENSION: self.limits, LANE: lane}
        if self.timeout is not None:
            extensions["timeout"] = self.timeout.as_dict()
        url = _url(self.base_url + path)
        if content is None:
            return httpx.Request(method, url, headers=every, files=files, data=fields, extensions=extensions)
        every["content-type"], every["content-length"] = "application/json", str(len(content))
        # What httpx would do with `content=`, which looks for headers that are known to be there or not.
        request = httpx.Request(method, url, headers=every, stream=httpx.ByteStream(content), extensions=extensions)
        request.read()
        return request

    @cached_property
    def _headers(self) -> httpx.Headers:
        """What every request of this account says."""
        host = _url(self.base_url).netloc.decode("ascii")
        agent, encodings = f"rivya-integrations/{__version__}", ", ".join(COMPRESSED)
        every = httpx.Headers({"host": host, "user-agent": agent, "accept-encoding": encodings})
        every.update(self.headers)
        if self.key is not None:
            every["authorization"] = f"Bearer {self.key.get_secret_value()}"
        return every

    @cached_property
    def _account(self) -> int:
        """Tells accounts apart, in this process."""
        return hash(self.key)

    def idempotent(self, path: str) -> bool:
        """Whether a POST to *path* may be repeated under the same idempotency key."""
        return path in self.provider.idempotent_paths


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(body: Mapping[str, Any]) -> bytes:
    """Return *body* as JSON bytes; raise `InvalidInputError` where JSON cannot carry it."""
    try:
        return _as_json(body).encode()
    except UnicodeEncodeError:
        raise InvalidInputError("The input holds a lone surrogate, which is not text; nothing was sent.") from None
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidInputError(f"The request cannot be written as JSON ({exc}); nothing was sent.") from None


def endpoint(
    provider: Provider,
    *,
    api_key: SecretStr | None = None,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | httpx.Timeout | None = None,
    limits: tuple[int, float] = (DEFAULT_LIMITS.max_response_bytes, DEFAULT_LIMITS.stream_idle_timeout),
) -> Endpoint:
    """Return *provider*'s endpoint for an account; what is None comes from the environment or the provider.

    Raises:
        ConfigurationError: No key, or a key or URL that cannot be right; nothing was sent.
    """
    limit = timeout if timeout is None or isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout)
    seconds = None if limit is None else tuple(limit.as_dict().items())
    key = checked_key(provider, api_key)
    return _endpoint(provider, where(provider, base_url), key, _checked(headers), seconds, limits)


def where(provider: Provider, base_url: str | None = None) -> str:
    """Return the base URL of *provider*'s API: the given one, the environment's or its own.

    Raises:
        ConfigurationError: There is none, or one that cannot be right.
    """
    found = base_url or _variable(provider.url_variable) or provider.base_url
    if not found:
        raise ConfigurationError("Pass `base_url`, the URL of the API, such as 'http://localhost:8000/v1'.")
    return checked_url(found)


@lru_cache(maxsize=128)
def _endpoint(
    provider: Provider,
    base_url: str,
    key: SecretStr | None,
    headers: tuple[tuple[str, str], ...],
    timeout: tuple[tuple[str, float | None], ...] | None,
    limits: tuple[int, float],
) -> Endpoint:
    """The same endpoint for the same account, because models ask for theirs at every call."""
    limit = None if timeout is None else httpx.Timeout(**dict(timeout))
    return Endpoint(provider, base_url, key, dict(headers), limit, Limits(*limits))


def _checked(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    given = tuple((headers or {}).items())
    if not all(name.isascii() and value.isascii() and value.isprintable() for name, value in given):
        raise ConfigurationError("`default_headers` must be printable ASCII.")
    return given


def checked_key(provider: Provider, api_key: SecretStr | None) -> SecretStr | None:
    """Return the key to use, without stray blanks, or None where the provider needs none.

    Raises:
        ConfigurationError: There is no key, or it cannot be one.
    """
    key = SecretStr((api_key.get_secret_value() if api_key else _variable(provider.key_variable)).strip())
    if not key:
        if not provider.key_variable:
            return None
        raise ConfigurationError(
            f"No API key: set the environment variable `{provider.key_variable}` or pass `api_key`."
        )
    if not _is_printable_word(key):
        where = f" or `{provider.key_variable}`" if provider.key_variable else ""
        raise ConfigurationError(f"The API key in `api_key`{where} has characters no key has.")
    return key


def _is_printable_word(key: SecretStr) -> bool:
    """Whether it can stand in a header; asked here, so that no local of a traceback holds the key."""
    given = key.get_secret_value()
    return given.isascii() and given.isprintable() and " " not in given


@lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    return httpx.URL(url)


def _variable(name: str) -> str:
    return os.environ.get(name, "") if name else ""


@lru_cache(maxsize=256)
def checked_url(url: str) -> str:
    """Return *url* without a trailing slash; raise `ConfigurationError` if no request can go there."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx.URL(url.strip())
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise ConfigurationError(
            f"`base_url` must be an http(s) URL such as 'https://host/v1', not {url.rpartition('@')[2]!r}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError("`base_url` must not hold credentials, a query or a fragment; use `api_key`.")
    return url.strip().rstrip("/")
