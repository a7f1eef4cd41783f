"""`Idempotency-Key`: the same key and body return the stored response; another body is a conflict.

Keys belong to an account and never expire here; the documentation says nothing about either.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rivya_sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@dataclass
class Claim:
    """A key in use: the request that used it and, later, the result."""

    fingerprint: str
    result: Any = None
    done: bool = False


class Idempotency:
    """All keys in use. Thread-safe."""

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self._lock = lock or threading.RLock()
        self._claims: dict[tuple[str, str], Claim] = {}

    async def once(self, account: str, key: str | None, request: object, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` once per key. Later calls return the stored result.

        Args:
            account: The account that the key belongs to.
            key: The header's value; without a key the work is always done.
            request: What must be equal for a second use of the key: path and body, as JSON values.
            work: Does the work. If it raises, the key is free again.

        Raises:
            ApiError: `idempotency_conflict`, if the key belongs to another request or to one that still runs.
        """
        if not key:
            return await work()
        claim = self._claim(account, key, fingerprint(request))
        if claim.done:
            stored: T = claim.result
            return stored
        try:
            result = await work()
        except BaseException:
            self.forget(account, key)
            raise
        claim.result, claim.done = result, True
        return result

    def forget(self, account: str, key: str | None) -> None:
        """Free a key, so that new work can use it."""
        with self._lock:
            self._claims.pop((account, key or ""), None)

    def _claim(self, account: str, key: str, request: str) -> Claim:
        with self._lock:
            known = self._claims.get((account, key))
            if known is None:
                fresh = self._claims[(account, key)] = Claim(request)
                return fresh
        if known.fingerprint != request:
            raise ApiError("idempotency_conflict")
        if not known.done:
            raise ApiError("idempotency_conflict", "The first request with this Idempotency-Key is still running.")
        return known


def fingerprint(request: object) -> str:
    """Return a digest that is equal for equal JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
