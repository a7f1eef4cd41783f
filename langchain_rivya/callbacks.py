"""Credits and tokens of LangChain runs, counted by a callback handler."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables.config import ensure_config
from langchain_core.tracers.context import register_configure_hook
from typing_extensions import Self

from rivya_core.reporting.credits import CreditsReportMixin
from rivya_core.reporting.steps import newest_facts, step

_active: ContextVar[RivyaCreditsHandler | None] = ContextVar("rivya_credits_handler", default=None)
register_configure_hook(_active, inheritable=True)
FREE_TOOLS = frozenset({"get_image_status", "wait_for_image"})
"""Names of the tools that submit nothing; a limit does not block the download of an image that was charged."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A running call: the credits that it reserves, its message, and the newest reply before it."""

    held: float
    asked: str = ""
    before: Mapping[str, Any] | None = None


class RivyaCreditsHandler(CreditsReportMixin, BaseCallbackHandler):
    """Counts credits and tokens by model and by run, and stops before the next call once a limit is reached.

    Pass it in `callbacks`, or use it as a context manager, which counts everything that runs inside:

        ```python
        from langchain_rivya import ChatRivya, RivyaCreditsHandler

        with RivyaCreditsHandler(limit=50) as spent:
            ChatRivya().invoke("Name three rivers of Europe.")
        print(spent.credits, spent.by_model)
        ```

    A notebook shows it as a chart, and its `timeline` as a chart of the sessions.

    Args:
        limit: Credits after which the next chat or tool call raises `CreditLimitError`; None for no limit. Calls under
            way count with what the provider reserves for them, so it also holds for threads, tasks and batches.
    """

    raise_error = True
    run_inline = True

    def __init__(self, limit: float | None = None) -> None:
        super().__init__()
        self._begin(limit)
        self._under_way: dict[UUID, _Call] = {}
        self._token: Token[RivyaCreditsHandler | None] | None = None

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Refuse the call once the limit is reached, and reserve what it may cost."""
        known = kwargs.get("metadata") or {}
        held = self._start(str(known.get("ls_model_name") or "unknown"), str(known.get("ls_provider") or ""))
        history = messages[0] if messages else []
        self._under_way[run_id] = _Call(held, history[-1].text if history else "", newest_facts(history))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Release the credits that a failed call has reserved."""
        self._end(run_id)

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, **kwargs: Any) -> None:
        """Refuse the call once the limit is reached, except of a tool that costs nothing."""
        if (serialized or {}).get("name") not in FREE_TOOLS:
            self.check()

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a reply."""
        call = self._end(run_id)
        for generation in (one for several in response.generations for one in several):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if isinstance(message, AIMessage) and not message.response_metadata.get("cached"):
                done = step(message.response_metadata, message.usage_metadata, call.asked, call.before)
                self._add(str(run_id), done)

    def _end(self, run_id: UUID) -> _Call:
        """End a call, and return what is known of it."""
        call = self._under_way.pop(run_id, _Call(0.0))
        self._costs.release(call.held)
        return call

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        """Count an image that a tool made elsewhere: its artifact says what it cost."""
        artifact = getattr(output, "artifact", None)
        if isinstance(artifact, Mapping) and "credits" in artifact and "task_id" in artifact:
            self.count_image(artifact)

    def __enter__(self) -> Self:
        """Count everything that runs in this context."""
        self._token = _active.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None


def active_handlers(*callbacks: Any) -> list[RivyaCreditsHandler]:
    """Return the credit handlers that count a call made now, each once.

    Args:
        callbacks: Further callbacks to search, in LangChain's forms: lists, managers, None.
    """
    found = [_active.get()]
    for given in (ensure_config().get("callbacks"), *callbacks):
        found += given if isinstance(given, list) else getattr(given, "handlers", ())
    handlers = [handler for handler in found if isinstance(handler, RivyaCreditsHandler)]
    return list({id(handler): handler for handler in handlers}.values())
