"""Rate limits in Redis, for several hosts. The time is the server's, so the hosts' clocks need not agree."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

from rivya_core.errors import ConfigurationError
from rivya_core.storage.limits.bucket import at_time
from rivya_core.storage.limits.stores import Change, R, dump, load
from rivya_core.storage.redis_server import RedisServer

READ = "return {redis.call('GET', KEYS[1]) or '', redis.call('TIME')}"
SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""
"""Writes the new state unless another process has written meanwhile, so the arithmetic is in Python only."""
KEPT_SECONDS = 86_400


class RedisLimitStore:
    """Keeps limits in a Redis that several hosts share.

    Args:
        url: As for `RedisLedger`; by default from `RIVYA_REDIS_URL`.
        prefix: Begins every key.
        timeout: Seconds to wait for a connection and for a response.

    Raises:
        ConfigurationError: The URL cannot be right.
    """

    def __init__(self, url: str | None = None, *, prefix: str = "rivya:limit:", timeout: float = 5.0) -> None:
        self._server = RedisServer(url, timeout=timeout, user="SharedRateLimiter")
        self._prefix = prefix
        self._locks: dict[int, Lock] = {}

    def update(self, name: str, change: Change[R]) -> R:
        """Apply *change* as one step."""
        client = self._server.client
        from redis.exceptions import RedisError

        try:
            with self._locks.setdefault(os.getpid(), Lock()):  # one thread at a time; a forked process has its own
                return self._updated(client, self._prefix + name, change)
        except (RedisError, OSError) as exc:
            raise ConfigurationError(
                f"The rate limiter's store at {self._server.place} cannot be used ({self._server.described(exc)}); "
                "nothing was sent. Check the server."
            ) from None

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._server.close()

    def __repr__(self) -> str:
        return f"RedisLimitStore({self._server.place!r})"

    def _updated(self, client: Any, key: str, change: Change[R]) -> R:
        while True:
            written, (seconds, micros) = client.eval(READ, 1, key)
            before = at_time(load(written), int(seconds) + int(micros) / 1e6)
            state, result = change(before)
            if state == before or client.eval(SWAP, 1, key, written, dump(state), KEPT_SECONDS):
                return result

    def __getstate__(self) -> dict[str, Any]:
        return {"_server": self._server, "_prefix": self._prefix, "_locks": {}}
