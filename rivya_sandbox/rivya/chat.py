"""The chat endpoints of Rivya's API (https://rivya.ai/docs/api/chat)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from rivya_sandbox.ids import iso
from rivya_sandbox.rivya.chat_request import ChatRequest, parse_chat
from rivya_sandbox.rivya.dialects import dialect_named
from rivya_sandbox.rivya.reply import Reply
from rivya_sandbox.rivya.turns import Caller, RunningTurn, Turns
from rivya_sandbox.validation import json_object

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.rivya.sessions import Session, StoredMessage
    from rivya_sandbox.state import SandboxState
    from rivya_sandbox.streams import EventStream


class RivyaChat:
    """The endpoints, bound to a sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._turns = Turns(state)

    def routes(self) -> list[Route]:
        """Return the routes below the API's base."""
        return [
            Route("/chat/completions", self.create, methods=["POST"]),
            Route("/chat/completions/stream", self.stream, methods=["POST"]),
            Route("/chat/sessions", self.sessions, methods=["GET"]),
            Route("/chat/sessions/{session_id}", self.session, methods=["GET"]),
        ]

    async def create(self, request: Request) -> JSONResponse:
        """`POST /chat/completions`."""
        account = self._state.account(request, "chat:create")
        body = await json_object(request)
        chat = parse_chat(body)
        key = request.headers.get("idempotency-key")
        caller = Caller(account, request.state.exchange, key)
        reply = await self._state.idempotency.once(
            account, key, [request.url.path, body], lambda: self._run(chat, caller)
        )
        return JSONResponse(reply.body())

    async def stream(self, request: Request) -> EventStream:
        """`POST /chat/completions/stream`."""
        account = self._state.account(request, "chat:create")
        body = await json_object(request)
        chat = parse_chat(body)
        key = request.headers.get("idempotency-key")
        caller = Caller(account, request.state.exchange, key, streamed=True)
        started: list[RunningTurn] = []
        reply = await self._state.idempotency.once(
            account,
            key if self._state.stream_idempotency else None,
            [request.url.path, body],
            lambda: self._start(chat, caller, started),
        )
        return self._streamed(reply, started, request.state.fault)

    async def sessions(self, request: Request) -> JSONResponse:
        """`GET /chat/sessions`."""
        account = self._state.account(request, "chat:read")
        rows = [session_row(session) for session in self._state.sessions.of(account)]
        return JSONResponse({"object": "list", "data": rows, "has_more": False, "next_cursor": None})

    async def session(self, request: Request) -> JSONResponse:
        """`GET /chat/sessions/{session_id}`."""
        account = self._state.account(request, "chat:read")
        session = self._state.sessions.find(request.path_params["session_id"], account)
        messages = [message_row(stored) for stored in session.messages]
        return JSONResponse({**session_row(session), "messages": messages})

    async def _run(self, chat: ChatRequest, caller: Caller) -> Reply:
        running = self._turns.begin(chat, caller)
        reply = await self._turns.answer(running)
        self._turns.complete(running, reply)
        return reply

    async def _start(self, chat: ChatRequest, caller: Caller, started: list[RunningTurn]) -> Reply:
        running = self._turns.begin(chat, caller)
        reply = await self._turns.answer(running)
        started.append(running)
        return reply

    def _streamed(self, reply: Reply, started: list[RunningTurn], fault: Fault | None) -> EventStream:
        """Return the stream of a reply. Without a running turn it repeats a stored reply."""
        dialect = dialect_named((fault and fault.dialect) or self._state.dialect)
        frames, closing = dialect.frames(reply)
        stream = self._state.event_stream(frames, closing, fault)
        if not started:
            return stream
        running = started[0]
        return stream.with_callbacks(
            lambda: self._turns.complete(running, reply), lambda sent: self._turns.abandon(running, reply, sent)
        )


def session_row(session: Session) -> dict[str, Any]:
    """Return a session as the list shows it."""
    return {
        "id": session.id,
        "object": "chat.session",
        "model": session.model,
        "title": session.title,
        "message_count": len(session.messages),
        "created_at": iso(session.created),
        "updated_at": iso(session.updated),
    }


def message_row(stored: StoredMessage) -> dict[str, Any]:
    """Return a message as a session shows it."""
    return {
        "id": stored.id,
        "role": stored.message.role,
        "content": stored.message.text,
        "attachments": [{"file_id": attachment.file_id} for attachment in stored.message.attachments],
        "created_at": iso(stored.at),
    }
