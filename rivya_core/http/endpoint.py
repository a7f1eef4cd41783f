"""Endpoints: the API of a provider with the URL, key and headers of one account, checked before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import SecretStr

from rivya_core import __version__
from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.http.hosts import warn_unencrypted
from rivya_core.http.library import httpx
from rivya_core.http.rate_pacer import LANE
from rivya_core.http.request_defaults import read_timeout
from rivya_core.http.response_body import COMPRESSED, DEFAULT_LIMITS, EXTENSION, Limits
from rivya_core.http.secrets import ApiKey, Headers, KeySource, StoredKey, key_of, missing, plain, stored_headers
from rivya_core.providers import Provider

PATHS = ("/chat/completions", "/chat/completions/stream", "/responses", "/generations")
"""Paths of the APIs. Documentation shows them in whole URLs, which people copy."""
LONGEST_LABEL = 63
"""Characters that a part of a host's name may have."""
KEY_SOURCE = "rivya_key_source"
"""The extension of a request that asks for a fresh key before it is sent."""


STREAMED = {"accept": "text/event-stream"}
"""Headers of a request for a stream."""


@dataclass(frozen=True)
class Endpoint:
    """The API of a provider, with the URL, key and headers of one account.

    Attributes:
        provider: The provider.
        base_url: URL of the API, without a trailing slash.
        key: The account's key, a function that returns a fresh one for each request, or None if none is needed.
        headers: Further headers of every request.
        timeout: Overrides the client's.
        limits: What a response may take.
        query: Further parameters of every request's URL.
    """

    provider: Provider
    base_url: str
    key: SecretStr | KeySource | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: httpx.Timeout | None = None
    limits: Limits = DEFAULT_LIMITS
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def account(self) -> str:
        """Identifies the account in fingerprints: the key, or a note that a function returns it."""
        return self.key.get_secret_value() if isinstance(self.key, SecretStr) else str(self.key or "")

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
            fields: Multipart fields in addition to *files*.
            headers: Further headers of this request.

        Raises:
            InvalidInputError: *body* holds something that JSON cannot carry.
        """
        content = None if body is None else encode(body)
        every = self._headers if content is None else self._json_headers  # the request makes a copy
        lane = (self.base_url, path, self._key_hash, (body or {}).get("model"))
        extensions: dict[str, Any] = {EXTENSION: self.limits, LANE: lane}
        if self.timeout is not None:
            extensions["timeout"] = self.timeout.as_dict()
        if isinstance(self.key, KeySource):
            extensions[KEY_SOURCE] = self.key
        url = _url(self.base_url + path, self.query)
        if content is None:
            request = httpx.Request(method, url, headers=every, files=files, data=fields, extensions=extensions)
        else:  # the same as `content=`, without httpx's search for headers that are known to be there or not
            body_stream = httpx.ByteStream(content)
            request = httpx.Request(method, url, headers=every, stream=body_stream, extensions=extensions)
            request.read()
            request.headers["content-length"] = str(len(content))
        for name, value in (headers or {}).items():
            request.headers[name] = value
        return request

    @cached_property
    def _headers(self) -> httpx.Headers:
        """Headers of every request of this account."""
        host = _url(self.base_url).netloc.decode("ascii")
        agent, encodings = f"rivya-integrations/{__version__}", ", ".join(COMPRESSED)
        every = httpx.Headers({"host": host, "user-agent": agent, "accept-encoding": encodings})
        every.update(self.headers)
        if isinstance(self.key, SecretStr):
            set_key(every, self.key)
        return every

    @cached_property
    def _json_headers(self) -> httpx.Headers:
        """Headers of every request with a JSON body."""
        every = self._headers.copy()
        every["content-type"] = every["accept"] = "application/json"
        return every

    @cached_property
    def _key_hash(self) -> int:
        """Identifies the account in this process."""
        return hash(self.key)

    def idempotent(self, path: str) -> bool:
        """Whether a POST to *path* may be repeated under the same idempotency key."""
        return path in self.provider.idempotent_paths


def set_key(headers: httpx.Headers, key: SecretStr) -> None:
    """Let *headers* carry *key*.

    Raises:
        ConfigurationError: It cannot be a key.
    """
    if not _is_printable_word(key):
        raise ConfigurationError("The API key contains characters that are not allowed in an API key.")
    headers["authorization"] = f"Bearer {key.get_secret_value()}"


ITEMS_AT_ONCE = 256
"""Items of a long list, for example messages, that are written as JSON at a time."""
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(body: Mapping[str, Any]) -> bytes:
    """Return *body* as JSON bytes; raise `InvalidInputError` where JSON cannot carry it."""
    long = [name for name, value in body.items() if type(value) is list and len(value) > ITEMS_AT_ONCE]
    try:
        return _in_parts(body, long) if long else _as_json(body).encode()
    except UnicodeEncodeError:
        raise InvalidInputError("The input holds a lone surrogate, which is not text; nothing was sent.") from None
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidInputError(f"The request cannot be written as JSON ({exc}); nothing was sent.") from None


def _in_parts(body: Mapping[str, Any], long: list[str]) -> bytes:
    """Return the same bytes, with the lists called *long* written in parts: the whole takes three times its size."""
    written = BytesIO()
    for name, value in body.items():
        written.write(b"," if written.tell() else b"{")
        if name not in long:
            written.write(_as_json({name: value})[1:-1].encode())
            continue
        written.write(_as_json({name: 0})[1:-2].encode())
        for start in range(0, len(value), ITEMS_AT_ONCE):
            written.write(b"," if start else b"[")
            written.write(_as_json(value[start : start + ITEMS_AT_ONCE])[1:-1].encode())
        written.write(b"]")
    written.write(b"}")
    return written.getvalue()


def endpoint(
    provider: Provider,
    *,
    api_key: ApiKey = None,
    base_url: str | None = None,
    headers: Headers | None = None,
    timeout: Any = None,
    query: Mapping[str, Any] | None = None,
    limits: tuple[int, float] = (DEFAULT_LIMITS.max_response_bytes, DEFAULT_LIMITS.stream_idle_timeout),
) -> Endpoint:
    """Return *provider*'s endpoint for an account; what is None comes from the environment or the provider.

    Raises:
        ConfigurationError: No key, or a key or URL that cannot be right; nothing was sent.
    """
    url, own_query = find_url(provider, base_url)
    warn_unencrypted(url)
    return Endpoint(
        provider,
        url,
        checked_key(provider, key_of(api_key)),
        checked_headers(provider, headers or {}),
        None if timeout is None else read_timeout(timeout),
        Limits(*limits),
        tuple({**dict(own_query), **checked_query(query or {})}.items()),
    )


def find_url(provider: Provider, base_url: str | None = None) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the base URL of *provider*'s API (the given one, the environment's or its own) and the query in it.

    Raises:
        ConfigurationError: There is no URL, or no request can go there.
    """
    found = base_url or _variable(provider.url_variable) or provider.base_url
    if not found:
        raise ConfigurationError("Pass `base_url`, the URL of the API, such as 'http://localhost:8000/v1'.")
    return checked_url(found, "`base_url`" if base_url else f"`{provider.url_variable or 'base_url'}`")


