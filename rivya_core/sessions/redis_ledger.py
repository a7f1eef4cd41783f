"""A ledger in Redis, for several hosts. Each call is one script, which Redis runs whole or not at all.

The client comes from the extra `rivya-integrations[redis]` and is imported at the first call.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.http import credentials as keys
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.stored_ledger import StoredLedger, WhenDown

if TYPE_CHECKING:
    import redis

URL_VARIABLE = "RIVYA_REDIS_URL"
VERDICT = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local function verdict(proven)
  local known = redis.call('HMGET', KEYS[1], 'state', 'turn', 'digest', 'run')
  local state, turn = known[1], tonumber(known[2])
  if not state or (state == 'free' and known[4] ~= run) then return proven and 'granted' or 'unknown' end
  if state == 'free' and turn == tonumber(ARGV[1]) and known[3] == ARGV[2] then return 'granted' end
  if state == 'free' and tonumber(ARGV[1]) > turn then return proven and 'granted' or 'unknown' end
  return 'refused'
end
local function put(state)
  redis.call('HSET', KEYS[1], 'state', state, 'turn', ARGV[1], 'digest', ARGV[2], 'run', run)
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
"""
"""`rivya_core.sessions.ledger.verdict_on`. A head that was remembered by another run of the server (a restart from an
older snapshot, a failover to a replica that lags) is not trusted: it may have moved on."""
CLAIM = f"""{VERDICT}
local found = verdict(ARGV[3] == '1')
if found == 'granted' then put('claimed') end
return found == 'granted' and 1 or 0
"""
KNOWS = f"""{VERDICT}
return verdict(false) == 'unknown' and 0 or 1
"""
PUT = f"""{VERDICT}
local invalid = redis.call('HGET', KEYS[1], 'state') == 'invalid'
put(invalid and 'invalid' or ARGV[3])
return 1
"""


class RedisLedger(StoredLedger):
    """Remembers session heads in a Redis that several hosts share.

    Args:
        url: For example `redis://:password@host:6379/0`; from the environment variable `RIVYA_REDIS_URL` when it is
            not given. A password is never shown and never pickled: an unpickled ledger takes the URL from the process
            or the variable, and raises at its first use if there is none.
        ttl: Seconds after which an unused session is forgotten, and replayed when it comes back. Default 30 days.
        prefix: Begins every key.
        timeout: Seconds to wait for a connection and for an answer.
        when_down: What to do while Redis cannot be reached: `"error"` or `"replay"`.

    Raises:
        ConfigurationError: The URL or the time to live cannot be right.
    """

    name = "redis"

    def __init__(
        self,
        url: str | None = None,
        ttl: int = 30 * 86_400,
        *,
        prefix: str = "rivya:session:",
        timeout: float = 5.0,
        when_down: WhenDown = "error",
    ) -> None:
        super().__init__(when_down)
        if ttl < 1:
            raise ConfigurationError(f"`ttl` must be at least one second, not {ttl}.")
        self._url = SecretStr(_checked(url or os.environ.get(URL_VARIABLE) or ""))
        self._ttl, self._prefix, self._timeout = ttl, prefix, timeout

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        self._run(PUT, head, "free")

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        self._run(PUT, head, "invalid")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def __repr__(self) -> str:
        return f"RedisLedger({self._where!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the password out: where the ledger is read back, the process or the environment knows the URL."""
        kept = {key: value for key, value in self.__dict__.items() if key != "_client"}
        return {**kept, "_url": keys.register(self._url)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        url = keys.lookup(state["_url"]) or SecretStr(os.environ.get(URL_VARIABLE) or "")
        self.__dict__.update({**state, "_url": url})

    def _claim(self, head: Head, *, proven: bool) -> bool:
        return bool(self._run(CLAIM, head, "1" if proven else "0"))

    def _knows(self, head: Head) -> bool:
        return bool(self._run(KNOWS, head, ""))

    def _run(self, script: str, head: Head, argument: str) -> Any:
        client = self._client
        from redis.exceptions import RedisError

        try:
            return client.eval(script, 1, self._prefix + head.session, head.turn, head.digest, argument, self._ttl)
        except (RedisError, OSError) as exc:
            raise LedgerError(
                f"The session ledger at {self._where} cannot be used ({type(exc).__name__}: {self._clean(exc)}); no "
                'session was continued. Check the server, or set `when_down="replay"` to go on without it.'
            ) from None

    @cached_property
    def _client(self) -> redis.Redis:
        try:
            from redis import Redis
        except ImportError:
            raise ConfigurationError("`RedisLedger` needs the extra: pip install 'rivya-integrations[redis]'") from None
        return Redis.from_url(
            _checked(self._url.get_secret_value()), socket_timeout=self._timeout, socket_connect_timeout=self._timeout
        )

    @property
    def _where(self) -> str:
        parts = urlsplit(self._url.get_secret_value())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _clean(self, exc: Exception) -> str:
        """The client's words; should they hold the password, they do not any more."""
        password = urlsplit(self._url.get_secret_value()).password
        return str(exc).replace(password, "***") if password else str(exc)


def _checked(url: str) -> str:
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ConfigurationError(
            f"`url` (or `{URL_VARIABLE}`) must begin with redis://, rediss:// or unix://; a plain value is "
            "redis://localhost:6379/0."
        )
    return url
