"""What a pickle of a model or tool holds: its settings, but no key, no header's value and no connection.

In the process that wrote a pickle everything is found again. In another one, the environment gives key and headers.
Unpickling never raises, because a process pool would wait for ever: the first call says what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pickle import PicklingError
from typing import Any

from pydantic import SecretStr

from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials
from rivya_core.http.headers import public_query
from rivya_core.http.secrets import Headers, StoredKey, missing, plain
from rivya_core.storage.limits.limiter import RateLimiter

CLIENTS = ("http_client", "http_async_client")


class NotPicklableError(ConfigurationError, PicklingError):
    """The model has connections of its own, which cannot leave their process."""


@dataclass(frozen=True)
class StoredValues:
    """Stands for headers or query parameters in a pickle.

    Attributes:
        mark: Under which the process that wrote the pickle finds their values.
        shown: Their names, with the values that may be written and None for the others.
    """

    mark: str
    shown: dict[str, str | None]


def for_pickle(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* as a pickle may hold them.

    Raises:
        NotPicklableError: There are clients of the caller's own.
    """
    kept = dict(fields)
    own = [name for name in CLIENTS if kept.pop(name, None) is not None]
    if own:
        raise NotPicklableError(
            f"A model or tool with its own `{own[0]}` cannot be pickled, because connections cannot leave their "
            f"process. Pickle a copy without it, and set it again on the other side."
        )
    if not isinstance(kept.get("rate_limiter"), RateLimiter):
        kept.pop("rate_limiter", None)  # others hold locks and count for their process alone
    key = kept.get("api_key")
    if key is not None:
        kept["api_key"] = _stored_key(key)
    if kept.get("default_headers"):
        kept["default_headers"] = _stored(kept["default_headers"], dict.fromkeys(kept["default_headers"]))
    if kept.get("default_query"):
        kept["default_query"] = _stored(kept["default_query"], public_query(kept["default_query"]))
    return kept


def from_pickle(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in a pickle, with the key and the values of this process where it has them."""
    kept = {**dict.fromkeys(CLIENTS), **fields}
    for name, value in fields.items():
        if isinstance(value, StoredKey):
            kept[name] = credentials.lookup(value.mark) or value
        elif isinstance(value, StoredValues):
            found = credentials.lookup(value.mark)
            kept[name] = json.loads(found.get_secret_value()) if found else dict(value.shown)
    return kept


def _stored_key(key: Any) -> StoredKey:
    """Return the stored form of *key*; a function that returns keys cannot be found again."""
    if isinstance(key, StoredKey):
        return key
    if isinstance(key, str):
        key = SecretStr(key)
    return StoredKey(credentials.register(key) if isinstance(key, SecretStr) else "")


def _stored(values: Headers, shown: dict[str, str | None]) -> StoredValues:
    known = {**plain({name: value for name, value in values.items() if value is not None}), **missing(values)}
    return StoredValues(credentials.register(SecretStr(json.dumps(known))), shown)
