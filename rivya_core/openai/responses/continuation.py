"""Turns of the Responses API that continue a stored response if it holds exactly the history.

The same bridge as for Rivya's sessions: a reply carries a sealed pointer with the digest of everything before it, and
`previous_response_id` is sent only if the messages up to the reply are still those. Every stored response can be
continued any number of times, so forks need no ledger. An id that the server no longer knows costs one full replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rivya_core.errors import APIError
from rivya_core.http.plan import Plan, Streaming
from rivya_core.openai.responses.answers import with_answers
from rivya_core.openai.responses.client import OpenAIResponses, is_unknown_response
from rivya_core.openai.responses.items import ITEMS_KEY
from rivya_core.openai.responses.output import read_output
from rivya_core.openai.responses.stored_check import (
    WHY_IGNORED,
    WHY_REFUSED,
    CheckedDecoder,
    is_ignored,
    is_refused,
    lacks_storage,
    remember_no_storage,
)
from rivya_core.sessions import pointers as sessions
from rivya_core.sessions.modes import POINTER_KEY, OnMismatch
from rivya_core.sessions.pointers import Origin, Route
from rivya_core.types import ChatDelta, Message, Text, ToolCall


@dataclass(frozen=True)
class ResponseChain:
    """A model behind the Responses API, continuing stored responses if asked to.

    Attributes:
        responses: Sends a single request.
        chained: Whether to continue the response of the last reply instead of sending the whole history.
        on_mismatch: What to do with a history that no stored response holds.
    """

    responses: OpenAIResponses
    chained: bool = False
    on_mismatch: OnMismatch = "replay"

    @property
    def origin(self) -> Origin:
        """Origin of the stored responses: base URL, account, and the vendor that serves the model."""
        endpoint = self.responses.endpoint
        vendor = str(self.responses.options["model"]).rpartition("/")[0]
        return sessions.origin_of(f"{endpoint.base_url}/responses", vendor, endpoint.account)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        messages = with_answers(messages)
        route = self._route(messages)
        try:
            delta = yield from self._on(route).reply(route.messages)
        except APIError as error:
            route = self._without(route, messages, error)
            delta = yield from self._on(route).reply(route.messages)
        if route.session_id is not None and is_ignored(delta.metadata):
            route = self._replayed(route, messages, WHY_IGNORED, charged=True)
            delta = yield from self._on(route).reply(route.messages)
        return self._told(delta, route, messages)

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        messages = with_answers(messages)
        route = self._route(messages)
        try:
            begun = yield from self._on(route).stream(route.messages)
        except APIError as error:
            route = self._without(route, messages, error)
            begun = yield from self._on(route).stream(route.messages)
        taken = route
        checked = CheckedDecoder(begun.decoder) if route.session_id is not None else None

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            again = self._again(checked, taken, messages) if checked else None
            if again is not None:
                delta = yield from self._on(again).reply(again.messages)
                return [self._told(delta, again, messages)]
            settled = yield from begun.settle(closing)
            return [*settled[:-1], self._told(settled[-1], taken, messages)]

        return replace(begun, decoder=checked or begun.decoder, settle=settle)

    def _again(self, checked: CheckedDecoder, route: Route, messages: Sequence[Message]) -> Route | None:
        """Return the route of a full replay after a stream that did not continue the stored response, or None."""
        if checked.failure is not None:
            return self._without(route, messages, checked.failure)
        return self._replayed(route, messages, WHY_IGNORED, charged=True) if checked.ignored else None

    def _route(self, messages: Sequence[Message]) -> Route:
        if not self.chained:
            return Route("new", tuple(messages))
        route = sessions.route(messages, self.origin, self.on_mismatch)
        if route.session_id is None or not lacks_storage(self.responses.endpoint.base_url):
            return route
        return sessions.replayed(messages, self.on_mismatch, WHY_IGNORED, route.digest)

    def _without(self, route: Route, messages: Sequence[Message], error: APIError) -> Route:
        """Return the route of a full replay after *error*, or raise *error* if it has another cause."""
        if route.pointer is not None and is_refused(error):
            return self._replayed(route, messages, WHY_REFUSED)
        if route.pointer is None or not is_unknown_response(error):
            raise error
        return sessions.replayed(messages, self.on_mismatch, "the response of the last reply is gone", route.digest)

    def _replayed(self, route: Route, messages: Sequence[Message], why: str, *, charged: bool = False) -> Route:
        """Remember that the server keeps no responses, and return the route of a full replay."""
        remember_no_storage(self.responses.endpoint.base_url)
        return sessions.replayed(messages, self.on_mismatch, why, route.digest, charged=charged)

    def _on(self, route: Route) -> OpenAIResponses:
        if route.session_id is None:
            return self.responses
        options = {**self.responses.options, "previous_response_id": route.session_id}
        return replace(self.responses, options=options)

    def _told(self, delta: ChatDelta, route: Route, messages: Sequence[Message]) -> ChatDelta:
        """Return *delta* with what its metadata say of the API, the route and, if it can be continued, the pointer."""
        facts: dict[str, Any] = {**delta.metadata, "api": "responses"}
        continued = facts.get("previous_response_id")
        if continued is None:
            facts.pop("previous_response_id", None)
        if self.chained:
            unconfirmed = route.reason == "continue" and continued is None
            facts["session_route"] = "unconfirmed" if unconfirmed else route.reason
            pointer = self._pointer(facts, route, messages)
            facts |= {POINTER_KEY: pointer} if pointer else {}
        return delta._replace(metadata=facts)

    def _pointer(self, facts: dict[str, Any], route: Route, messages: Sequence[Message]) -> dict[str, Any] | None:
        """Only a stored and complete response can be continued."""
        kept = facts.get(ITEMS_KEY) or {}
        if (
            lacks_storage(self.responses.endpoint.base_url)
            or not kept.get("stored")
            or facts.get("incomplete_reason")
            or not facts.get("id")
        ):
            return None
        said = read_output(kept["items"])
        calls = tuple(ToolCall(call.id or "", call.name or "", call.arguments) for call in said.calls)
        reply = Message("assistant", (Text(said.text),), tool_calls=calls)
        turn = route.pointer.turn + 1 if route.pointer else 1
        digest = route.digest.upto([*messages, reply])
        pointer = self.origin.pointer(facts["id"], turn, digest.hex)
        return pointer.to_json() if pointer else None
