"""Stored responses: what can be continued, retrieved and deleted."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.values import Context

NOT_FOUND = 404


@dataclass(frozen=True)
class Stored:
    """A response that is kept.

    Attributes:
        account: Whose it is.
        body: As it was answered.
        items: The input items that it was given.
        context: What a next turn's model sees of it and of all before it; instructions are not inherited.
        number: Its place in the chain, from 1.
    """

    account: str
    body: Mapping[str, Any]
    items: tuple[Mapping[str, Any], ...]
    context: Context
    number: int = 1


class Responses:
    """The stored responses of one flavour. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[str, Stored] = {}

    def keep(self, response_id: str, stored: Stored) -> None:
        """Keep a response."""
        with self._lock:
            self._stored[response_id] = stored

    def find(self, response_id: str, account: str) -> Stored:
        """A response of an account.

        Raises:
            OpenAIRefusal: There is none of that id.
        """
        with self._lock:
            stored = self._stored.get(response_id)
        if stored is None or stored.account != account:
            raise OpenAIRefusal(f"Response with id '{response_id}' not found.", status=NOT_FOUND)
        return stored

    def before(self, response_id: str, account: str) -> Stored:
        """The response that a request continues.

        Raises:
            OpenAIRefusal: There is none of that id.
        """
        try:
            return self.find(response_id, account)
        except OpenAIRefusal:
            raise OpenAIRefusal(
                f"Previous response with id '{response_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            ) from None

    def delete(self, response_id: str, account: str) -> None:
        """Forget a response.

        Raises:
            OpenAIRefusal: There is none of that id.
        """
        self.find(response_id, account)
        with self._lock:
            self._stored.pop(response_id, None)

    def item(self, item_id: str, account: str) -> Mapping[str, Any] | None:
        """An item of a stored response of an account, by its id."""
        with self._lock:
            mine = [stored for stored in self._stored.values() if stored.account == account]
        return next((item for stored in mine for item in stored.body["output"] if item.get("id") == item_id), None)
