"""One Rivya chat turn from claim to settlement: who may, what the model sees, what it costs.

Credits: `base_credits` of the model are reserved; charged in the end is
`max(1, ceil(base_credits * total_tokens / 2000))`, whatever was reserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivya_sandbox.journal import Exchange, Turn
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.rivya.catalogue import CHAT, ChatModel
from rivya_sandbox.rivya.sessions import Session, Sessions, Spoken
from rivya_sandbox.values import Answer, Attachment, Context, Message, Usage, count_tokens, iso

if TYPE_CHECKING:
    from rivya_sandbox.accounts import Accounts, Entry
    from rivya_sandbox.sandbox import Sandbox

TOKENS_PER_BASE = 2000
THOUGHTFUL = frozenset({"low", "medium", "high", "xhigh"})


@dataclass(frozen=True)
class ChatOrder:
    """What a chat request asks for."""

    model: str
    message: str
    session_id: str | None = None
    file_ids: tuple[str, ...] = ()
    enable_web_search: bool = False
    reasoning_effort: str = "default"
    client_request_id: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who asks, and how: what a turn needs to know of its request."""

    account: str
    exchange: Exchange
    idempotency_key: str | None = None
    streamed: bool = False


@dataclass(frozen=True)
class Reply:
    """An answered turn, ready to be written in any form."""

    id: str
    session_id: str
    message_id: str
    model: str
    created_at: str
    answer: Answer
    usage: Usage
    reserved: int
    final: int

    def body(self, text: str | None = None) -> dict[str, Any]:
        """The whole reply as the API writes it; `text` replaces the message's content."""
        message: dict[str, Any] = {"id": self.message_id, "role": "assistant"}
        message["content"] = self.answer.text if text is None else text
        if self.answer.thoughts:
            message["thoughts"] = self.answer.thoughts
        return {"id": self.id, "object": "chat.completion", **self.facts(), "message": message, **self.bill()}

    def facts(self) -> dict[str, Any]:
        """Where and when."""
        return {"session_id": self.session_id, "model": self.model, "created_at": self.created_at}

    def bill(self) -> dict[str, Any]:
        """Usage and credits."""
        usage = {
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "total_tokens": self.usage.total_tokens,
        }
        return {"usage": usage, "credits": {"reserved": self.reserved, "final": self.final}}


@dataclass
class OpenTurn:
    """A turn that runs: its session is claimed, its credits are reserved.

    It holds the accounts and sessions that it began with, so that it ends there even if the sandbox was reset.
    """

    order: ChatOrder
    accounts: Accounts
    sessions: Sessions
    session: Session
    entry: Entry
    turn: Turn
    new: Message
    at: float
    ended: bool = False


