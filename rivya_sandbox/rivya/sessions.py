"""Chat sessions: their account and model, their messages, and whether a turn is running.

`turns.py` runs turns and charges them. `chat.py` formats sessions.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError

if TYPE_CHECKING:
    from rivya_sandbox.ids import Ids
    from rivya_sandbox.values import Context, Message


@dataclass(frozen=True)
class StoredMessage:
    """A message in a session."""

    id: str
    message: Message
    at: float


@dataclass
class Session:
    """One conversation. The API continues only sessions that it created."""

    id: str
    account: str
    model: str
    created: float
    updated: float
    from_api: bool = True
    running: bool = False
    messages: list[StoredMessage] = field(default_factory=list)
    context: Context = ()
    tokens: int = 0
    turns: int = 0

    def add(self, messages: list[StoredMessage], now: float) -> None:
        """Store the messages of a turn. Context and token count grow with them, so that long sessions stay fast."""
        self.messages.extend(messages)
        self.context += tuple(one.message for one in messages)
        self.tokens += sum(one.message.tokens for one in messages)
        self.updated = now
        self.turns += 1

    @property
    def title(self) -> str:
        """The start of the first message."""
        return self.messages[0].message.text[:60] if self.messages else ""


class Sessions:
    """All sessions. Thread-safe."""

    def __init__(self, ids: Ids, lock: threading.RLock | None = None) -> None:
        self._ids = ids
        self._lock = lock or threading.RLock()
        self._sessions: dict[str, Session] = {}

    def open(self, account: str, model: str, now: float, *, from_api: bool = True) -> Session:
        """Create an empty session."""
        session = Session(self._ids.new("chatsess"), account, model, now, now, from_api)
        with self._lock:
            self._sessions[session.id] = session
        return session

    def claim(self, session_id: str | None, account: str, model: str, now: float) -> Session:
        """Return the session for a turn and mark it as running. Without an id, create a session.

        Raises:
            ApiError: `not_found` for an unknown id; `chat_session_conflict` for a session of another account or
                model, one that the API did not create, or one with a running turn.
        """
        with self._lock:
            session = self.open(account, model, now) if session_id is None else self._existing(session_id)
            check_continuable(session, account, model)
            if session.running:
                raise ApiError("chat_session_conflict", "Another turn is running in this chat session.")
            session.running = True
            return session

    def release(self, session: Session, messages: list[StoredMessage], now: float) -> None:
        """End a turn and store its messages; a failed turn has none."""
        with self._lock:
            session.running = False
            if messages:
                session.add(messages, now)
            elif not session.messages:
                self._sessions.pop(session.id, None)

    def find(self, session_id: str, account: str) -> Session:
        """Return a session of the account.

        Raises:
            ApiError: `not_found`.
        """
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None or session.account != account or not session.from_api:
            raise ApiError("not_found", "The chat session was not found.")
        return session

    def of(self, account: str) -> list[Session]:
        """Return the account's sessions, the most recently used first."""
        with self._lock:
            own = [one for one in self._sessions.values() if one.account == account and one.from_api]
        return sorted(own, key=lambda session: session.updated, reverse=True)

    def _existing(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise ApiError("not_found", "The chat session was not found.")
        return session


def check_continuable(session: Session, account: str, model: str) -> None:
    """Check that a request may continue a session.

    Raises:
        ApiError: `chat_session_conflict`.
    """
    if not session.from_api:
        raise ApiError("chat_session_conflict", "The chat session was not created through the Public API.")
    if session.account != account:
        raise ApiError("chat_session_conflict", "The chat session belongs to another account.")
    if session.model != model:
        raise ApiError("chat_session_conflict", f"The chat session uses the model {session.model}.")
