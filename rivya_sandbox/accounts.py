"""API keys with scopes, and accounts with credits and a ledger.

Keys are never printed, journalled or shown in a repr. The journal names the account instead.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL_SCOPES = frozenset(
    {
        "models:read",
        "generations:create",
        "generations:read",
        "files:create",
        "files:read",
        "credits:read",
        "webhooks:manage",
        "chat:create",
        "chat:read",
    }
)


@dataclass(frozen=True)
class Key:
    """An API key and what it allows."""

    secret: str = field(repr=False)
    account: str = "default"
    scopes: frozenset[str] = ALL_SCOPES
    revoked: bool = False
    expired: bool = False


@dataclass
class Entry:
    """One entry of an account's ledger.

    Attributes:
        kind: `chat` or `generation`.
        id: Id of the reply or task.
        reserved: Credits reserved before the work starts.
        final: Credits charged; `None` while the work runs, 0 if nothing was charged.
    """

    kind: str
    id: str
    reserved: int
    final: int | None = None


@dataclass
class Wallet:
    """An account's credits. Only `Accounts` changes them, because it holds the lock."""

    balance: int
    ledger: list[Entry] = field(default_factory=list)


class Accounts:
    """All keys and wallets. Thread-safe."""

    def __init__(self, credits: int, lock: threading.RLock | None = None) -> None:  # noqa: A002 - the API's word
        self._credits = credits
        self._lock = lock or threading.RLock()
        self._keys: dict[str, Key] = {}
        self._wallets: dict[str, Wallet] = {}

    def add(self, key: Key) -> None:
        """Add a key, or replace it."""
        with self._lock:
            self._keys[key.secret] = key

    def name(self, authorization: str | None) -> str:
        """Return the account of an `Authorization` header, for the journal; else `none` or `unknown`."""
        secret = bearer(authorization)
        if secret is None:
            return "none"
        key = self._keys.get(secret)
        return key.account if key else "unknown"

    def authorize(self, authorization: str | None, scope: str | None = None) -> Key:
        """Return the key of an `Authorization` header.

        Args:
            authorization: The header's value.
            scope: The scope that the endpoint requires; `None` requires only a valid key.

        Raises:
            ApiError: `api_key_missing`, `_invalid`, `_revoked`, `_expired` or `api_scope_denied`.
        """
        secret = bearer(authorization)
        if secret is None:
            raise ApiError("api_key_missing")
        key = self._keys.get(secret)
        if key is None:
            raise ApiError("api_key_invalid")
        check_usable(key)
        if scope is not None and scope not in key.scopes:
            raise ApiError("api_scope_denied", f"The API key does not have the scope {scope}.")
        return key

    def credits(self, account: str) -> int:
        """Return what the account can still spend; reservations are already subtracted."""
        with self._lock:
            return self._wallet(account).balance

    def set_credits(self, account: str, credits: int) -> None:  # noqa: A002
        """Set the account's balance. Its ledger does not change."""
        with self._lock:
            self._wallet(account).balance = credits

    def ledger(self, account: str) -> list[Entry]:
        """Return a copy of the account's ledger, oldest entry first."""
        with self._lock:
            return list(self._wallet(account).ledger)

    def reserve(self, account: str, kind: str, entry_id: str, amount: int) -> Entry:
        """Reserve credits before the work starts.

        Raises:
            ApiError: `insufficient_credits`.
        """
        with self._lock:
            wallet = self._wallet(account)
            if wallet.balance < amount:
                raise ApiError("insufficient_credits")
            wallet.balance -= amount
            entry = Entry(kind, entry_id, amount)
            wallet.ledger.append(entry)
            return entry

    def settle(self, account: str, entry: Entry, final: int) -> None:
        """Charge the real cost. The difference from the reservation is returned, or charged too."""
        with self._lock:
            if entry.final is not None:
                return
            self._wallet(account).balance += entry.reserved - final
            entry.final = final

    def _wallet(self, account: str) -> Wallet:
        return self._wallets.setdefault(account, Wallet(self._credits))


def bearer(authorization: str | None) -> str | None:
    """Return the token of a Bearer header, or `None` for anything else."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def check_usable(key: Key) -> None:
    """Reject a key that is no longer valid.

    Raises:
        ApiError: `api_key_revoked` or `api_key_expired`.
    """
    if key.revoked:
        raise ApiError("api_key_revoked")
    if key.expired:
        raise ApiError("api_key_expired")


def scopes_from(scopes: Iterable[str] | None) -> frozenset[str]:
    """Return the given scopes, or all scopes for `None`.

    Raises:
        ValueError: The API does not know one of the scopes.
    """
    if scopes is None:
        return ALL_SCOPES
    wanted = frozenset(scopes)
    if unknown := wanted - ALL_SCOPES:
        raise ValueError(f"Unknown scopes {sorted(unknown)}. The API knows {sorted(ALL_SCOPES)}.")
    return wanted
