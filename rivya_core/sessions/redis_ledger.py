"""A ledger in Redis, for several hosts. Each call is one script, which Redis runs whole or not at all.

The client comes from the extra `rivya-integrations[redis]` and is imported at the first call.
"""

from __future__ import annotations

import uuid
from typing import Any

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import Head
from rivya_core.sessions.stored_ledger import StoredLedger, WhenDown
from rivya_core.storage.redis_server import RedisServer

COMMON = """
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local turn, digest, ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local known = redis.call('HMGET', KEYS[1], 'state', 'turn', 'digest', 'run')
local entry = known[1] and {state = known[1], turn = tonumber(known[2]), digest = known[3]}
local same = entry and entry.turn == turn and entry.digest == digest
local function verdict(proven)
  if not entry then return proven and 'granted' or 'unknown' end
  if entry.state ~= 'free' or not (same or turn > entry.turn) then return 'refused' end
  local trusted = same and run ~= '' and known[4] == run
  return (proven or trusted) and 'granted' or 'unknown'
end
local function put(state)
  redis.call('HSET', KEYS[1], 'state', state, 'turn', turn, 'digest', digest, 'run', run)
  redis.call('EXPIRE', KEYS[1], ttl)
end
"""
"""The rules of `rivya_core.sessions.ledger`. A head that was remembered by another run of the server (a restart from an
older snapshot, a failover to a replica that lags) is not trusted: it may have moved on."""
CLAIM = f"""{COMMON}
if verdict(ARGV[4] == 'proven') ~= 'granted' then return 0 end
put('claimed')
return 1
"""
KNOWS = f"""{COMMON}
return verdict(false) == 'unknown' and 0 or 1
"""
SETTLE = f"""{COMMON}
if not entry or (entry.state ~= 'invalid' and (turn == 1 or entry.turn < turn)) then put('free') end
return 1
"""
RELEASE = f"""{COMMON}
if not same or entry.state ~= 'claimed' then return 1 end
if ARGV[4] == 'own' then put('free') else redis.call('DEL', KEYS[1]) end
return 1
"""
INVALIDATE = f"""{COMMON}
put('invalid')
return 1
"""
NAME = """
redis.call('HSETNX', KEYS[1], 'name', ARGV[1])
return redis.call('HGET', KEYS[1], 'name')
"""


class RedisLedger(StoredLedger):
    """Remembers session heads in a Redis that several hosts share.

    Args:
        url: For example `redis://:password@host:6379/0`; from the environment variable `RIVYA_REDIS_URL` when it is
            not given. A password is never shown and never pickled: an unpickled ledger takes the URL from the process
            or the variable, and raises at its first use if there is none.
        ttl: Seconds after which an unused session is forgotten, and replayed when it comes back. Default 30 days.
        prefix: Begins every key.
        timeout: Seconds to wait for a connection and for a response.
        when_down: What to do while Redis cannot be reached: `"error"` or `"replay"`.

    Raises:
        ConfigurationError: The URL or the time to live cannot be right.
    """

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
        self._run(SETTLE, head)

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        self._run(RELEASE, head, "own" if head.ledger in ("", self.name) else "")

    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""
        self._run(INVALIDATE, head)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._server.close()

    def __repr__(self) -> str:
        return f"RedisLedger({self._server.place!r})"

    def _read_name(self) -> str:
        name = self._eval(NAME, f"{self._prefix}name", uuid.uuid4().hex)
        return f"redis:{name.decode() if isinstance(name, bytes) else name}"

    def _claim(self, head: Head, *, proven: bool) -> bool:
        return bool(self._run(CLAIM, head, "proven" if proven else ""))

    def _knows(self, head: Head) -> bool:
        return bool(self._run(KNOWS, head))

    def _run(self, script: str, head: Head, how: str = "") -> Any:
        return self._eval(script, self._prefix + head.session, head.turn, head.digest, self._ttl, how)

    def _eval(self, script: str, key: str, *arguments: Any) -> Any:
        client = self._server.client
        from redis.exceptions import RedisError

        try:
            return client.eval(script, 1, key, *arguments)
        except (RedisError, OSError) as exc:
            raise LedgerError(
                f"The session ledger at {self._server.place} cannot be used ({self._server.described(exc)}); no "
                'session was continued. Check the server, or set `when_down="replay"` to work without it.'
            ) from None
