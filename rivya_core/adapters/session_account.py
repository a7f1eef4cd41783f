"""The sessions of an account, as the chat classes of Rivya offer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivya_core.adapters.account import Account

if TYPE_CHECKING:
    from rivya_core.http.plan import Plan
    from rivya_core.rivya.session_records import SessionRecord


class SessionAccount(Account):
    """Lists and reads chat sessions. Both are free."""

    def sessions(self) -> list[SessionRecord]:
        """Return the account's chat sessions, as the server orders them, without their messages.

        Source: https://rivya.ai/docs/api-chat

        Raises:
            APIError: The server refuses, or its answer is no list of sessions.
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
