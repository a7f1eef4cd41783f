"""The chat endpoints of the Rivya half: parse, run a turn, format (https://rivya.ai/docs/api/chat)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from rivya_sandbox import checks
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.rivya.catalogue import EFFORTS, MESSAGE_LIMIT
from rivya_sandbox.rivya.dialects import dialect_named
from rivya_sandbox.rivya.turns import Caller, ChatOrder, OpenTurn, Reply, Turns, chat_model
from rivya_sandbox.values import iso

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.rivya.sessions import Session, Spoken
    from rivya_sandbox.sandbox import Sandbox
    from rivya_sandbox.streams import EventStream

CHAT_KEYS = frozenset(
    {
        "model",
        "message",
        "session_id",
        "attachments",
        "enable_web_search",
        "reasoning_effort",
        "client_request_id",
    }
)
MAX_ATTACHMENTS = 16


def parse_order(body: checks.Body) -> ChatOrder:
    """The order in a chat request's body.

    Raises:
        Refusal: `validation_failed`, `chat_model_not_supported` or `chat_attachment_not_supported`.
    """
    if "messages" in body:
        raise Refusal("validation_failed", "messages is not accepted: send one message, with session_id to continue.")
    checks.only(body, CHAT_KEYS)
    model = chat_model(checks.text(body, "model"))
    return ChatOrder(
        model.id,
        checks.limited(checks.text(body, "message"), "message", MESSAGE_LIMIT),
        checks.optional_text(body, "session_id"),
        parse_attachments(body.get("attachments")),
        checks.flag(body, "enable_web_search"),
        checks.one_of(body, "reasoning_effort", [effort for effort in EFFORTS if effort in model.efforts], "default"),
        checks.client_request_id(body),
    )


def parse_attachments(attachments: object) -> tuple[str, ...]:
    """The file ids of `attachments`."""
    if attachments is None:
        return ()
    if not isinstance(attachments, list):
        raise Refusal("validation_failed", "attachments must be an array.")
    if len(attachments) > MAX_ATTACHMENTS:
        raise Refusal("validation_failed", f"attachments may have at most {MAX_ATTACHMENTS} items.")
    return tuple(parse_attachment(item) for item in attachments)


def parse_attachment(item: object) -> str:
    """The file id of one attachment; anything else, such as an external URL, is refused."""
    if not isinstance(item, dict) or set(item) != {"file_id"} or not isinstance(item["file_id"], str):
        raise Refusal(
            "chat_attachment_not_supported", "An attachment must be an object with a file_id from the Files API."
        )
    return item["file_id"]


class RivyaChat:
    """The endpoints, bound to a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._box = sandbox
        self._turns = Turns(sandbox)

    def routes(self) -> list[Route]:
        """Paths below the API's base."""
        return [
            Route("/chat/completions", self.whole, methods=["POST"]),
            Route("/chat/completions/stream", self.stream, methods=["POST"]),
            Route("/chat/sessions", self.sessions, methods=["GET"]),
            Route("/chat/sessions/{session_id}", self.session, methods=["GET"]),
        ]

    async def whole(self, request: Request) -> JSONResponse:
        """`POST /chat/completions`."""
        account = self._account(request, "chat:create")
        body = await checks.json_object(request)
        order = parse_order(body)
        key = request.headers.get("idempotency-key")
        caller = Caller(account, request.state.exchange, key)
        reply = await self._box.idempotency.once(
            account, key, [request.url.path, body], lambda: self._run(order, caller)
        )
        return JSONResponse(reply.body())

    async def stream(self, request: Request) -> EventStream:
        """`POST /chat/completions/stream`."""
        account = self._account(request, "chat:create")
        body = await checks.json_object(request)
        order = parse_order(body)
        key = request.headers.get("idempotency-key")
        caller = Caller(account, request.state.exchange, key, streamed=True)
        opened: list[OpenTurn] = []
        reply = await self._box.idempotency.once(
            account,
            key if self._box.stream_idempotency else None,
            [request.url.path, body],
            lambda: self._open(order, caller, opened),
        )
        return self._streamed(reply, opened, request.state.fault)

    async def sessions(self, request: Request) -> JSONResponse:
        """`GET /chat/sessions`."""
        account = self._account(request, "chat:read")
        rows = [session_row(session) for session in self._box.sessions.of(account)]
        return JSONResponse({"object": "list", "data": rows, "has_more": False, "next_cursor": None})

    async def session(self, request: Request) -> JSONResponse:
        """`GET /chat/sessions/{session_id}`."""
        account = self._account(request, "chat:read")
        session = self._box.sessions.find(request.path_params["session_id"], account)
        messages = [message_row(spoken) for spoken in session.spoken]
        return JSONResponse({**session_row(session), "messages": messages})

    def _account(self, request: Request, scope: str) -> str:
        return self._box.accounts.authorize(request.headers.get("authorization"), scope).account

    async def _run(self, order: ChatOrder, caller: Caller) -> Reply:
        running = self._turns.begin(order, caller)
        reply = await self._turns.answer(running)
        self._turns.settle(running, reply)
        return reply

    async def _open(self, order: ChatOrder, caller: Caller, opened: list[OpenTurn]) -> Reply:
        running = self._turns.begin(order, caller)
        reply = await self._turns.answer(running)
        opened.append(running)
        return reply

    def _streamed(self, reply: Reply, opened: list[OpenTurn], fault: Fault | None) -> EventStream:
        """The stream of a reply. Without an open turn it is the replay of a stored one."""
        dialect = dialect_named((fault and fault.dialect) or self._box.dialect)
        frames, closing = dialect.frames(reply)
        stream = self._box.event_stream(frames, closing, fault)
        if not opened:
            return stream
        running = opened[0]
        return stream.watched(
            lambda: self._turns.settle(running, reply), lambda sent: self._turns.leave(running, reply, sent)
        )


def session_row(session: Session) -> dict[str, Any]:
    """A session as the list shows it."""
    return {
        "id": session.id,
        "object": "chat.session",
        "model": session.model,
        "title": session.title,
        "message_count": len(session.spoken),
        "created_at": iso(session.created),
        "updated_at": iso(session.updated),
    }


def message_row(spoken: Spoken) -> dict[str, Any]:
    """A message as a session shows it."""
    return {
        "id": spoken.id,
        "role": spoken.message.role,
        "content": spoken.message.text,
        "attachments": [{"file_id": attachment.file_id} for attachment in spoken.message.attachments],
        "created_at": iso(spoken.at),
    }
