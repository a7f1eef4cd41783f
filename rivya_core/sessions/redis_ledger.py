"""A ledger in Redis, for several hosts. Each call is one script, which Redis runs whole or not at all.

The client comes from the extra `rivya-integrations[redis]` and is imported at the first call.
"""

from __future__ import annotations

from typing import Any

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.stored_ledger import StoredLedger, WhenDown
from rivya_core.storage.redis_server import RedisServer

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
        self._server = RedisServer(url, timeout=timeout, user="RedisLedger")
        self._ttl, self._prefix = ttl, prefix

    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""
        self._run(PUT, head, "free")

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        self._run(PUT, head, "invalid")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._server.close()

    def __repr__(self) -> str:
        return f"RedisLedger({self._server.place!r})"

    def _claim(self, head: Head, *, proven: bool) -> bool:
        return bool(self._run(CLAIM, head, "1" if proven else "0"))

    def _knows(self, head: Head) -> bool:
        return bool(self._run(KNOWS, head, ""))

    def _run(self, script: str, head: Head, argument: str) -> Any:
        client = self._server.client
        from redis.exceptions import RedisError

        try:
            return client.eval(script, 1, self._prefix + head.session, head.turn, head.digest, argument, self._ttl)
        except (RedisError, OSError) as exc:
            raise LedgerError(
                f"The session ledger at {self._server.place} cannot be used ({self._server.described(exc)}); no "
                'session was continued. Check the server, or set `when_down="replay"` to go on without it.'
            ) from None
