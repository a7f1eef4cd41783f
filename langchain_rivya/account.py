"""What a chat model can tell of its account: the balance, and the models that it may name."""

from __future__ import annotations

from abc import ABC, abstractmethod

from langchain_rivya.errors import as_model_errors
from rivya_core.clients import Clients
from rivya_core.credits import read_credits
from rivya_core.exchange import Retry
from rivya_core.model_list import ModelEntry, list_chat_models
from rivya_core.providers import Endpoint


class Account(ABC):
    """`credits` and `models`, for whatever has an endpoint and clients."""

    @property
    @abstractmethod
    def _endpoint(self) -> Endpoint: ...

    @property
    @abstractmethod
    def _clients(self) -> Clients: ...

    @property
    @abstractmethod
    def _retry(self) -> Retry: ...

    def credits(self) -> float:
        """Return the credits that the account can still spend.

        Raises:
            NotSupportedError: The provider's API does not tell; nothing was sent.
        """
        with as_model_errors():
            return self._clients.driver.run(read_credits(self._endpoint, self._retry))

    async def acredits(self) -> float:
        """Return the credits that the account can still spend; see `credits`."""
        with as_model_errors():
            return await self._clients.async_driver.run(read_credits(self._endpoint, self._retry))

    def models(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; the `id` of each is what `model` takes."""
        with as_model_errors():
            return self._clients.driver.run(list_chat_models(self._endpoint, self._retry))

    async def amodels(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; see `models`."""
        with as_model_errors():
            return await self._clients.async_driver.run(list_chat_models(self._endpoint, self._retry))
