"""What the ledgers outside this process share: they can be unreachable, and then a session is never continued.

Nothing of SQLite or Redis is known here.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from rivya_core.errors import ConfigurationError, LedgerError
from rivya_core.sessions.ledger import Head

T = TypeVar("T")
WhenDown = Literal["error", "replay"]
log = logging.getLogger("rivya")


class StoredLedger(ABC):
    """Base of `SQLiteLedger` and `RedisLedger`; do not use it directly.

    Args:
        when_down: What happens while the ledger cannot be reached. `"error"` raises `LedgerError` before anything is
            sent, also for the first turn of a conversation. `"replay"` starts new sessions and logs one warning.
    """

    blocking = True

    def __init__(self, when_down: WhenDown) -> None:
        if when_down not in ("error", "replay"):
            raise ConfigurationError(f'`when_down` must be "error" or "replay", not {when_down!r}.')
        self.when_down = when_down
        self._name, self._down = "", False

    @property
    def name(self) -> str:
        """Names the file or server, wherever it is reached from; empty until it is reached for the first time."""
        return self._name

    def check(self) -> None:
        """Reach the ledger before the first turn, so that a wrong path or URL is found before anything is sent.

        Raises:
            LedgerError: The ledger cannot be reached, and `when_down` is `"error"`.
        """
        if not self._name:
            self._name = self._reach(self._read_name, otherwise="")

    def claim(self, head: Head, *, proven: bool = False) -> bool:
        """Return whether the caller, and no one else, may continue from *head*.

        Raises:
            LedgerError: The ledger cannot be reached, and `when_down` is `"error"`.
        """
        return self._reach(lambda: self._claim(head, proven=proven), otherwise=False)

    def knows(self, head: Head) -> bool:
        """Return whether a refused claim on *head* is final."""
        return self._reach(lambda: self._knows(head), otherwise=True)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was learnt about the file or server: on another host it may be another one."""
        return {**self.__dict__, "_name": "", "_down": False}

    @abstractmethod
    def settle(self, head: Head) -> None:
        """Remember *head* as the newest of its session and end the claim."""

    @abstractmethod
    def release(self, head: Head) -> None:
        """End the claim on *head*; the session is as it was."""

    @abstractmethod
    def invalidate(self, head: Head) -> None:
        """End the claim on *head*; the session is never continued again."""

    @abstractmethod
    def _read_name(self) -> str:
        """Return the name; raise `LedgerError` if the ledger cannot be reached."""

    @abstractmethod
    def _claim(self, head: Head, *, proven: bool) -> bool:
        """Claim *head*; raise `LedgerError` if the ledger cannot be reached."""

    @abstractmethod
    def _knows(self, head: Head) -> bool:
        """Return whether a refused claim is final; raise `LedgerError` if the ledger cannot be reached."""

    def _reach(self, work: Callable[[], T], *, otherwise: T) -> T:
        """Do *work*, or return *otherwise* while the ledger is down and `when_down` is `"replay"`."""
        try:
            found = work()
        except LedgerError as error:
            if self.when_down == "error":
                raise
            if not self._down:
                log.warning("Sessions are replayed until the ledger can be reached again: %s", error)
            self._down = True
            return otherwise
        self._down = False
        return found
