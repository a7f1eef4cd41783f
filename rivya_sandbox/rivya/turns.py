"""One turn of Rivya's chat: claim the session, reserve credits, ask the model, charge.

`base_credits` of the model are reserved. The final charge is `max(1, ceil(base_credits * total_tokens / 2000))`,
whatever was reserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError
from rivya_sandbox.ids import iso
from rivya_sandbox.journal import Exchange, Turn
from rivya_sandbox.model import tool_text
from rivya_sandbox.rivya.catalogue import CHAT, ChatModel
from rivya_sandbox.rivya.chat_request import ChatRequest
from rivya_sandbox.rivya.reply import Reply
from rivya_sandbox.rivya.sessions import Session, Sessions, StoredMessage
from rivya_sandbox.values import Answer, Attachment, Completion, Context, Message, ModelRequest, Usage, count_tokens

if TYPE_CHECKING:
    from rivya_sandbox.accounts import Accounts, Entry
    from rivya_sandbox.state import SandboxState

TOKENS_PER_BASE = 2000
REASONING_EFFORTS = frozenset({"low", "medium", "high", "xhigh"})


@dataclass(frozen=True)
class Caller:
    """What a turn needs to know about its HTTP request."""

    account: str
    exchange: Exchange
    idempotency_key: str | None = None
    streamed: bool = False


@dataclass
class RunningTurn:
    """A turn that runs: its session is claimed and its credits are reserved.

    It keeps the accounts and sessions that it started with, so that it ends there even after a reset.
    """

    request: ChatRequest
    accounts: Accounts
    sessions: Sessions
    session: Session
    entry: Entry
    turn: Turn
    message: Message
    at: float
    ended: bool = False


class Turns:
    """Runs turns on the sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def begin(self, request: ChatRequest, caller: Caller) -> RunningTurn:
        """Check the request, claim the session, reserve the credits and record the turn.

        Raises:
            ApiError: For any of the documented reasons; the state is then unchanged.
        """
        model = CHAT[request.model]
        attachments = self._attachments(request, model, caller.account)
        message = Message("user", request.message, attachments)
        now = self._state.clock()
        with self._state.lock:
            session = self._state.sessions.claim(request.session_id, caller.account, request.model, now)
            reply_id = self._state.ids.new("chatcmpl")
            try:
                entry = self._state.accounts.reserve(caller.account, "chat", reply_id, model.credits)
            except ApiError:
                self._state.sessions.release(session, [], now)
                raise
            turn = self._state.journal.begin(journal_turn(session, request, caller, reply_id, message), caller.exchange)
        return RunningTurn(request, self._state.accounts, self._state.sessions, session, entry, turn, message, now)

    async def answer(self, running: RunningTurn) -> Reply:
        """Ask the model. If it raises, nothing of the turn remains."""
        try:
            answer, scripted = await self._state.runner.answer(ModelRequest(running.turn.context))
        except BaseException:
            self.discard(running)
            raise
        calls = answer.calls if isinstance(answer, Completion) else ()
        text = "\n".join([*([answer.text] if answer.text or not calls else []), *map(tool_text.block, calls)])
        answer = Answer(text, answer.reasoning if scripted or shows_reasoning(running.request) else "")
        running.turn.reply, running.turn.reasoning = answer.text, answer.reasoning
        return self._reply(running, answer)

    def complete(self, running: RunningTurn, reply: Reply) -> None:
        """Store the messages, charge the cost, and free the session."""
        answer = StoredMessage(reply.message_id, Message("assistant", reply.answer.text), running.at)
        self._end(running, answer, reply.final)

    def discard(self, running: RunningTurn) -> None:
        """Free the session. Nothing is stored or charged."""
        self._end(running, None, 0)

    def abandon(self, running: RunningTurn, reply: Reply, sent: str) -> None:
        """End a turn whose client disconnected, as the setting `abandoned` says."""
        if self._state.abandoned == "keep":
            self.complete(running, reply)
        elif self._state.abandoned == "discard":
            self.discard(running)
            self._state.idempotency.forget(running.turn.account, running.turn.idempotency_key)
        else:
            self._keep_part(running, reply, sent)

    def _keep_part(self, running: RunningTurn, reply: Reply, sent: str) -> None:
        usage = Usage(reply.usage.input_tokens, max(1, count_tokens(sent)))
        running.turn.reply = sent
        final = price(CHAT[reply.model].credits, usage)
        self._end(running, StoredMessage(reply.message_id, Message("assistant", sent), running.at), final)
        running.turn.completed = False

    def _end(self, running: RunningTurn, answer: StoredMessage | None, final: int) -> None:
        state, turn = self._state, running.turn
        with state.lock:
            if running.ended:
                return
            running.ended = True
            question = StoredMessage(state.ids.new("msg"), running.message, running.at)
            running.sessions.release(running.session, [question, answer] if answer else [], state.clock())
            running.accounts.settle(turn.account, running.entry, final)
            turn.charged, turn.completed = final, answer is not None

    def _attachments(self, request: ChatRequest, model: ChatModel, account: str) -> tuple[Attachment, ...]:
        if request.file_ids and not model.images:
            raise ApiError("chat_attachment_not_supported", f"{model.id} does not support image attachments.")
        return tuple(self._image(file_id, account) for file_id in request.file_ids)

    def _image(self, file_id: str, account: str) -> Attachment:
        try:
            stored = self._state.files.find(file_id, account)
        except ApiError:
            raise ApiError("chat_attachment_not_supported", f"The file {file_id} was not found.") from None
        if stored.kind != "image":
            raise ApiError("chat_attachment_not_supported", f"The file {file_id} is not an image.")
        return stored.attachment

    def _reply(self, running: RunningTurn, answer: Answer) -> Reply:
        written = count_tokens(answer.text) + count_tokens(answer.reasoning)
        usage = Usage(max(1, running.session.tokens + running.message.tokens), max(1, written))
        return Reply(
            running.entry.id,
            running.session.id,
            self._state.ids.new("msg"),
            running.request.model,
            iso(running.at),
            answer,
            usage,
            running.entry.reserved,
            price(CHAT[running.request.model].credits, usage),
        )


def journal_turn(session: Session, request: ChatRequest, caller: Caller, reply_id: str, message: Message) -> Turn:
    """Return the journal's record of a turn that starts."""
    context: Context = (*session.context, message)
    return Turn(
        session.id,
        session.turns + 1,
        caller.account,
        request.model,
        context,
        id=reply_id,
        idempotency_key=caller.idempotency_key,
        streamed=caller.streamed,
    )


def price(base: int, usage: Usage) -> int:
    """Return the credits that a turn costs."""
    return max(1, -(-base * usage.total_tokens // TOKENS_PER_BASE))


def shows_reasoning(request: ChatRequest) -> bool:
    """Return whether the reply contains the reasoning: the model shows it, and the request asks for some effort."""
    return CHAT[request.model].reasoning and request.reasoning_effort in REASONING_EFFORTS
