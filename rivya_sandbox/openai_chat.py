"""The chat endpoints of the OpenAI-compatible APIs: parse, ask, charge, format.

https://platform.openai.com/docs/api-reference/chat; https://docs.evolink.ai and https://docs.gmicloud.ai for the
flavours. Conversations are the caller's: nothing is kept but the journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from . import checks, openai_bodies
from .apis import Api
from .completions import Completion, Wire
from .journal import Turn
from .openai_answers import answer
from .openai_errors import OpenAIRefusal
from .openai_flavours import CREATED, FLAVOURS, ChatModel, Counts, Flavour
from .openai_orders import Order, known_model, read_order
from .outlets import Broken
from .refusals import Refusal
from .values import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .accounts import Entry
    from .sandbox import Sandbox

TOKENS_PER_CREDIT = 1000


@dataclass(frozen=True)
class WireResponse:
    """Exact bytes on their way out: an ASGI application, to be returned by an endpoint."""

    wire: Wire

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the pieces, each on its own."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.wire.headers.items()]
        await send({"type": "http.response.start", "status": self.wire.status, "headers": raw})
        for piece in self.wire.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self.wire.broken:
            raise Broken
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(frozen=True)
class OpenTurn:
    """A turn that runs: its credits are reserved."""

    entry: Entry
    turn: Turn
    account: str


class OpenAIChat:
    """The endpoints of one flavour, bound to a sandbox."""

    def __init__(self, sandbox: Sandbox, flavour: Flavour) -> None:
        self._box = sandbox
        self._flavour = flavour

    def routes(self) -> list[BaseRoute]:
        """Paths below the API's base."""
        return [
            Route("/chat/completions", self.create, methods=["POST"]),
            Route("/models", self.models, methods=["GET"]),
            Route("/models/{model:path}", self.model, methods=["GET"]),
        ]

    async def create(self, request: Request) -> ASGIApp:
        """`POST /chat/completions`."""
        body = await checks.json_object(request)
        try:
            return await self._create(request, body)
        except OpenAIRefusal as refusal:
            refusal.model = refusal.model or str(body.get("model") or "")
            raise

    async def models(self, request: Request) -> JSONResponse:
        """`GET /models`."""
        self._authorize(request)
        return JSONResponse({"object": "list", "data": [self._row(one) for one in self._flavour.models.values()]})

    async def model(self, request: Request) -> JSONResponse:
        """`GET /models/{model}`."""
        self._authorize(request)
        return JSONResponse(self._row(known_model(request.path_params, self._flavour)))

    def _row(self, model: ChatModel) -> dict[str, Any]:
        row = {"id": model.id, "object": "model", "created": CREATED, "owned_by": model.owner}
        return {**row, **dict(self._flavour.model_facts)}

    def _authorize(self, request: Request) -> str:
        return self._box.accounts.authorize(request.headers.get("authorization")).account

    async def _create(self, request: Request, body: Mapping[str, Any]) -> ASGIApp:
        if self._flavour.model_before_key:
            known_model(body, self._flavour)
        account = self._authorize(request)
        order = read_order(body, self._flavour, known_model(body, self._flavour))
        running = self._begin(order, account, request)
        try:
            said = await answer(self._box, order)
        except BaseException:
            self._end(running, 0)
            raise
        reply = self._reply(running, order, said)
        return self._written(reply, running, request)

    def _begin(self, order: Order, account: str, request: Request) -> OpenTurn:
        """Reserve the credits and note the turn."""
        reply_id = self._box.ids.new("chatcmpl").replace("_", "-")
        try:
            entry = self._box.accounts.reserve(account, "chat", reply_id, 1)
        except Refusal:
            raise self._no_money() from None
        turn = Turn(reply_id, 1, account, order.model.id, order.context, id=reply_id, api="chat_completions")
        turn.streamed = order.stream
        return OpenTurn(entry, self._box.journal.begin(turn, request.state.exchange), account)

    def _no_money(self) -> OpenAIRefusal:
        """OpenAI says it with 429, the others with 402."""
        status = 429 if self._flavour.name == "openai" else 402
        return OpenAIRefusal(
            "You exceeded your current quota, please check your plan and billing details.",
            status=status,
            type="insufficient_quota",
            code="insufficient_quota",
        )

    def _end(self, running: OpenTurn, charged: int) -> None:
        self._box.accounts.settle(running.account, running.entry, charged)
        running.turn.charged, running.turn.completed = charged, charged > 0

    def _reply(self, running: OpenTurn, order: Order, said: Completion) -> openai_bodies.Reply:
        calls = tuple(
            call if call.id is not None else replace(call, id=self._box.ids.new("call")) for call in said.calls
        )
        said = replace(said, calls=calls)
        running.turn.reply, running.turn.thoughts = said.text, said.thoughts
        return openai_bodies.Reply(
            running.turn.id, int(self._box.clock()), order, said, counted(order, said), self._flavour
        )

    def _written(self, reply: openai_bodies.Reply, running: OpenTurn, request: Request) -> ASGIApp:
        price = max(1, -(-reply.counts.total_tokens // TOKENS_PER_CREDIT))
        if isinstance(reply.said, Wire):
            self._end(running, price)
            return WireResponse(reply.said)
        if not reply.order.stream:
            self._end(running, price)
            return JSONResponse(openai_bodies.whole(reply))
        growing, closing = openai_bodies.frames(reply)
        stream = self._box.event_stream(growing, closing, request.state.fault)
        return stream.watched(lambda: self._end(running, price), lambda _sent: self._left(running, price))

    def _left(self, running: OpenTurn, price: int) -> None:
        """The reader left before the end: what was generated is charged all the same."""
        self._end(running, price)
        running.turn.completed = False


def counted(order: Order, said: Completion) -> Counts:
    """Tokens of a turn: the context and the functions are read; text, calls and reasoning are written."""
    read = sum(message.tokens for message in order.context) + count_tokens(json.dumps(order.body.get("tools") or ""))
    reasoning = count_tokens(said.thoughts)
    written = count_tokens(said.text) + sum(count_tokens(call.name + call.text) for call in said.calls)
    return Counts(max(1, read), max(1, written) + reasoning, reasoning)


def api_of(flavour: Flavour) -> Api:
    """The API of one flavour."""

    def routes(sandbox: Sandbox) -> Sequence[BaseRoute]:
        return OpenAIChat(sandbox, flavour).routes()

    def stream_error(refusal: Refusal, request_id: str) -> bytes:
        return openai_bodies.frame(flavour.envelope(refusal, request_id)).data

    def refuse(refusal: Refusal, request_id: str) -> Response:
        return flavour.refuse(refusal, request_id)

    return Api(flavour.name, flavour.prefix, routes, refuse, stream_error)


APIS = tuple(api_of(flavour) for flavour in FLAVOURS)