class Turns:
    """Runs turns against the sandbox's state."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._box = sandbox

    def begin(self, order: ChatOrder, caller: Caller) -> OpenTurn:
        """Check the order, claim the session, reserve the credits and note the turn.

        Raises:
            Refusal: For any of the documented reasons; nothing has happened then.
        """
        model = chat_model(order.model)
        attachments = self._attachments(order, model, caller.account)
        new = Message("user", order.message, attachments)
        now = self._box.clock()
        with self._box.lock:
            session = self._box.sessions.claim(order.session_id, caller.account, order.model, now)
            reply_id = self._box.ids.new("chatcmpl")
            try:
                entry = self._box.accounts.reserve(caller.account, "chat", reply_id, model.credits)
            except Refusal:
                self._box.sessions.release(session, [], now)
                raise
            turn = self._box.journal.begin(note(session, order, caller, reply_id, new), caller.exchange)
        return OpenTurn(order, self._box.accounts, self._box.sessions, session, entry, turn, new, now)

    async def answer(self, running: OpenTurn) -> Reply:
        """Ask the model. If it raises, nothing of the turn stays."""
        try:
            answer, scripted = await self._box.speaker.answer(running.turn.context)
        except BaseException:
            self.discard(running)
            raise
        if not scripted:
            answer = Answer(answer.text, answer.thoughts if shows_thoughts(running.order) else "")
        running.turn.reply, running.turn.thoughts = answer.text, answer.thoughts
        return self._reply(running, answer)

    def settle(self, running: OpenTurn, reply: Reply) -> None:
        """Keep what was said, charge what it cost, free the session."""
        self._end(running, Spoken(reply.message_id, Message("assistant", reply.answer.text), running.at), reply.final)

    def discard(self, running: OpenTurn) -> None:
        """Forget the turn: nothing is kept, nothing charged, the session is free."""
        self._end(running, None, 0)

    def leave(self, running: OpenTurn, reply: Reply, sent: str) -> None:
        """The reader left (or the connection broke) before the end; what then happens is the sandbox's setting."""
        if self._box.abandoned == "keep":
            self.settle(running, reply)
        elif self._box.abandoned == "discard":
            self.discard(running)
            self._box.idempotency.forget(running.turn.account, running.turn.idempotency_key)
        else:
            self._keep_part(running, reply, sent)

    def _keep_part(self, running: OpenTurn, reply: Reply, sent: str) -> None:
        usage = Usage(reply.usage.input_tokens, max(1, count_tokens(sent)))
        running.turn.reply = sent
        final = price(CHAT[reply.model].credits, usage)
        self._end(running, Spoken(reply.message_id, Message("assistant", sent), running.at), final)
        running.turn.completed = False

    def _end(self, running: OpenTurn, said: Spoken | None, final: int) -> None:
        box, turn = self._box, running.turn
        with box.lock:
            if running.ended:
                return
            running.ended = True
            asked = Spoken(box.ids.new("msg"), running.new, running.at)
            running.sessions.release(running.session, [asked, said] if said else [], box.clock())
            running.accounts.settle(turn.account, running.entry, final)
            turn.charged, turn.completed = final, said is not None

    def _attachments(self, order: ChatOrder, model: ChatModel, account: str) -> tuple[Attachment, ...]:
        if order.file_ids and not model.images:
            raise Refusal("chat_attachment_not_supported", f"{model.id} does not support image attachments.")
        return tuple(self._image(file_id, account) for file_id in order.file_ids)

    def _image(self, file_id: str, account: str) -> Attachment:
        try:
            stored = self._box.files.find(file_id, account)
        except Refusal:
            raise Refusal("chat_attachment_not_supported", f"The file {file_id} was not found.") from None
        if stored.kind != "image":
            raise Refusal("chat_attachment_not_supported", f"The file {file_id} is not an image.")
        return stored.attachment

    def _reply(self, running: OpenTurn, answer: Answer) -> Reply:
        written = count_tokens(answer.text) + count_tokens(answer.thoughts)
        usage = Usage(max(1, running.session.tokens + running.new.tokens), max(1, written))
        return Reply(
            running.entry.id,
            running.session.id,
            self._box.ids.new("msg"),
            running.order.model,
            iso(running.at),
            answer,
            usage,
            running.entry.reserved,
            price(CHAT[running.order.model].credits, usage),
        )


def chat_model(model_id: str) -> ChatModel:
    """The chat model of that id.

    Raises:
        Refusal: `chat_model_not_supported`.
    """
    model = CHAT.get(model_id)
    if model is None:
        raise Refusal("chat_model_not_supported", f"The model {model_id} is not available for the Chat API.")
    return model


def note(session: Session, order: ChatOrder, caller: Caller, reply_id: str, new: Message) -> Turn:
    """The journal's record of a turn that begins."""
    context: Context = (*session.context, new)
    return Turn(
        session.id,
        session.turns + 1,
        caller.account,
        order.model,
        context,
        id=reply_id,
        idempotency_key=caller.idempotency_key,
        streamed=caller.streamed,
    )


def price(base: int, usage: Usage) -> int:
    """Credits charged for a turn."""
    return max(1, -(-base * usage.total_tokens // TOKENS_PER_BASE))


def shows_thoughts(order: ChatOrder) -> bool:
    """Whether the model tells its thoughts: it must be able to, and some effort must be asked for."""
    return CHAT[order.model].thoughts and order.reasoning_effort in THOUGHTFUL
