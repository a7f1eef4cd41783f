"""Who may call and who pays: API keys with scopes, accounts, wallets with a ledger.

Keys are never printed, journalled or kept in a repr; the journal names the account instead.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.refusals import Refusal

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
    """One line of an account's ledger.

    Attributes:
        kind: `chat` or `generation`.
        id: Id of the reply or of the task.
        reserved: Credits held back before the work began.
        final: Credits charged in the end; `None` while the work runs, 0 where nothing was charged.
    """

    kind: str
    id: str
    reserved: int
    final: int | None = None


@dataclass
class Wallet:
    """An account's credits. Whatever is charged goes through `Accounts`, which holds the lock."""

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
        """Let `key` in, or replace what is known of it."""
        with self._lock:
            self._keys[key.secret] = key

    def name(self, authorization: str | None) -> str:
        """The account behind an `Authorization` header, for the journal: `none` or `unknown` where there is none."""
        secret = bearer(authorization)
        if secret is None:
            return "none"
        key = self._keys.get(secret)
        return key.account if key else "unknown"

    def authorize(self, authorization: str | None, scope: str | None = None) -> Key:
        """The key behind an `Authorization` header.

        Args:
            authorization: The header's value.
            scope: What the endpoint asks for; `None` asks only for a good key.

        Raises:
            Refusal: `api_key_missing`, `_invalid`, `_revoked`, `_expired` or `api_scope_denied`.
        """
        secret = bearer(authorization)
        if secret is None:
            raise Refusal("api_key_missing")
        key = self._keys.get(secret)
        if key is None:
            raise Refusal("api_key_invalid")
        refuse_if_unusable(key)
        if scope is not None and scope not in key.scopes:
            raise Refusal("api_scope_denied", f"The API key does not have the scope {scope}.")
        return key

    def credits(self, account: str) -> int:
        """What the account can still spend: reservations are already taken off."""
        with self._lock:
            return self._wallet(account).balance

    def set_credits(self, account: str, credits: int) -> None:  # noqa: A002
        """Give the account exactly so many credits; its ledger stays."""
        with self._lock:
            self._wallet(account).balance = credits

    def ledger(self, account: str) -> list[Entry]:
        """A copy of the account's ledger, oldest entry first."""
        with self._lock:
            return list(self._wallet(account).ledger)

    def reserve(self, account: str, kind: str, entry_id: str, amount: int) -> Entry:
        """Hold back `amount` before the work begins.

        Raises:
            Refusal: `insufficient_credits`.
        """
        with self._lock:
            wallet = self._wallet(account)
            if wallet.balance < amount:
                raise Refusal("insufficient_credits")
            wallet.balance -= amount
            entry = Entry(kind, entry_id, amount)
            wallet.ledger.append(entry)
            return entry

    def settle(self, account: str, entry: Entry, final: int) -> None:
        """Charge what it really cost; the difference to the reservation goes back or is taken too."""
        with self._lock:
            if entry.final is not None:
                return
            self._wallet(account).balance += entry.reserved - final
            entry.final = final

    def _wallet(self, account: str) -> Wallet:
        return self._wallets.setdefault(account, Wallet(self._credits))


def bearer(authorization: str | None) -> str | None:
    """The token of a Bearer header, or `None` for anything else."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def refuse_if_unusable(key: Key) -> None:
    """Raise for a key that was good once."""
    if key.revoked:
        raise Refusal("api_key_revoked")
    if key.expired:
        raise Refusal("api_key_expired")


def scopes_from(scopes: Iterable[str] | None) -> frozenset[str]:
    """The given scopes, or all of them for `None`.

    Raises:
        ValueError: For a scope that the API does not know.
    """
    if scopes is None:
        return ALL_SCOPES
    wanted = frozenset(scopes)
    if unknown := wanted - ALL_SCOPES:
        raise ValueError(f"Unknown scopes {sorted(unknown)}; known are {sorted(ALL_SCOPES)}")
    return wanted
