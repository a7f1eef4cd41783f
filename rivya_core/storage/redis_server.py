"""A Redis that is reached by its URL, whose password is never shown, logged or pickled.

The client comes from the extra `rivya-integrations[redis]` and is imported at the first call.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials as keys

if TYPE_CHECKING:
    import redis

URL_VARIABLE = "RIVYA_REDIS_URL"


class RedisServer:
    """A Redis, connected at the first use.

    A copy that is unpickled takes the URL from its process or from `RIVYA_REDIS_URL`.

    Args:
        url: For example `redis://:password@host:6379/0`; from the environment variable `RIVYA_REDIS_URL` when it is
            not given.
        timeout: Seconds to wait for a connection and for a response.
        user: What needs it, for the message if the client is not installed.

    Raises:
        ConfigurationError: The URL cannot be right.
    """

    def __init__(self, url: str | None, *, timeout: float, user: str) -> None:
        self._url = SecretStr(_checked(url or os.environ.get(URL_VARIABLE) or ""))
        self._timeout, self._user = timeout, user

    @cached_property
    def client(self) -> redis.Redis:
        """The client.

        Raises:
            ConfigurationError: It is not installed, or an unpickled copy found no URL.
        """
        try:
            from redis import Redis
        except ImportError:
            raise ConfigurationError(
                f"`{self._user}` needs the extra: pip install 'rivya-integrations[redis]' (in a clone: '.[redis]')"
            ) from None
        return Redis.from_url(
            _checked(self._url.get_secret_value()), socket_timeout=self._timeout, socket_connect_timeout=self._timeout
        )

    @property
    def place(self) -> str:
        """The URL without its credentials."""
        parts = urlsplit(self._url.get_secret_value())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def described(self, exc: Exception) -> str:
        """Return the client's words, without the password should they hold it."""
        password = urlsplit(self._url.get_secret_value()).password
        said = str(exc).replace(password, "***") if password else str(exc)
        return f"{type(exc).__name__}: {said}"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def __getstate__(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.__dict__.items() if key != "client"}
        return {**kept, "_url": keys.register(self._url)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        url = keys.lookup(state["_url"]) or SecretStr(os.environ.get(URL_VARIABLE) or "")
        self.__dict__.update({**state, "_url": url})


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"redis", "rediss", "unix"} and parts.port != 0
    except ValueError:  # its host or port cannot be one
        usable = False
    if not usable:
        raise ConfigurationError(
            f"`url` (or `{URL_VARIABLE}`) must begin with redis://, rediss:// or unix://; a plain value is "
            "redis://localhost:6379/0."
        )
    return url
