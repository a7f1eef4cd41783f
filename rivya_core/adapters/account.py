"""The account of a chat model: its balance, its models and, on Rivya, its sessions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.http.clients import Clients
    from rivya_core.http.endpoint import Endpoint
    from rivya_core.http.plan import Plan
    from rivya_core.http.retry import RetryPolicy
    from rivya_core.models import ModelEntry
    from rivya_core.rivya.session_records import SessionRecord

T = TypeVar("T")


class PlanRunner:
    """Carries out plans with the clients of its class."""

    @property
    @abstractmethod
    def _clients(self) -> Clients: ...

    def _execute(self, plan: Plan[T]) -> T:
        return self._clients.driver.run(plan)

    async def _aexecute(self, plan: Plan[T]) -> T:
        return await self._clients.async_driver.run(plan)


class Account(PlanRunner):
    """`credits` and `models`, for a class with an endpoint and clients."""

    @property
    @abstractmethod
    def _endpoint(self) -> Endpoint: ...

    @property
    @abstractmethod
    def _retry(self) -> RetryPolicy: ...

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


class SessionAccount(Account):
    """Lists and reads chat sessions. Both are free."""

    def sessions(self) -> list[SessionRecord]:
        """Return the account's chat sessions, as the server orders them, without their messages.

        Source: https://rivya.ai/docs/api-chat

        Raises:
            APIError: The server refused, or its response is not a list of sessions.
        """
        return self._execute(self._list_sessions())

    async def asessions(self) -> list[SessionRecord]:
        """Return the account's chat sessions; see `sessions`."""
        return await self._aexecute(self._list_sessions())

    def session(self, session_id: str) -> SessionRecord:
        """Return a chat session with its messages, oldest first.

        Args:
            session_id: For example `reply.response_metadata["session_id"]`, or the `id` of one of `sessions`.

        Raises:
            NotFoundError: The account has no such session.
        """
        return self._execute(self._read_session(session_id))

    async def asession(self, session_id: str) -> SessionRecord:
        """Return a chat session with its messages; see `session`."""
        return await self._aexecute(self._read_session(session_id))

    def _list_sessions(self) -> Plan[list[SessionRecord]]:
        from rivya_core.rivya.session_records import list_sessions

        return list_sessions(self._endpoint, self._retry)

    def _read_session(self, session_id: str) -> Plan[SessionRecord]:
        from rivya_core.rivya.session_records import read_session

        return read_session(self._endpoint, session_id, self._retry)