def checked_headers(provider: Provider, headers: Headers) -> dict[str, str]:
    """Return *headers* as text; values that were not stored with a model come from the environment.

    Raises:
        ConfigurationError: A value is missing or is not allowed in a header.
    """
    gone = missing(headers)
    found = plain({name: value for name, value in headers.items() if value is not None})
    found |= stored_headers(provider, gone) if gone else {}
    if not all(name.isascii() and value.isascii() and value.isprintable() for name, value in found.items()):
        raise ConfigurationError("`default_headers` must be printable ASCII.")
    return found


def checked_query(query: Mapping[str, Any]) -> dict[str, str]:
    """Return *query* as text.

    Raises:
        ConfigurationError: A value was not stored with its model.
    """
    gone = missing(query)
    if gone:
        raise ConfigurationError(
            f"`default_query` has no value for `{'`, `'.join(gone)}`: pickles and dumps of a model hold no "
            "credentials. Set `default_query` again."
        )
    return {name: str(value) for name, value in query.items()}


def checked_key(provider: Provider, api_key: SecretStr | KeySource | StoredKey | None) -> SecretStr | KeySource | None:
    """Return the key to use, without stray blanks, or None where the provider needs none.

    Raises:
        ConfigurationError: There is no key, or it cannot be one.
    """
    if isinstance(api_key, KeySource):
        return api_key
    given = api_key.find(provider) if isinstance(api_key, StoredKey) else api_key
    key = SecretStr((given.get_secret_value() if given else _variable(provider.key_variable)).strip())
    if not key:
        if not provider.key_variable:
            return None
        raise ConfigurationError(
            f"No API key: set the environment variable `{provider.key_variable}` or pass `api_key`."
        )
    if _is_in_quotes(key):
        raise ConfigurationError("The API key is in quotes. Remove the quotation marks around it.")
    if not _is_printable_word(key):
        where = f"`api_key` or `{provider.key_variable}`" if provider.key_variable else "`api_key`"
        if _begins_with_bearer(key):
            raise ConfigurationError(f"The API key in {where} begins with 'Bearer '. Drop that word; it is added.")
        raise ConfigurationError(f"The API key in {where} contains characters that are not allowed in an API key.")
    return key


def _is_printable_word(key: SecretStr) -> bool:
    """Whether *key* can be in a header. Checked here, so that no local variable of a traceback holds the key."""
    given = key.get_secret_value()
    return given.isascii() and given.isprintable() and " " not in given


def _is_in_quotes(key: SecretStr) -> bool:
    given = key.get_secret_value()
    return len(given) > 1 and given[0] == given[-1] and given[0] in "\"'`"


def _begins_with_bearer(key: SecretStr) -> bool:
    return key.get_secret_value().lower().startswith("bearer ")


@lru_cache(maxsize=256)
def _url(url: str, query: tuple[tuple[str, str], ...] = ()) -> httpx.URL:
    return httpx.URL(url).copy_merge_params(query) if query else httpx.URL(url)


def _variable(name: str) -> str:
    return os.environ.get(name, "") if name else ""


@lru_cache(maxsize=256)
def checked_url(url: str, name: str = "`base_url`") -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return *url* without a trailing slash, and the query in it; *name* is what a message calls it.

    Raises:
        ConfigurationError: No request can go there.
    """
    try:
        parts = urlsplit(url.strip())
        labels = (parts.hostname or "").split(".")
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and all(len(label) <= LONGEST_LABEL for label in labels)
        httpx.URL(url.strip())
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise ConfigurationError(
            f"{name} must be an http(s) URL such as 'https://host/v1', not "
            f"{url.rpartition('@')[2].partition('?')[0]!r}."
        )
    if parts.username or parts.password or parts.fragment:
        raise ConfigurationError(f"{name} must not hold credentials or a fragment; use `api_key`.")
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")).rstrip("/")
    if ending := next((path for path in PATHS if bare.endswith(path)), None):
        raise ConfigurationError(
            f"{name} must end before `{ending}`, which is added: pass {bare.removesuffix(ending)!r}."
        )
    return bare, tuple(parse_qsl(parts.query, keep_blank_values=True))
