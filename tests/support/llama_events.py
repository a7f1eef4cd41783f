"""What LlamaIndex reports of a call: events, legacy callbacks and token counts, recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.callbacks import CallbackManager, CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler


class Recorder(BaseEventHandler):
    """Keeps every event."""

    events: list[Any]

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        """Class names, in order."""
        return [type(event).__name__ for event in self.events]


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record the events of a block."""
    root, recorder = get_dispatcher(), Recorder(events=[])
    root.add_event_handler(recorder)
    try:
        yield recorder
    finally:
        root.event_handlers.remove(recorder)


class Ledger(BaseCallbackHandler):
    """Keeps the starts and ends of legacy LLM callbacks, with their payloads."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.starts: list[dict[str, Any]] = []
        self.ends: list[dict[str, Any]] = []

    def on_event_start(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **_: Any) -> str:
        if event_type == CBEventType.LLM:
            self.starts.append(payload)
        return event_id

    def on_event_end(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **_: Any) -> None:
        if event_type == CBEventType.LLM:
            self.ends.append(payload)

    def start_trace(self, trace_id: str | None = None) -> None:
        """Nothing to do."""

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        """Nothing to do."""


def watched(llm: Any, *handlers: Any) -> Ledger:
    """Put a ledger (and more handlers) into the model's callbacks."""
    ledger = Ledger()
    llm.callback_manager = CallbackManager([ledger, *handlers])
    return ledger
