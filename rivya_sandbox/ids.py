"""New ids, and instants as the API writes them."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import threading


class Ids:
    """A source of ids: random, or the same sequence in every run when it has a seed.

    Random is the default, so that ids of two sandboxes in one process, or from before and after `reset()`, never
    meet in a client's cache.
    """

    def __init__(self, seed: str | None = None) -> None:
        self._seed = seed
        self._count = 0
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """Return an id such as `file_0f3a…`, with 20 hexadecimal digits."""
        if self._seed is None:
            return f"{prefix}_{secrets.token_hex(10)}"
        with self._lock:
            self._count += 1
            count = self._count
        return f"{prefix}_{hashlib.sha256(f'{self._seed}:{count}'.encode()).hexdigest()[:20]}"


def iso(seconds: float) -> str:
    """Format an instant: ISO 8601, UTC, milliseconds."""
    moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
