"""The Responses endpoint of the OpenAI-compatible APIs.

https://platform.openai.com/docs/api-reference/responses, and https://docs.gmicloud.ai for its `openai/` models. A
client can continue a stored response any number of times.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from rivya_sandbox.journal import Turn
from rivya_sandbox.openai import responses_events
from rivya_sandbox.openai.chat_request import known_model
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.openai.providers import Provider
from rivya_sandbox.openai.responses_output import SOURCE, ResponseObject, output_items
from rivya_sandbox.openai.responses_request import ResponsesRequest, read_responses_request
from rivya_sandbox.openai.responses_store import ResponseStore, StoredResponse
from rivya_sandbox.openai.turns import OpenAITurns, Result, RunningTurn, WireResponse
from rivya_sandbox.validation import json_object
from rivya_sandbox.values import Completion, Message, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from rivya_sandbox.state import SandboxState

NEWS = re.compile(r"(?i)\b(?:news|today|latest|current|recent|search|look up|right now|this week|weather|price)\b")


class OpenAIResponses:
    """The endpoint of one provider, bound to a sandbox's state."""

    def __init__(self, state: SandboxState, provider: Provider) -> None:
        self._state = state
        self._provider = provider
        self._turns = OpenAITurns(state, provider)

    @property
    def _store(self) -> ResponseStore:
        return self._state.responses.setdefault(self._provider.name, ResponseStore())

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the API's base."""
        return [Route("/responses", self.create, methods=["POST"])]

    async def create(self, request: Request) -> ASGIApp:
        """`POST /responses`."""
        body = await json_object(request)
        try:
            return await self._create(request, body)
        except OpenAIError as error:
            error.model = error.model or str(body.get("model") or "")
            raise

    async def _create(self, request: Request, body: Mapping[str, Any]) -> ASGIApp:
        if self._provider.model_before_key:
            known_model(body, self._provider)
        account = self._state.account(request)
        model = known_model(body, self._provider)
        previous_id = body.get("previous_response_id")
        previous = self._store.previous(str(previous_id), account) if previous_id is not None else None
        asked = read_responses_request(
            body, self._provider, model, lambda item_id: self._store.item(item_id, account), previous
        )
        return await self._run(asked, account, request)

    async def _run(self, asked: ResponsesRequest, account: str, request: Request) -> ASGIApp:
        chat, number = asked.chat, asked.previous.number + 1 if asked.previous else 1
        response_id = self._state.ids.new("resp")
        turn = Turn(response_id, number, account, chat.model.id, tuple(chat.prompt), id=response_id, api="responses")
        running = self._turns.begin(chat, request, turn)
        result = await self._turns.answer(running)
        if isinstance(result.completion, Wire):
            self._turns.end(running, result.price)
            return WireResponse(result.completion)
        completion = with_search(result.completion, asked)
        output = output_items(asked, completion, self._state.ids)
        response = ResponseObject(response_id, int(self._state.clock()), asked, completion, result.usage, output)
        if not chat.stream:
            self._complete(running, response, result)
            return JSONResponse(response.body())
        stream = self._state.event_stream(*responses_events.frames(response), request.state.fault)
        return stream.with_callbacks(
            lambda: self._complete(running, response, result), lambda _sent: self._turns.abandon(running, result.price)
        )

    def _complete(self, running: RunningTurn, response: ResponseObject, result: Result) -> None:
        """Charge, and store the response if the request says so."""
        self._turns.end(running, result.price)
        if response.request.store:
            self._store.add(response.id, stored_response(running, response))


def stored_response(running: RunningTurn, response: ResponseObject) -> StoredResponse:
    """Return what is stored of a response. The request's instructions are not."""
    chat = response.request.chat
    seen = tuple(chat.prompt)[1:] if isinstance(chat.body.get("instructions"), str) else tuple(chat.prompt)
    calls = tuple(
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
        for call in response.completion.calls
    )
    text = response.completion.text or response.completion.refusal or ""
    context = (*seen, Message("assistant", text, tool_calls=calls))
    return StoredResponse(running.account, response.body(), context, running.turn.number)


def with_search(completion: Completion, asked: ResponsesRequest) -> Completion:
    """Add a web search to a reply, if the model may search and the question calls for it."""
    prompt = asked.chat.prompt
    if completion.searches or completion.calls or not asked.searches or prompt.tool_choice == "none":
        return completion
    question = next((message.text for message in reversed(prompt) if message.role == "user"), "")
    if not (asked.must_search or NEWS.search(question)):
        return completion
    report = f"{SOURCE['title']} reports: all is well. ({SOURCE['url']})"
    text = completion.text if prompt.schema is not None else report
    return replace(completion, text=text, searches=(question.strip()[:80],), citations=(SOURCE,))
