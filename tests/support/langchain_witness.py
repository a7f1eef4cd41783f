"""A callback handler that judges every call of a chat model, made by a graph, an agent or middleware."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_world import LangChainWorld
from oracle import context_of, turn_of
from talk_figures import normal
from transcript_reader import Seen

from rivya_sandbox import Sandbox


class Witness(BaseCallbackHandler):
    """Holds what was passed and what came back; `judge` compares it with what the model saw."""

    run_inline = True
    raise_error = True

    def __init__(self, sandbox: Sandbox, world: LangChainWorld) -> None:
        self.sandbox, self.world = sandbox, world
        self._passed: dict[UUID, list[Seen]] = {}
        self.routes: list[str] = []
        self.sent: list[list[Seen]] = []

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._passed[run_id] = self.world.transcript(messages[0])

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        reply = response.generations[0][0].message  # type: ignore[union-attr]
        passed = self._passed.pop(run_id)
        saw = context_of(turn_of(self.sandbox, reply.response_metadata["id"]))
        assert normal(saw) == normal(passed)
        self.routes.append(self.world.route(reply))
        self.sent.append(passed)

    @property
    def config(self) -> dict[str, Any]:
        return {"callbacks": [self]}

    def thread(self, name: str = "1") -> dict[str, Any]:
        """The configuration of a graph's thread, watched."""
        return {**self.config, "configurable": {"thread_id": name}}

    def since(self, number: int) -> list[str]:
        return self.routes[number:]
