"""The base of all models of this package: fields, account, clients, and LlamaIndex's eight methods.

A subclass provides the wire of a call (`_wire`) and the media that it takes. The eight methods are the same for all
subclasses; sync and async differ only in the driver. `complete` is a chat with one message and does not call the
public `chat`, so that every call is reported once.
"""

# ruff: noqa: FBT001, FBT002 - the signatures are LlamaIndex's

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from inspect import signature, unwrap
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from pydantic import field_validator

from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.streaming import acloses_stream, atrack_stream, closes_stream, guarded, track_stream
from llamaindex_rivya.llms.structured_output import StructuredPrediction
from rivya_core.adapters.connection import Connection
from rivya_core.extras import LazyModule
from rivya_core.http.plan import Plan, Streaming
from rivya_core.types import ChatDelta

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from llamaindex_rivya import callbacks
    from llamaindex_rivya.llms import messages as inputs
    from llamaindex_rivya.llms import responses
    from rivya_core.chat_stream import Wire
else:
    callbacks = LazyModule("llamaindex_rivya.callbacks")
    inputs = LazyModule("llamaindex_rivya.llms.messages")
    responses = LazyModule("llamaindex_rivya.llms.responses")

R = TypeVar("R")
CHAT = guarded("messages", lambda given: inputs.check_messages(given))
COMPLETION = guarded("prompt", lambda given: inputs.check_prompt(given))


class HTTPLLM(Connection, StructuredPrediction):
    """Base of the models; do not use it directly."""

    takes: ClassVar[InputCapabilities]
    """What messages may hold in addition to text."""
    not_pickled: ClassVar[frozenset[str]] = frozenset({"callback_manager"})

    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("invoke", "generate", "generate_content", "call"), "use `complete` for text, `chat` for messages"
        ),
        **dict.fromkeys(("ainvoke", "agenerate"), "use `acomplete` for text, `achat` for messages"),
        **dict.fromkeys(("batch", "abatch"), "use `acomplete` with `run_jobs`, or a `ResumableBatch`"),
        "bind_tools": "use `chat_with_tools`, or pass the tools to an agent",
        "with_structured_output": "use `structured_predict` or `as_structured_llm`",
    }

    @field_validator("rate_limiter", check_fields=False)
    @classmethod
    def _check_limiter(cls, limiter: Any) -> Any:
        if limiter is not None and not hasattr(limiter, "async_acquire"):
            raise ValueError(f"must be a rate limiter such as `SharedRateLimiter`, not {type(limiter).__name__}")
        return limiter

    @abstractmethod
    def _wire(self, options: Mapping[str, Any]) -> "Wire":
        """Return the wire that sends a call with these overrides; raise if an override is invalid."""

    @CHAT
    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the reply to *messages*."""
        return self._clients.driver.run(self._reply(messages, kwargs, _as_it_is))

    @CHAT
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the reply to *messages*."""
        return await self._clients.async_driver.run(self._reply(messages, kwargs, _as_it_is))

    @COMPLETION
    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the reply to *prompt*; `completion_to_prompt` is applied unless it is *formatted*."""
        return self._clients.driver.run(self._reply(self._asked(prompt, formatted), kwargs, _as_completion))

    @COMPLETION
    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the reply to *prompt*; `completion_to_prompt` is applied unless it is *formatted*."""
        plan = self._reply(self._asked(prompt, formatted), kwargs, _as_completion)
        return await self._clients.async_driver.run(plan)

    @CHAT
    @closes_stream
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        """Return the reply to *messages* as a stream; each response holds the whole reply so far."""
        return track_stream(self._chunks(*self._stream(messages, kwargs), _as_it_is))

    @CHAT
    @acloses_stream
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> AsyncGenerator[ChatResponse, None]:
        """Return the reply to *messages* as a stream; each response holds the whole reply so far."""
        return atrack_stream(self._achunks(*self._stream(messages, kwargs), _as_it_is))

    @COMPLETION
    @closes_stream
    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Generator[CompletionResponse, None, None]:
        """Return the reply to *prompt* as a stream; each response holds the whole reply so far."""
        return track_stream(self._chunks(*self._stream(self._asked(prompt, formatted), kwargs), _as_completion))

    @COMPLETION
    @acloses_stream
    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> AsyncGenerator[CompletionResponse, None]:
        """Return the reply to *prompt* as a stream; each response holds the whole reply so far."""
        return atrack_stream(self._achunks(*self._stream(self._asked(prompt, formatted), kwargs), _as_completion))

    def _reply(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], form: Callable[[ChatResponse], R]
    ) -> Plan[R]:
        wire = self._counted_wire(kwargs)

        def plan() -> Plan[R]:
            core = yield from inputs.to_core(messages, self.takes)
            delta = yield from wire.reply(core)
            return form(responses.whole(delta, single=_is_single(kwargs)))

        return plan()

    def _stream(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]
    ) -> "tuple[Plan[Streaming[ChatDelta]], responses.Accumulator]":
        wire = self._counted_wire(kwargs)

        def plan() -> Plan[Streaming[ChatDelta]]:
            core = yield from inputs.to_core(messages, self.takes)
            return (yield from wire.stream(core))

        return plan(), responses.Accumulator(single=_is_single(kwargs))

    def _counted_wire(self, kwargs: Mapping[str, Any]) -> "Wire":
        """Return the wire of a call, counted by the credit handlers of this context."""
        model = str(kwargs.get("model") or self.model)
        options = self._read_call(kwargs)
        wire = self._followed(self._wire(options), options)
        return callbacks.with_cost_tracking(wire, self.callback_manager.handlers, model, self.provider.name)

    def _chunks(
        self, plan: Plan[Streaming[ChatDelta]], reply: "responses.Accumulator", form: Callable[[ChatResponse], R]
    ) -> Generator[R, None, None]:
        with closing(self._clients.driver.stream(plan)) as deltas:
            for delta in deltas:
                yield form(reply.add(delta))

    async def _achunks(
        self, plan: Plan[Streaming[ChatDelta]], reply: "responses.Accumulator", form: Callable[[ChatResponse], R]
    ) -> AsyncGenerator[R, None]:
        async with aclosing(self._clients.async_driver.stream(plan)) as deltas:
            async for delta in deltas:
                yield form(reply.add(delta))

    def _asked(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]


for _name in ("chat", "complete", "stream_chat", "stream_complete"):
    for _method in map(unwrap, (getattr(HTTPLLM, _name), getattr(HTTPLLM, f"a{_name}"))):
        setattr(_method, "__signature__", signature(_method))  # noqa: B010 - LlamaIndex inspects it at every call


def _as_it_is(response: ChatResponse) -> ChatResponse:
    return response


def _as_completion(response: ChatResponse) -> CompletionResponse:
    return responses.as_completion(response)


def _is_single(kwargs: Mapping[str, Any]) -> bool:
    """Whether the caller allows one tool call only; a model may still return several."""
    return kwargs.get("allow_parallel_tool_calls") is False
