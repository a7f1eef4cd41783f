"""The record of every request and, for every chat turn, of the context that the model saw.

Tests assert on it: `Turn.context` is exactly what the model got. Records are completed while the exchange runs. They
never contain an API key.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.values import Context

KEPT_BYTES = 65_536


@dataclass
class Turn:
    """One chat turn.

    Attributes:
        session_id: The server-side session; for an API without sessions, the id of the reply.
        number: Its position in the session, from 1.
        account: The account that is charged.
        model: The model id in the request.
        context: Every message that the model saw, the new one last.
        id: Id of the reply (`chatcmpl_…`).
        reply: The whole text of the reply; empty until there is one.
        reasoning: The reasoning that came with it.
        charged: Credits charged; 0 while the turn runs, and if nothing was charged.
        idempotency_key: The request's `Idempotency-Key`.
        streamed: Whether the reply was streamed.
        completed: Whether the turn became part of its session (or, without sessions, was answered).
        delivered: Whether the whole response was sent: false if the connection broke or the client disconnected.
        api: The API that served it: `rivya`, `chat_completions` or `responses`.
    """

    session_id: str
    number: int
    account: str
    model: str
    context: Context
    id: str = ""
    reply: str = ""
    reasoning: str = ""
    charged: int = 0
    idempotency_key: str | None = None
    streamed: bool = False
    completed: bool = False
    delivered: bool = False
    api: str = "rivya"


@dataclass
class Exchange:
    """One request and its response.

    Attributes:
        number: Order of arrival, from 1.
        method: HTTP method.
        path: Full path, without the query.
        query: The query string.
        headers: Lower-case names; `authorization` holds the account's name, or `unknown` for an unknown key.
        body: JSON as values; `None` without a body; text; or a short description of anything else.
        account: The key's account.
        request_id: The response's `x-request-id`.
        status: The response's status; 0 while there is none, or if the connection broke before it.
        delivered: Whether the whole response was sent.
        fault: The fault that was applied.
        turns: The turns that this request ran (at most one).
    """

    number: int
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Any
    account: str
    request_id: str
    status: int = 0
    delivered: bool = False
    fault: Fault | None = None
    turns: list[Turn] = field(default_factory=list)


class Journal:
    """The record of a sandbox. Thread-safe."""

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self._lock = lock or threading.RLock()
        self._requests: list[Exchange] = []
        self._turns: list[Turn] = []

    @property
    def requests(self) -> list[Exchange]:
        """All requests so far, in order of arrival (a new list each time)."""
        with self._lock:
            return list(self._requests)

    @property
    def turns(self) -> list[Turn]:
        """All chat turns so far, in order of their start (a new list each time)."""
        with self._lock:
            return list(self._turns)

    def to(self, path: str, method: str | None = None) -> list[Exchange]:
        """Return the requests whose path ends with `path`, such as `/chat/completions`."""
        return [
            exchange for exchange in self.requests if exchange.path.endswith(path) and method in (None, exchange.method)
        ]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._requests.clear()
            self._turns.clear()

    def open(self, exchange: Exchange) -> Exchange:
        """Record a request and give it the next number."""
        with self._lock:
            exchange.number = len(self._requests) + 1
            self._requests.append(exchange)
        return exchange

    def begin(self, turn: Turn, exchange: Exchange | None = None) -> Turn:
        """Record a turn that starts."""
        with self._lock:
            self._turns.append(turn)
        if exchange is not None:
            exchange.turns.append(turn)
        return turn


def readable_headers(raw: list[tuple[bytes, bytes]], account: str) -> dict[str, str]:
    """Return headers for the journal, with the account's name in place of every credential."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
    for name in ("authorization", "x-api-key", "cookie"):
        if name in headers:
            headers[name] = account
    return headers


def readable_body(body: bytes, content_type: str) -> Any:
    """Return a body for the journal: JSON as values, short text as text, a description of anything else."""
    if not body:
        return None
    if "json" in content_type:
        try:
            return json.loads(body)
        except ValueError:
            return body[:KEPT_BYTES].decode("utf-8", "replace")
    if content_type.startswith("text/") and len(body) <= KEPT_BYTES:
        return body.decode("utf-8", "replace")
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "content_type": content_type}
