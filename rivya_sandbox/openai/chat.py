"""The chat endpoints of the OpenAI-compatible APIs: parse, ask, charge, format.

https://platform.openai.com/docs/api-reference/chat; https://docs.evolink.ai and https://docs.gmicloud.ai for the
flavours. Conversations are the caller's: nothing is kept but the journal.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from rivya_sandbox import checks
from rivya_sandbox.journal import Turn
from rivya_sandbox.openai import bodies as openai_bodies
from rivya_sandbox.openai.completions import Wire
from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.flavours import CREATED, ChatModel, Flavour
from rivya_sandbox.openai.orders import Order, known_model, read_order
from rivya_sandbox.openai.turns import OpenAITurns, WireResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from rivya_sandbox.sandbox import Sandbox


class OpenAIChat:
    """The endpoints of one flavour, bound to a sandbox."""

    def __init__(self, sandbox: Sandbox, flavour: Flavour) -> None:
        self._box = sandbox
        self._flavour = flavour
        self._turns = OpenAITurns(sandbox, flavour)

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
        self._turns.account(request)
        return JSONResponse({"object": "list", "data": [self._row(one) for one in self._flavour.models.values()]})

    async def model(self, request: Request) -> JSONResponse:
        """`GET /models/{model}`."""
        self._turns.account(request)
        return JSONResponse(self._row(known_model(request.path_params, self._flavour)))

    def _row(self, model: ChatModel) -> dict[str, Any]:
        row = {"id": model.id, "object": "model", "created": CREATED, "owned_by": model.owner}
        return {**row, **dict(self._flavour.model_facts)}

    def _new_id(self) -> str:
        plain = self._box.ids.new("chatcmpl").replace("_", "-")
        if not self._flavour.dated_ids:
            return plain
        moment = dt.datetime.fromtimestamp(self._box.clock(), dt.timezone.utc)
        return plain.replace("-", f"-{moment:%Y%m%d%H%M%S%f}", 1)

    async def _create(self, request: Request, body: Mapping[str, Any]) -> ASGIApp:
        if self._flavour.model_before_key:
            known_model(body, self._flavour)
        account = self._turns.account(request)
        return await self._carry_out(
            read_order(body, self._flavour, known_model(body, self._flavour)), account, request
        )

    async def _carry_out(self, order: Order, account: str, request: Request) -> ASGIApp:
        reply_id = self._new_id()
        turn = Turn(reply_id, 1, account, order.model.id, order.context, id=reply_id, api="chat_completions")
        running = self._turns.begin(order, request, turn)
        answered = await self._turns.answer(running)
        if isinstance(answered.said, Wire):
            self._turns.end(running, answered.price)
            return WireResponse(answered.said)
        reply = openai_bodies.Reply(
            reply_id, int(self._box.clock()), order, answered.said, answered.counts, self._flavour
        )
        if not order.stream:
            self._turns.end(running, answered.price)
            return JSONResponse(openai_bodies.whole(reply))
        stream = self._box.event_stream(*openai_bodies.frames(reply), request.state.fault)
        return stream.watched(
            lambda: self._turns.end(running, answered.price), lambda _sent: self._turns.leave(running, answered.price)
        )
