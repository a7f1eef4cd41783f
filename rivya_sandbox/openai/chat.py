"""The chat completion endpoints of the OpenAI-compatible APIs.

https://platform.openai.com/docs/api-reference/chat, https://docs.evolink.ai and https://docs.gmicloud.ai. The API
stores no conversations; only the journal keeps them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from rivya_sandbox.journal import Turn
from rivya_sandbox.openai.chat_request import ChatRequest, known_model, read_chat_request
from rivya_sandbox.openai.chat_response import ChatResponse, frames, whole
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.openai.providers import CREATED, ChatModel, Provider
from rivya_sandbox.openai.turns import OpenAITurns, WireResponse
from rivya_sandbox.validation import json_object
from rivya_sandbox.values import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from rivya_sandbox.state import SandboxState


class OpenAIChat:
    """The endpoints of one provider, bound to a sandbox's state."""

    def __init__(self, state: SandboxState, provider: Provider) -> None:
        self._state = state
        self._provider = provider
        self._turns = OpenAITurns(state, provider)

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the API's base."""
        return [
            Route("/chat/completions", self.create, methods=["POST"]),
            Route("/models", self.models, methods=["GET"]),
            Route("/models/{model:path}", self.model, methods=["GET"]),
        ]

    async def create(self, request: Request) -> ASGIApp:
        """`POST /chat/completions`."""
        body = await json_object(request)
        try:
            return await self._create(request, body)
        except OpenAIError as error:
            error.model = error.model or str(body.get("model") or "")
            raise

    async def models(self, request: Request) -> JSONResponse:
        """`GET /models`."""
        self._state.account(request)
        return JSONResponse({"object": "list", "data": [self._row(one) for one in self._provider.models.values()]})

    async def model(self, request: Request) -> JSONResponse:
        """`GET /models/{model}`."""
        self._state.account(request)
        return JSONResponse(self._row(known_model(request.path_params, self._provider)))

    def _row(self, model: ChatModel) -> dict[str, Any]:
        row = {"id": model.id, "object": "model", "created": CREATED, "owned_by": model.owner}
        return {**row, **dict(self._provider.model_keys)}

    def _new_id(self) -> str:
        plain = self._state.ids.new("chatcmpl").replace("_", "-")
        if not self._provider.dated_ids:
            return plain
        moment = dt.datetime.fromtimestamp(self._state.clock(), dt.timezone.utc)
        return plain.replace("-", f"-{moment:%Y%m%d%H%M%S%f}", 1)

    async def _create(self, request: Request, body: Mapping[str, Any]) -> ASGIApp:
        if self._provider.model_before_key:
            known_model(body, self._provider)
        account = self._state.account(request)
        model = known_model(body, self._provider)
        return await self._run(read_chat_request(body, self._provider, model), account, request)

    async def _run(self, chat: ChatRequest, account: str, request: Request) -> ASGIApp:
        reply_id = self._new_id()
        turn = Turn(reply_id, 1, account, chat.model.id, tuple(chat.prompt), id=reply_id, api="chat_completions")
        running = self._turns.begin(chat, request, turn)
        result = await self._turns.answer(running)
        if isinstance(result.completion, Wire):
            self._turns.end(running, result.price)
            return WireResponse(result.completion)
        response = ChatResponse(
            reply_id, int(self._state.clock()), chat, result.completion, result.usage, self._provider
        )
        if not chat.stream:
            self._turns.end(running, result.price)
            return JSONResponse(whole(response))
        stream = self._state.event_stream(*frames(response), request.state.fault)
        return stream.with_callbacks(
            lambda: self._turns.end(running, result.price), lambda _sent: self._turns.abandon(running, result.price)
        )
