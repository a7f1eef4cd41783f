"""What happened: every request, and for every chat turn the context that the model saw.

The journal is the oracle of tests: `Turn.context` is exactly the list that was handed to the model. Records are
completed as the exchange goes on; readers only read. No key is ever written here.
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
        session_id: The server-side session; for an API without sessions the id of the reply.
        number: Its place in the session, from 1.
        account: Who pays.
        model: Model id as asked for.
        context: Every message that the model saw, the new one last.
        id: Id of the reply (`chatcmpl_…`).
        reply: The whole text of the answer, empty until there is one.
        thoughts: The thoughts that came with it.
        charged: Credits charged in the end; 0 while the turn runs and where nothing was charged.
        idempotency_key: The `Idempotency-Key` that came with the request.
        streamed: Whether the stream path was used.
        completed: Whether the turn became part of its session (or, without sessions, was answered).
        delivered: Whether the answer left the sandbox to its end: false for a cut connection or a reader that left.
        api: Which half served it: `rivya`, `chat_completions`, `responses`, …
    """

    session_id: str
    number: int
    account: str
    model: str
    context: Context
    id: str = ""
    reply: str = ""
    thoughts: str = ""
    charged: int = 0
    idempotency_key: str | None = None
    streamed: bool = False
    completed: bool = False
    delivered: bool = False
    api: str = "rivya"


@dataclass
class Exchange:
    """One request and what became of it.

    Attributes:
        number: Order of arrival, from 1.
        method: HTTP method.
        path: Full path, without the query.
        query: The query string.
        headers: Lower-case names; `authorization` holds the name of the account, `unknown` for a strange key.
        body: JSON as values; `None` without a body; text or a short description of anything else.
        account: The account behind the key.
        request_id: What the answer's `x-request-id` says.
        status: Status of the answer; 0 while there is none and where the connection was cut before one.
        delivered: Whether the answer left to its end.
        fault: The fault that met the request.
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
        """All chat turns so far, in order of their beginning (a new list each time)."""
        with self._lock:
            return list(self._turns)

    def to(self, path: str, method: str | None = None) -> list[Exchange]:
        """The requests whose path ends with `path`, such as `/chat/completions`."""
        return [
            exchange for exchange in self.requests if exchange.path.endswith(path) and method in (None, exchange.method)
        ]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._requests.clear()
            self._turns.clear()

    def open(self, exchange: Exchange) -> Exchange:
        """Note a request, which gets the next number."""
        with self._lock:
            exchange.number = len(self._requests) + 1
            self._requests.append(exchange)
        return exchange

    def begin(self, turn: Turn, exchange: Exchange | None = None) -> Turn:
        """Note a turn that begins."""
        with self._lock:
            self._turns.append(turn)
        if exchange is not None:
            exchange.turns.append(turn)
        return turn


def readable_headers(raw: list[tuple[bytes, bytes]], account: str) -> dict[str, str]:
    """Headers for the journal: every credential replaced by the account's name."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
    for name in ("authorization", "x-api-key", "cookie"):
        if name in headers:
            headers[name] = account
    return headers


def readable_body(body: bytes, content_type: str) -> Any:
    """A body for the journal: JSON as values, short text as text, anything else described."""
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
