"""What a turn behind an OpenAI-compatible API costs and leaves in the journal, whichever endpoint it came through."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rivya_sandbox.journal import Turn
from rivya_sandbox.openai.answers import answer
from rivya_sandbox.openai.completions import Completion, Wire
from rivya_sandbox.openai.errors import OpenAIRefusal
from rivya_sandbox.openai.flavours import Counts, Flavour
from rivya_sandbox.openai.orders import Order
from rivya_sandbox.outlets import Broken
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.values import count_tokens

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from rivya_sandbox.accounts import Entry
    from rivya_sandbox.sandbox import Sandbox

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
    order: Order


@dataclass(frozen=True)
class Answered:
    """What was answered, every call with its id, and what it counts and costs."""

    said: Completion
    counts: Counts
    price: int


class OpenAITurns:
    """Runs turns against the sandbox's state."""

    def __init__(self, sandbox: Sandbox, flavour: Flavour) -> None:
        self._box = sandbox
        self._flavour = flavour

    def account(self, request: Request) -> str:
        """Who asks.

        Raises:
            Refusal: Nobody who may.
        """
        return self._box.accounts.authorize(request.headers.get("authorization")).account

    def begin(self, order: Order, request: Request, turn: Turn) -> OpenTurn:
        """Reserve the credits and note the turn.

        Raises:
            OpenAIRefusal: There are none left.
        """
        try:
            entry = self._box.accounts.reserve(turn.account, "chat", turn.id, 1)
        except Refusal:
            raise self._no_money() from None
        turn.streamed = order.stream
        return OpenTurn(entry, self._box.journal.begin(turn, request.state.exchange), turn.account, order)

    async def answer(self, running: OpenTurn) -> Answered:
        """Ask for the answer. If that fails, nothing is charged."""
        try:
            said = await answer(self._box, running.order)
        except BaseException:
            self.end(running, 0)
            raise
        said = replace(said, calls=tuple(replace(call, id=call.id or self._box.ids.new("call")) for call in said.calls))
        running.turn.reply, running.turn.thoughts = said.text, said.thoughts
        counts = counted(running.order, said)
        return Answered(said, counts, max(1, -(-counts.total_tokens // TOKENS_PER_CREDIT)))

    def end(self, running: OpenTurn, charged: int) -> None:
        """Charge what it cost."""
        self._box.accounts.settle(running.account, running.entry, charged)
        running.turn.charged, running.turn.completed = charged, charged > 0

    def leave(self, running: OpenTurn, charged: int) -> None:
        """The reader left before the end: what was generated is charged all the same."""
        self.end(running, charged)
        running.turn.completed = False

    def _no_money(self) -> OpenAIRefusal:
        """OpenAI says it with 429, the others with 402."""
        return OpenAIRefusal(
            "You exceeded your current quota, please check your plan and billing details.",
            status=429 if self._flavour.name == "openai" else 402,
            type="insufficient_quota",
            code="insufficient_quota",
        )


def counted(order: Order, said: Completion) -> Counts:
    """Tokens of a turn: the context and the functions are read; text, calls and reasoning are written."""
    read = sum(message.tokens for message in order.context) + count_tokens(json.dumps(order.body.get("tools") or ""))
    reasoning = count_tokens(said.thoughts)
    written = count_tokens(said.text) + sum(count_tokens(call.name + call.text) for call in said.calls)
    return Counts(max(1, read), max(1, written) + reasoning, reasoning)
