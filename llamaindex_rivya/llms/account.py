"""What a chat model can tell of its account: the balance, and the models that it may name."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.models import ModelEntry, list_chat_models
from rivya_core.rivya.credits import read_credits


class Account(ABC):
    """`credits` and `models`, for whatever has an endpoint and clients."""

    @property
    @abstractmethod
    def _clients(self) -> Clients: ...

    @property
    @abstractmethod
    def _account(self) -> tuple[Endpoint, RetryPolicy]: ...

    def credits(self) -> float:
        """Return the credits that the account can still spend.

        Raises:
            NotSupportedError: The provider's API does not tell; nothing was sent.
        """
        return self._clients.driver.run(read_credits(*self._account))

    async def acredits(self) -> float:
        """Return the credits that the account can still spend; see `credits`."""
        return await self._clients.async_driver.run(read_credits(*self._account))

    def models(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; the `id` of each is what `model` takes."""
        return self._clients.driver.run(list_chat_models(*self._account))

    async def amodels(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; see `models`."""
        return await self._clients.async_driver.run(list_chat_models(*self._account))
