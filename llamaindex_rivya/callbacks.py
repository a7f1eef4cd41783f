"""Credits and tokens of LlamaIndex calls: counted by callback, or by everything that runs inside a `with`.

LlamaIndex's instrumentation ignores the errors of its handlers, so it cannot stop a call. A callback handler on the
model's `callback_manager` can, and so can the models and tools of this package, which call the handlers of the current
context before they send anything. Costs are added up in `rivya_core/reporting/costs.py`.
"""

from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from typing_extensions import Self

from rivya_core.chat_stream import Wire
from rivya_core.http.plan import Plan, Streaming
from rivya_core.reporting.credits import CreditsReportMixin
from rivya_core.reporting.steps import newest_facts, step, step_of
from rivya_core.types import ChatDelta, Message


class RivyaCreditsHandler(CreditsReportMixin, BaseCallbackHandler):
    """Counts credits and tokens by model and by run, and stops before the next call once a limit is reached.

    As a context manager it counts every call of this package's models and image tools that is made inside, in
    agents, engines and workflows too. On a model's `callback_manager` it counts that model's calls, from any provider.

    Args:
        limit: Credits after which the next call raises `CreditLimitError`; None for no limit. Calls under way count
            with what the provider reserves for them, so it also holds for threads, tasks and async query engines.

    Example:
        ```python
        from llamaindex_rivya import Rivya, RivyaCreditsHandler

        with RivyaCreditsHandler(limit=50) as spent:
            Rivya().complete("Name three rivers of Europe.")
        print(spent.credits, spent.by_model)
        ```

    A notebook shows it as a chart, and its `timeline` as a chart of the sessions.
    """

    def __init__(self, limit: float | None = None) -> None:
        super().__init__([], [])
        self._begin(limit)
        self._under_way: dict[str, float] = {}
        self._token: Token[tuple[RivyaCreditsHandler, ...]] | None = None

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        """Refuse a model's call once the limit is reached, and reserve what it may cost."""
        if event_type is CBEventType.LLM:
            known = (payload or {}).get(EventPayload.SERIALIZED) or {}
            provider = "rivya" if known.get("class_name") == "rivya_llm" else ""
            self._under_way[event_id] = self.start(str(known.get("model") or "unknown"), provider)
        return event_id

    def on_event_end(
        self, event_type: CBEventType, payload: dict[str, Any] | None = None, event_id: str = "", **kwargs: Any
    ) -> None:
        """Count a model's reply."""
        self.release(self._under_way.pop(event_id, 0.0))
        said = payload or {}
        reply = said.get(EventPayload.RESPONSE) or said.get(EventPayload.COMPLETION)
        if event_type is CBEventType.LLM and isinstance(reply, (ChatResponse, CompletionResponse)):
            facts = reply.raw if isinstance(reply.raw, dict) else {}
            history = said.get(EventPayload.MESSAGES) or []
            done = step(facts, reply.additional_kwargs, _asked(said), newest_facts(history))
            self._add(str(facts.get("id") or event_id), done)

    def start(self, model: str, provider: str) -> float:
        """Reserve the likely cost of a call, and return it.

        Raises:
            CreditLimitError: The credits spent, with those of the calls under way, reach the limit.
        """
        return self._start(model, provider)

    def release(self, held: float) -> None:
        """Release the credits that an ended call has reserved."""
        self._costs.release(held)

    def start_trace(self, trace_id: str | None = None) -> None:
        """Traces are not used."""

    def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
        """Traces are not used."""

    def count(self, reply: ChatDelta, messages: Sequence[Message]) -> None:
        """Count a whole reply to *messages*, or the last piece of one."""
        self._add(str(reply.metadata.get("id") or "unknown"), step_of(reply, messages))

    def __enter__(self) -> Self:
        """Count everything that runs in this context."""
        self._token = _counting.set((*_counting.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        if self._token is not None:
            _counting.reset(self._token)
            self._token = None


_counting: ContextVar[tuple[RivyaCreditsHandler, ...]] = ContextVar("rivya_credits_handlers", default=())


def _checked(but: Sequence[object] = ()) -> tuple[RivyaCreditsHandler, ...]:
    """The handlers of this context; each has allowed another call."""
    handlers = tuple(handler for handler in _counting.get() if handler not in but)
    for handler in handlers:
        handler.check()
    return handlers


def with_cost_tracking(wire: Wire, callbacks: Sequence[object], model: str, provider: str) -> Wire:
    """Return *wire*, counted by the handlers of this context, except *callbacks*, which count on their own.

    Raises:
        CreditLimitError: One of them allows no further call.
    """
    handlers = _checked(callbacks)
    return _Metered(wire, handlers, model, provider) if handlers else wire


def active_handlers() -> tuple[RivyaCreditsHandler, ...]:
    """Return the handlers that count everything that runs in this context."""
    return _counting.get()


class _Metered:
    """A wire whose calls and replies are counted."""

    def __init__(self, wire: Wire, handlers: Sequence[RivyaCreditsHandler], model: str, provider: str) -> None:
        self._wire, self._handlers = wire, handlers
        self._model, self._provider = model, provider

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn, count it and return the whole reply."""
        held = self._start()
        try:
            reply = yield from self._wire.reply(messages)
            self._count(reply, messages)
        finally:
            self._release(held)
        return reply

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun; it is counted when it is complete."""
        held = self._start()
        try:
            streaming = yield from self._wire.stream(messages)
        except BaseException:
            self._release(held)
            raise

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            try:
                deltas = yield from streaming.settle(closing)
                for delta in deltas:
                    if delta.last:
                        self._count(delta, messages)
            finally:
                self._release(held)
            return deltas

        def abandon() -> Plan[None]:
            self._release(held)
            yield from streaming.abandon()

        return replace(streaming, settle=settle, abandon=abandon)

    def _start(self) -> list[float]:
        """Reserve credits with every handler; the list of reservations is emptied when they are released."""
        held: list[float] = []
        try:
            for handler in self._handlers:
                held.append(handler.start(self._model, self._provider))
        except BaseException:
            self._release(held)
            raise
        return held

    def _release(self, held: list[float]) -> None:
        for handler, amount in zip(self._handlers, held, strict=False):
            handler.release(amount)
        held.clear()

    def _count(self, reply: ChatDelta, messages: Sequence[Message]) -> None:
        for handler in self._handlers:
            handler.count(reply, messages)


def _asked(payload: dict[str, Any]) -> str:
    """The newest message or the prompt of a call that was reported."""
    messages = payload.get(EventPayload.MESSAGES) or [None]
    return str(getattr(messages[-1], "content", None) or payload.get(EventPayload.PROMPT) or "")
