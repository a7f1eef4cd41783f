"""Chat sessions: whose they are, what was said in them, whether a turn is running.

State only; what a turn costs and who answers is `turns.py`, how it reads on the wire is `rivya_chat.py`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivya_sandbox.refusals import Refusal

if TYPE_CHECKING:
    from rivya_sandbox.values import Context, Ids, Message


@dataclass(frozen=True)
class Spoken:
    """A message kept in a session."""

    id: str
    message: Message
    at: float


@dataclass
class Session:
    """One conversation. Only API-created sessions can be continued through the API."""

    id: str
    account: str
    model: str
    created: float
    updated: float
    from_api: bool = True
    running: bool = False
    spoken: list[Spoken] = field(default_factory=list)
    context: Context = ()
    tokens: int = 0
    turns: int = 0

    def add(self, spoken: list[Spoken], now: float) -> None:
        """Keep what was said in one turn. Context and count grow along, so that long sessions stay quick."""
        self.spoken.extend(spoken)
        self.context += tuple(one.message for one in spoken)
        self.tokens += sum(one.message.tokens for one in spoken)
        self.updated = now
        self.turns += 1

    @property
    def title(self) -> str:
        """The beginning of the first message."""
        return self.spoken[0].message.text[:60] if self.spoken else ""


class Sessions:
    """All sessions. Thread-safe."""

    def __init__(self, ids: Ids, lock: threading.RLock | None = None) -> None:
        self._ids = ids
        self._lock = lock or threading.RLock()
        self._sessions: dict[str, Session] = {}

    def open(self, account: str, model: str, now: float, *, from_api: bool = True) -> Session:
        """A new, empty session."""
        session = Session(self._ids.new("chatsess"), account, model, now, now, from_api)
        with self._lock:
            self._sessions[session.id] = session
        return session

    def claim(self, session_id: str | None, account: str, model: str, now: float) -> Session:
        """The session for a turn, marked as running; a new one where no id is given.

        Raises:
            Refusal: `not_found` for an unknown id; `chat_session_conflict` for a session of another account or
                model, one that was not created through the API, or one with a turn running.
        """
        with self._lock:
            session = self.open(account, model, now) if session_id is None else self._continued(session_id)
            refuse_if_foreign(session, account, model)
            if session.running:
                raise Refusal("chat_session_conflict", "Another turn is running in this chat session.")
            session.running = True
            return session

    def release(self, session: Session, spoken: list[Spoken], now: float) -> None:
        """End a turn: what was said in it stays, nothing if it failed."""
        with self._lock:
            session.running = False
            if spoken:
                session.add(spoken, now)
            elif not session.spoken:
                self._sessions.pop(session.id, None)

    def find(self, session_id: str, account: str) -> Session:
        """One session of the account.

        Raises:
            Refusal: `not_found`.
        """
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None or session.account != account or not session.from_api:
            raise Refusal("not_found", "The chat session was not found.")
        return session

    def of(self, account: str) -> list[Session]:
        """The account's sessions, the one used last first."""
        with self._lock:
            mine = [one for one in self._sessions.values() if one.account == account and one.from_api]
        return sorted(mine, key=lambda session: session.updated, reverse=True)

    def _continued(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise Refusal("not_found", "The chat session was not found.")
        return session


def refuse_if_foreign(session: Session, account: str, model: str) -> None:
    """Raise `chat_session_conflict` for a session that this request may not continue."""
    if not session.from_api:
        raise Refusal("chat_session_conflict", "The chat session was not created through the Public API.")
    if session.account != account:
        raise Refusal("chat_session_conflict", "The chat session belongs to another account.")
    if session.model != model:
        raise Refusal("chat_session_conflict", f"The chat session uses the model {session.model}.")
