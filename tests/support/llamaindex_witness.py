"""An event handler that notes every call of an LLM, made by an engine, an agent or a memory; `judge` judges them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llamaindex_world import LlamaIndexWorld
from oracle import context_of, turn_of
from talk_figures import normal
from transcript_reader import Seen

from rivya_sandbox import Sandbox


class Witness(BaseEventHandler):
    """Holds what was passed in each call and its reply."""

    calls: list[tuple[list[Seen], dict[str, Any]]] = []

    @classmethod
    def class_name(cls) -> str:
        return "SessionsWitness"

    def handle(self, event: Any, **_: Any) -> None:
        if isinstance(event, LLMChatEndEvent) and event.response is not None:
            passed = [LlamaIndexWorld.seen(None, message) for message in event.messages]  # type: ignore[arg-type]
            self.calls.append((passed, dict(event.response.message.additional_kwargs)))
        elif isinstance(event, LLMCompletionEndEvent):
            self.calls.append(([Seen("user", event.prompt)], dict(event.response.additional_kwargs)))

    def judge(self, sandbox: Sandbox) -> list[str]:
        """Compare what was passed with what the model saw in every call, and return the ways they went."""
        for passed, facts in self.calls:
            assert normal(context_of(turn_of(sandbox, facts["id"]))) == normal(passed)
        return [facts["session_route"] for _, facts in self.calls]


@contextmanager
def watching() -> Iterator[Witness]:
    """A witness of everything that happens meanwhile."""
    witness = Witness(calls=[])
    root = get_dispatcher()
    root.add_event_handler(witness)
    try:
        yield witness
    finally:
        root.event_handlers.remove(witness)
