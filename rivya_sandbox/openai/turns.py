"""One turn of an OpenAI-compatible API: its charge and its journal entry, for either endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError
from rivya_sandbox.fault_sender import ConnectionBroken
from rivya_sandbox.journal import Turn
from rivya_sandbox.openai.chat_request import ChatRequest
from rivya_sandbox.openai.errors import OpenAIError
from rivya_sandbox.openai.providers import Provider
from rivya_sandbox.openai.respond import respond
from rivya_sandbox.values import Completion, Usage, Wire, count_tokens

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from rivya_sandbox.accounts import Entry
    from rivya_sandbox.state import SandboxState

TOKENS_PER_CREDIT = 1000


@dataclass(frozen=True)
class WireResponse:
    """A response of exact bytes: an ASGI application that an endpoint returns."""

    wire: Wire

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the pieces, each on its own."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.wire.headers.items()]
        await send({"type": "http.response.start", "status": self.wire.status, "headers": raw})
        for piece in self.wire.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self.wire.broken:
            raise ConnectionBroken
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(frozen=True)
class RunningTurn:
    """A turn that runs: its credits are reserved."""

    entry: Entry
    turn: Turn
    account: str
    request: ChatRequest


@dataclass(frozen=True)
class Result:
    """The reply, every call with its id, and its usage and price."""

    completion: Completion
    usage: Usage
    price: int


class OpenAITurns:
    """Runs turns on the sandbox's state."""

    def __init__(self, state: SandboxState, provider: Provider) -> None:
        self._state = state
        self._provider = provider

    def begin(self, chat: ChatRequest, request: Request, turn: Turn) -> RunningTurn:
        """Reserve the credits and record the turn.

        Raises:
            OpenAIError: The account has no credits.
        """
        try:
            entry = self._state.accounts.reserve(turn.account, "chat", turn.id, 1)
        except ApiError:
            raise self._no_credits() from None
        turn.streamed = chat.stream
        return RunningTurn(entry, self._state.journal.begin(turn, request.state.exchange), turn.account, chat)

    async def answer(self, running: RunningTurn) -> Result:
        """Ask the model. If it fails, nothing is charged."""
        try:
            completion = await respond(self._state, running.request)
        except BaseException:
            self.end(running, 0)
            raise
        calls = tuple(replace(call, id=call.id or self._state.ids.new("call")) for call in completion.calls)
        completion = replace(completion, calls=calls)
        running.turn.reply, running.turn.reasoning = completion.text, completion.reasoning
        usage = usage_of(running.request, completion)
        return Result(completion, usage, max(1, -(-usage.total_tokens // TOKENS_PER_CREDIT)))

    def end(self, running: RunningTurn, charged: int) -> None:
        """Charge the cost."""
        self._state.accounts.settle(running.account, running.entry, charged)
        running.turn.charged, running.turn.completed = charged, charged > 0

    def abandon(self, running: RunningTurn, charged: int) -> None:
        """Charge a turn whose client disconnected: the reply was generated all the same."""
        self.end(running, charged)
        running.turn.completed = False

    def _no_credits(self) -> OpenAIError:
        """Return the error: OpenAI uses status 429, the others 402."""
        return OpenAIError(
            "You exceeded your current quota, please check your plan and billing details.",
            status=429 if self._provider.name == "openai" else 402,
            type="insufficient_quota",
            code="insufficient_quota",
        )


def usage_of(chat: ChatRequest, completion: Completion) -> Usage:
    """Count the tokens: the messages and tools are the input; text, calls and reasoning are the output."""
    read = sum(message.tokens for message in chat.prompt) + count_tokens(json.dumps(chat.body.get("tools") or ""))
    reasoning = count_tokens(completion.reasoning)
    written = count_tokens(completion.text) + sum(count_tokens(call.name + call.text) for call in completion.calls)
    return Usage(max(1, read), max(1, written) + reasoning, reasoning)
