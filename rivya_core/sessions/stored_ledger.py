"""What the ledgers outside this process have in common: they may be down, and then never let a session continue.

Nothing of SQLite or Redis is known here.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Literal

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import Head

WhenDown = Literal["error", "replay"]
log = logging.getLogger("rivya")


class StoredLedger(ABC):
    """Base of `SQLiteLedger` and `RedisLedger`; not for use by itself.

    Args:
        when_down: What becomes of a turn whose session cannot be claimed because the ledger cannot be reached:
            `"error"` raises `LedgerError` before anything is sent, `"replay"` starts a new session.
    """

    blocking = True
    name: str

    def __init__(self, when_down: WhenDown) -> None:
        if when_down not in ("error", "replay"):
            raise ConfigurationError(f'`when_down` must be "error" or "replay", not {when_down!r}.')
        self.when_down = when_down

    def claim(self, head: Head) -> bool:
        """Return whether the caller, and no one else, may continue from *head*.

        Raises:
            LedgerError: The ledger cannot be reached, and `when_down` is `"error"`.
        """
        try:
            return self._claim(head)
        except LedgerError as error:
            if self.when_down == "error":
                raise
            log.warning("Replaying into a new session: %s", error)
            return False

    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""
        self.settle(head)

    @abstractmethod
    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""

    @abstractmethod
    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""

    @abstractmethod
    def _claim(self, head: Head) -> bool:
        """Claim *head*; raise `LedgerError` if it cannot be asked."""
