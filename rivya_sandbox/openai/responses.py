"""The Responses endpoints of the OpenAI-compatible APIs: create, retrieve, delete, list the input.

https://platform.openai.com/docs/api-reference/responses, and https://docs.gmicloud.ai for its `openai/` models. A
stored response can be continued any number of times.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from rivya_sandbox import checks
from rivya_sandbox.journal import Turn
from rivya_sandbox.openai import responses_events
from rivya_sandbox.openai.completions import Completion, Wire
from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.flavours import Flavour
from rivya_sandbox.openai.orders import known_model
from rivya_sandbox.openai.responses_bodies import SOURCE, Response, output_items
from rivya_sandbox.openai.responses_orders import ResponseOrder, read_response_order
from rivya_sandbox.openai.responses_store import Responses, Stored
from rivya_sandbox.openai.turns import Answered, OpenAITurns, OpenTurn, WireResponse
from rivya_sandbox.values import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from rivya_sandbox.sandbox import Sandbox

NEWS = re.compile(r"(?i)\b(?:news|today|latest|current|recent|search|look up|right now|this week|weather|price)\b")


class OpenAIResponses:
    """The endpoints of one flavour, bound to a sandbox."""

    def __init__(self, sandbox: Sandbox, flavour: Flavour) -> None:
        self._box = sandbox
        self._flavour = flavour
        self._turns = OpenAITurns(sandbox, flavour)

    @property
    def _stored(self) -> Responses:
        return self._box.responses.setdefault(self._flavour.name, Responses())

    def routes(self) -> list[BaseRoute]:
        """Paths below the API's base."""
        one = "/responses/{response_id}"
        return [
            Route("/responses", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/input_items", self.input_items, methods=["GET"]),
        ]

    async def create(self, request: Request) -> ASGIApp:
        """`POST /responses`."""
        body = await checks.json_object(request)
        try:
            return await self._create(request, body)
        except OpenAIRefusal as refusal:
            refusal.model = refusal.model or str(body.get("model") or "")
            raise

    async def retrieve(self, request: Request) -> JSONResponse:
        """`GET /responses/{id}`."""
        return JSONResponse(self._find(request).body)

    async def delete(self, request: Request) -> JSONResponse:
        """`DELETE /responses/{id}`."""
        response_id = request.path_params["response_id"]
        self._stored.delete(response_id, self._turns.account(request))
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def input_items(self, request: Request) -> JSONResponse:
        """`GET /responses/{id}/input_items`, newest first."""
        items = [listed(item, self._box.ids.new("msg")) for item in reversed(self._find(request).items)]
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]}
        return JSONResponse({"object": "list", "data": items, "has_more": False, **ends})

    def _find(self, request: Request) -> Stored:
        return self._stored.find(request.path_params["response_id"], self._turns.account(request))

    async def _create(self, request: Request, body: Mapping[str, Any]) -> ASGIApp:
        if self._flavour.model_before_key:
            known_model(body, self._flavour)
        account = self._turns.account(request)
        model = known_model(body, self._flavour)
        previous = body.get("previous_response_id")
        before = self._stored.before(str(previous), account) if previous is not None else None
        asked = read_response_order(
            body, self._flavour, model, lambda item_id: self._stored.item(item_id, account), before
        )
        return await self._carry_out(asked, account, request)

    async def _carry_out(self, asked: ResponseOrder, account: str, request: Request) -> ASGIApp:
        order, number = asked.order, asked.before.number + 1 if asked.before else 1
        response_id = self._box.ids.new("resp")
        turn = Turn(response_id, number, account, order.model.id, order.context, id=response_id, api="responses")
        running = self._turns.begin(order, request, turn)
        answered = await self._turns.answer(running)
        if isinstance(answered.said, Wire):
            self._turns.end(running, answered.price)
            return WireResponse(answered.said)
        said = searched(answered.said, asked)
        response = Response(
            response_id, int(self._box.clock()), asked, said, answered.counts, output_items(asked, said, self._box.ids)
        )
        if not order.stream:
            self._settle(running, response, answered)
            return JSONResponse(response.body())
        stream = self._box.event_stream(*responses_events.frames(response), request.state.fault)
        return stream.watched(
            lambda: self._settle(running, response, answered), lambda _sent: self._turns.leave(running, answered.price)
        )

    def _settle(self, running: OpenTurn, response: Response, answered: Answered) -> None:
        """Charge, and keep what is to be kept."""
        self._turns.end(running, answered.price)
        if response.asked.store:
            self._stored.keep(response.id, kept(running, response))


def kept(running: OpenTurn, response: Response) -> Stored:
    """What is kept of a response; the instructions of its request are not."""
    order = response.asked.order
    seen = order.context[1:] if isinstance(order.body.get("instructions"), str) else order.context
    calls = tuple(
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
        for call in response.said.calls
    )
    reply = Message("assistant", response.said.text or response.said.refusal or "", tool_calls=calls)
    return Stored(running.account, response.body(), response.asked.items, (*seen, reply), running.turn.number)


def searched(said: Completion, asked: ResponseOrder) -> Completion:
    """The answer with a search of the web, if the model may search and the question is one for it."""
    if said.searches or said.calls or not asked.searches or asked.order.choice == "none":
        return said
    question = next((message.text for message in reversed(asked.order.context) if message.role == "user"), "")
    if not (asked.must_search or NEWS.search(question)):
        return said
    text = said.text if asked.order.schema is not None else f"{SOURCE['title']} reports: all is well. ({SOURCE['url']})"
    return replace(said, text=text, searches=(question.strip()[:80],), citations=(SOURCE,))


def listed(item: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """An input item as the list shows it."""
    if "role" not in item:
        return {"id": item_id, **item}
    kind = "output_text" if item["role"] == "assistant" else "input_text"
    content = item["content"]
    parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return {"id": item_id, "type": "message", "status": "completed", **item, "content": parts}
