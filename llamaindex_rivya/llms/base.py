"""What all models of this package share: fields, account, clients, and LlamaIndex's eight methods.

A sibling says with whom a call talks (`_wire`) and what it takes beside text. The eight methods are the same for
all of them and differ between sync and async by nothing but the driver. `complete` is a chat with one message and
never goes through the public `chat`, so that every call is reported once. How a model is copied and written down
is told by `copies.py`.
"""

# ruff: noqa: FBT001, FBT002 - the signatures are LlamaIndex's

import difflib
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, ClassVar, TypeVar

import httpx
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from pydantic import ConfigDict, Field, SecretStr, model_validator
from typing_extensions import Self

from llamaindex_rivya.callbacks import with_cost_tracking
from llamaindex_rivya.llms.account import Account
from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.messages import to_core
from llamaindex_rivya.llms.responses import Accumulator, as_completion, whole
from llamaindex_rivya.llms.serialization import SerializationMixin
from llamaindex_rivya.llms.streaming import acloses_stream, atrack_stream, closes_stream, track_stream
from llamaindex_rivya.llms.structured_output import StructuredPrediction
from llamaindex_rivya.llms.wire import Wire
from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint, endpoint
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.response_body import DEFAULT_LIMITS
from rivya_core.http.retry import RetryPolicy, retry_policy
from rivya_core.providers import Provider
from rivya_core.types import ChatDelta

R = TypeVar("R")


