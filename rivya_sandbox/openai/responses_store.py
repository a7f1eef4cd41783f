"""Stored responses, which a client can continue."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.values import Context


@dataclass(frozen=True)
class StoredResponse:
    """A stored response.

    Attributes:
        account: Its account.
        body: The response's body.
        context: What the model of a next turn sees of it and of everything before it, without instructions.
        number: Its position in the chain, from 1.
    """

    account: str
    body: Mapping[str, Any]
    context: Context
    number: int = 1


class ResponseStore:
    """The stored responses of one provider. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[str, StoredResponse] = {}

    def __len__(self) -> int:
        """The number of stored responses."""
        return len(self._stored)

    def add(self, response_id: str, stored: StoredResponse) -> None:
        """Store a response."""
        with self._lock:
            self._stored[response_id] = stored

    def previous(self, response_id: str, account: str) -> StoredResponse:
        """Return the response that a request continues.

        Raises:
            OpenAIError: The account has no response with that id.
        """
        stored = self._stored.get(response_id)
        if stored is None or stored.account != account:
            raise OpenAIError(
                f"Previous response with id '{response_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return stored

    def item(self, item_id: str, account: str) -> Mapping[str, Any] | None:
        """Return an output item of the account's stored responses, by its id."""
        with self._lock:
            own = [stored for stored in self._stored.values() if stored.account == account]
        return next((item for stored in own for item in stored.body["output"] if item.get("id") == item_id), None)
