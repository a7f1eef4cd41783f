"""The rate limiter that both frameworks' classes are made of."""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from typing import Any

from rivya_core.errors import ConfigurationError
from rivya_core.http.plan import Plan, call, pause
from rivya_core.storage.limits import bucket
from rivya_core.storage.limits.bucket import Rates, Slot, State
from rivya_core.storage.limits.stores import LimitStore, MemoryStore

log = logging.getLogger("rivya.limits")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.001, 30.0
"""Seconds. A wait is checked again after half of it, at most after the longest, because it may become shorter."""
MOST_OPEN = 10_000
"""Requests whose replies may be missing."""


class RateLimiter:
    """A limit that is shared by everything that uses the same store and name.

    The arguments are those of `SharedRateLimiter` in both packages, which describes them.

    Raises:
        ConfigurationError: A number that cannot be right, or a store that cannot be used.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        *,
        store: str | os.PathLike[str] | LimitStore | None = None,
        name: str = "default",
        burst: int = 1,
        tokens_per_request: float = 1000.0,
        longest_hold: float = 300.0,
    ) -> None:
        self.rates = Rates(requests_per_minute, tokens_per_minute, burst, tokens_per_request)
        self.name, self.longest_hold = name, longest_hold
        _check(self.rates, longest_hold)
        self.store = _store_for(store)
        self._open: deque[float] = deque(maxlen=MOST_OPEN)

    def wait(self, tokens: float | None = None) -> Plan[bool]:
        """Reserve the next free moment, wait for it and return True.

        Args:
            tokens: Tokens that the request needs; by default as many as the last replies had.
        """
        slot, seconds = yield from call(lambda: self._reserve(tokens))
        if seconds > 1:
            log.info("A request waits %.1f s for the rate limit %r", seconds, self.name)
        while seconds > SHORTEST_PAUSE:
            yield from pause(seconds if seconds <= 1 else min(seconds / 2, LONGEST_PAUSE))
            seconds = yield from call(lambda: self._seconds_until(slot))
        return True

    def try_now(self) -> Plan[bool]:
        """Reserve this moment if it is free, and return whether it was."""
        slot = yield from call(lambda: self.store.update(self.name, self._reserved_now))
        if slot is not None:
            self._open.append(slot.tokens)
        return slot is not None

    def hold(self, seconds: float) -> None:
        """Stop all requests for *seconds*, because a server asked for it."""
        seconds = min(seconds, self.longest_hold)
        if seconds > 0:
            log.info("Requests are held for %.1f s by the rate limit %r", seconds, self.name)
            self.store.update(self.name, lambda state: (bucket.hold(state, self.rates, seconds), None))

    def record(self, tokens: float | None) -> None:
        """Record the tokens of a reply: 0 if there was no reply, None if the number is unknown.

        Chat models of this package do it by themselves.
        """
        reserved = self._open.popleft() if self._open else None
        if tokens is not None and self.rates.tokens:
            self.store.update(self.name, lambda state: (self._settled(state, tokens, reserved), None))

    def _reserve(self, tokens: float | None) -> tuple[Slot, float]:
        def change(state: State) -> tuple[State, tuple[Slot, float]]:
            after, slot = bucket.reserve(state, self.rates, tokens)
            return after, (slot, bucket.seconds_until(after, slot))

        slot, seconds = self.store.update(self.name, change)
        self._open.append(slot.tokens)
        return slot, seconds

    def _reserved_now(self, state: State) -> tuple[State, Slot | None]:
        after, slot = bucket.reserve(state, self.rates)
        return (after, slot) if bucket.seconds_until(after, slot) <= 0 else (state, None)

    def _seconds_until(self, slot: Slot) -> float:
        return self.store.update(self.name, lambda state: (state, bucket.seconds_until(state, slot)))

    def _settled(self, state: State, tokens: float, reserved: float | None) -> State:
        known = reserved if reserved is not None else (state.expected or self.rates.expected_tokens)
        return bucket.settle(state, self.rates, tokens, known)

    def __repr__(self) -> str:
        limits = f"{self.rates.requests} requests, {self.rates.tokens} tokens per minute"
        return f"{type(self).__name__}({self.name!r}: {limits}, {self.store!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": deque(maxlen=MOST_OPEN)}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> RateLimiter:
        """A copy of a model has the same limit."""
        return self


def _store_for(where: str | os.PathLike[str] | LimitStore | None) -> LimitStore:
    """Return the store that *where* names: None for this process, a `redis://` URL, or a file's path.

    Raises:
        ConfigurationError: The URL or path cannot be right.
    """
    if where is None:
        return MemoryStore()
    if not isinstance(where, (str, os.PathLike)):
        return where
    if str(where).split("://")[0] in {"redis", "rediss", "unix"}:
        from rivya_core.storage.limits.redis_store import RedisLimitStore

        return RedisLimitStore(str(where))
    from rivya_core.storage.limits.sqlite_store import SQLiteLimitStore

    return SQLiteLimitStore(where)


def _check(rates: Rates, longest_hold: float) -> None:
    limits = {"requests_per_minute": rates.requests, "tokens_per_minute": rates.tokens}
    given = {name: value for name, value in limits.items() if value is not None}
    numbers = {**given, "tokens_per_request": rates.expected_tokens, "longest_hold": longest_hold, "burst": rates.burst}
    wrong = [name for name, value in numbers.items() if not (_is_number(value) and 0 < value < math.inf)]
    if wrong:
        raise ConfigurationError(f"`{wrong[0]}` must be a number above 0, not {numbers[wrong[0]]!r}.")
    if not given:
        raise ConfigurationError("Set `requests_per_minute`, `tokens_per_minute` or both.")
    if rates.burst < 1 or rates.burst > (rates.requests or math.inf):
        raise ConfigurationError(f"`burst` must be from 1 to `requests_per_minute`, not {rates.burst!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