class HTTPLLM(Account, SerializationMixin, StructuredPrediction):
    """Base of the models; not for use by itself."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )

    provider: ClassVar[Provider]
    """Whose API it is."""
    takes: ClassVar[InputCapabilities]
    """What messages may hold beside text."""
    call_options: ClassVar[frozenset[str]] = frozenset()
    """What a call may override by keyword."""

    model: str = Field(default="", description="Model id; the provider's default when it is not given.")
    api_key: SecretStr | None = Field(
        default=None, exclude=True, repr=False, description="Key; by default from the environment."
    )
    base_url: str = Field(default="", description="Where the API is; by default from the environment or the provider.")
    timeout: float | httpx.Timeout | None = Field(
        default=None, description="Seconds to connect and between reads; by default 10 and 120."
    )
    max_retries: int = Field(default=2, ge=0, description="Extra requests after a failure that may be repeated.")
    max_retry_seconds: float = Field(
        default=60.0, ge=0, description="Seconds that a call may wait between its requests, all together."
    )
    stream_idle_timeout: float = Field(
        default=DEFAULT_LIMITS.stream_idle_timeout,
        gt=0,
        description="Seconds that a stream may go on without a piece of the reply, for example with pings only.",
    )
    max_response_bytes: int = Field(
        default=DEFAULT_LIMITS.max_response_bytes,
        gt=0,
        description="Bytes that a response may have when it is decompressed.",
    )
    default_headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Further headers of every request."
    )
    http_client: httpx.Client | None = Field(
        default=None, exclude=True, repr=False, description="Your own client for sync calls."
    )
    http_async_client: httpx.AsyncClient | None = Field(
        default=None, exclude=True, repr=False, description="Your own client for async calls, of one event loop."
    )

    @abstractmethod
    def _wire(self, options: Mapping[str, Any]) -> Wire:
        """Return with whom a call with these overrides talks; raise if one of them cannot be right."""

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_arguments(cls, values: Any) -> Any:
        """Name what an unknown argument may have meant; pydantic would only say that it is extra."""
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                close = difflib.get_close_matches(str(name), cls.model_fields, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else "."
                raise ConfigurationError(f"`{cls.__name__}` has no argument `{name}`{hint}")
        return values

    @model_validator(mode="after")
    def _find_account(self) -> Self:
        """Find model, key and URL now, so that what is missing is said at construction."""
        found = self._endpoint({})
        self.api_key, self.base_url = found.key, found.base_url
        self.model = self.model or self.provider.default_model
        return self

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the reply to *messages*."""
        return self._clients.driver.run(self._reply(messages, kwargs, _as_it_is))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the reply to *messages*."""
        return await self._clients.async_driver.run(self._reply(messages, kwargs, _as_it_is))

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the reply to *prompt*; `completion_to_prompt` is applied unless it is *formatted*."""
        return self._clients.driver.run(self._reply(self._asked(prompt, formatted), kwargs, as_completion))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the reply to *prompt*; `completion_to_prompt` is applied unless it is *formatted*."""
        plan = self._reply(self._asked(prompt, formatted), kwargs, as_completion)
        return await self._clients.async_driver.run(plan)

    @closes_stream
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        """Return the reply to *messages* as it comes: each response holds everything so far, the last one all."""
        return track_stream(self._chunks(*self._stream(messages, kwargs), _as_it_is))

    @acloses_stream
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> AsyncGenerator[ChatResponse, None]:
        """Return the reply to *messages* as it comes: each response holds everything so far, the last one all."""
        return atrack_stream(self._achunks(*self._stream(messages, kwargs), _as_it_is))

    @closes_stream
    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Generator[CompletionResponse, None, None]:
        """Return the reply to *prompt* as it comes: each response holds everything so far, the last one all."""
        return track_stream(self._chunks(*self._stream(self._asked(prompt, formatted), kwargs), as_completion))

    @acloses_stream
    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> AsyncGenerator[CompletionResponse, None]:
        """Return the reply to *prompt* as it comes: each response holds everything so far, the last one all."""
        return atrack_stream(self._achunks(*self._stream(self._asked(prompt, formatted), kwargs), as_completion))

    def _reply(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], form: Callable[[ChatResponse], R]
    ) -> Plan[R]:
        wire = self._counted_wire(kwargs)

        def plan() -> Plan[R]:
            core = yield from to_core(messages, self.takes)
            delta = yield from wire.reply(core)
            return form(whole(delta, single=_is_single(kwargs)))

        return plan()

    def _stream(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]
    ) -> tuple[Plan[Streaming[ChatDelta]], Accumulator]:
        wire = self._counted_wire(kwargs)

        def plan() -> Plan[Streaming[ChatDelta]]:
            core = yield from to_core(messages, self.takes)
            return (yield from wire.stream(core))

        return plan(), Accumulator(single=_is_single(kwargs))

    def _counted_wire(self, kwargs: Mapping[str, Any]) -> Wire:
        """Return the wire of a call, counted by the credit handlers of this context."""
        model = str(kwargs.get("model") or self.model)
        wire = self._wire(self._options(kwargs))
        return with_cost_tracking(wire, self.callback_manager.handlers, model, self.provider.name)

    def _chunks(
        self, plan: Plan[Streaming[ChatDelta]], reply: Accumulator, form: Callable[[ChatResponse], R]
    ) -> Generator[R, None, None]:
        with closing(self._clients.driver.stream(plan)) as deltas:
            for delta in deltas:
                yield form(reply.add(delta))

    async def _achunks(
        self, plan: Plan[Streaming[ChatDelta]], reply: Accumulator, form: Callable[[ChatResponse], R]
    ) -> AsyncGenerator[R, None]:
        async with aclosing(self._clients.async_driver.stream(plan)) as deltas:
            async for delta in deltas:
                yield form(reply.add(delta))

    def _asked(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]

    def _options(self, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the overrides of a call; refuse an argument that no call of this model takes."""
        for name in kwargs:
            if name not in self.call_options:
                raise InvalidInputError(
                    f"`{type(self).__name__}` does not take `{name}` in a call; it takes "
                    f"`{'`, `'.join(sorted(self.call_options))}`. Nothing was sent."
                )
        return kwargs

    def _endpoint(self, options: Mapping[str, Any]) -> Endpoint:
        return endpoint(
            self.provider,
            api_key=self.api_key,
            base_url=self.base_url or None,
            headers=self.default_headers,
            timeout=options.get("timeout", self.timeout),
            limits=(self.max_response_bytes, self.stream_idle_timeout),
        )

    @property
    def _account(self) -> tuple[Endpoint, RetryPolicy]:
        return self._endpoint({}), self._retry

    @property
    def _retry(self) -> RetryPolicy:
        return retry_policy(self.max_retries, self.max_retry_seconds)

    @property
    def _clients(self) -> Clients:
        return Clients(self.http_client, self.http_async_client)


def _as_it_is(response: ChatResponse) -> ChatResponse:
    return response


def _is_single(kwargs: Mapping[str, Any]) -> bool:
    """Whether the caller allows one tool call only; a model may give several all the same."""
    return kwargs.get("allow_parallel_tool_calls") is False
