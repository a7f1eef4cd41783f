"""The account of a chat model: its balance and its models."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.http.clients import Clients
    from rivya_core.http.endpoint import Endpoint
    from rivya_core.http.plan import Plan
    from rivya_core.http.retry import RetryPolicy
    from rivya_core.models import ModelEntry

T = TypeVar("T")


class Account:
    """`credits` and `models`, for a class with an endpoint and clients."""

    @property
    @abstractmethod
    def _endpoint(self) -> Endpoint: ...

    @property
    @abstractmethod
    def _retry(self) -> RetryPolicy: ...

    @property
    @abstractmethod
    def _clients(self) -> Clients: ...

    def _execute(self, plan: Plan[T]) -> T:
        return self._clients.driver.run(plan)

    async def _aexecute(self, plan: Plan[T]) -> T:
        return await self._clients.async_driver.run(plan)

    def credits(self) -> float:
        """Return the credits that the account can still spend.

        Raises:
            NotSupportedError: The provider's API reports no balance; nothing was sent.
        """
        return self._execute(self._read_credits())

    async def acredits(self) -> float:
        """Return the credits that the account can still spend; see `credits`."""
        return await self._aexecute(self._read_credits())

    def models(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; pass the `id` of one as `model`."""
        return self._execute(self._list_models())

    async def amodels(self) -> list[ModelEntry]:
        """Return the chat models that the API lists; see `models`."""
        return await self._aexecute(self._list_models())

    def _read_credits(self) -> Plan[float]:
        from rivya_core.rivya.credits import read_credits

        return read_credits(self._endpoint, self._retry)

    def _list_models(self) -> Plan[list[ModelEntry]]:
        from rivya_core.models import list_chat_models

        return list_chat_models(self._endpoint, self._retry)
