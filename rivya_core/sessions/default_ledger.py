"""The ledger of models that were given none: this process's memory, or what `RIVYA_SESSION_LEDGER` names."""

from __future__ import annotations

import os
from functools import lru_cache

from rivya_core.errors import ConfigurationError
from rivya_core.sessions.ledger import PROCESS_LEDGER, Ledger

VARIABLE = "RIVYA_SESSION_LEDGER"


def default_ledger() -> Ledger:
    """Return the ledger that `RIVYA_SESSION_LEDGER` names: `memory` (the default), a `redis://` URL or a file's path.

    Raises:
        ConfigurationError: The variable's value cannot be right.
    """
    return _ledger(os.environ.get(VARIABLE, "").strip())


@lru_cache(maxsize=8)
def _ledger(value: str) -> Ledger:
    if value.lower() in ("", "memory"):
        return PROCESS_LEDGER
    scheme, separator, _ = value.partition("://")
    if not separator:
        from rivya_core.sessions.sqlite_ledger import SQLiteLedger

        return SQLiteLedger(value)
    if scheme.lower() not in ("redis", "rediss", "unix"):
        raise ConfigurationError(  # without the value, which may hold a password
            f"{VARIABLE} begins with {scheme}://, but must be `memory`, the path of a file for SQLite, or a URL that "
            "begins with redis://, rediss:// or unix://."
        )
    from rivya_core.sessions.redis_ledger import RedisLedger

    return RedisLedger(value)
