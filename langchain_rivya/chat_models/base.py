"""What all chat models of this package share: fields, clients, and LangChain's hooks in terms of two plans.

A sibling says with whom a call talks (`_wire`) and what a call may override. The hooks below are the same for all of
them and differ between sync and async by nothing but the driver. What only a call needs is imported by the first call.
"""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import Any, ClassVar, Protocol, cast

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from typing_extensions import Self

from langchain_rivya.chat_models.account import Account
from langchain_rivya.errors import InvalidInputError, as_model_errors
from rivya_core import __version__
from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials as keys
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import Endpoint, endpoint, where
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.response_body import DEFAULT_LIMITS
from rivya_core.http.retry import RetryPolicy, retry_policy
from rivya_core.providers import Provider
from rivya_core.sessions.pointers import POINTER_KEY
from rivya_core.types import ChatDelta, Message


class Wire(Protocol):
    """Carries the turns of one call."""

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        ...

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        ...


class HTTPChatModel(Account, BaseChatModel):
    """Base of the chat models; not for use by itself."""

    model: str = ""
    """Model id; the provider's default when it is not given."""
    api_key: SecretStr | None = None
    """Key; from the provider's environment variable when it is not given."""
    base_url: str | None = None
    """Where the API is; from the environment or the provider when it is not given."""
    timeout: float | httpx.Timeout | None = Field(default=None, exclude=True)
    """Seconds to wait for a connection and between reads. Default: 10 to connect, 120 between reads; never none."""
    max_retries: int = Field(default=2, ge=0)
    """Extra requests after a failure that may be repeated, exactly."""
    max_retry_seconds: float = Field(default=60.0, ge=0)
    """Seconds that a call may wait between its requests, all together."""
    stream_idle_timeout: float = Field(default=DEFAULT_LIMITS.stream_idle_timeout, gt=0)
    """Seconds that a stream may go on without a piece of the reply, for example with pings only."""
    max_response_bytes: int = Field(default=DEFAULT_LIMITS.max_response_bytes, gt=0)
    """Bytes that a response may have when it is decompressed."""
    http_client: httpx.Client | None = Field(default=None, exclude=True)
    """Your own client for sync calls; its proxies, headers and timeout are kept."""
    http_async_client: httpx.AsyncClient | None = Field(default=None, exclude=True)
    """Your own client for async calls; it belongs to one event loop."""
    default_headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Further headers of every request."""
    streaming: bool = False
    """Set to True to stream even in `invoke`, or to False to never stream."""

    provider: ClassVar[Provider]
    """Whose API it is."""
    call_options: ClassVar[frozenset[str]] = frozenset()
    """What a call may override by keyword or `bind`."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=()
    )

    @abstractmethod
    def _wire(self, options: Mapping[str, Any]) -> Wire:
        """Return with whom a call with these overrides talks."""

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_arguments(cls, values: Any) -> Any:
        """Name what an unknown argument may have meant; pydantic would only say that it is extra."""
        known = {name for field in cls.model_fields.values() for name in _aliases(field)} | set(cls.model_fields)
        for name in values if isinstance(values, dict) else ():
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else "."
                raise ConfigurationError(f"`{cls.__name__}` has no argument `{name}`{hint}")
        return values

    @model_validator(mode="after")
    def _find_account(self) -> Self:
        """Find model, key and URL now, so that what is missing is said at construction."""
        self.model = self.model or self.provider.default_model
        self.api_key = self._endpoint.key
        return self

    @model_validator(mode="after")
    def _add_rivya_version(self) -> Self:
        self._add_version("rivya-integrations", __version__)
        return self

    @property
    def _endpoint(self) -> Endpoint:
        return endpoint(
            self.provider,
            api_key=self.api_key,
            base_url=self.base_url,
            headers=self.default_headers,
            timeout=self.timeout,
            limits=(self.max_response_bytes, self.stream_idle_timeout),
        )

    @property
    def _clients(self) -> Clients:
        return Clients(self.http_client, self.http_async_client)

    @property
    def _retry(self) -> RetryPolicy:
        return retry_policy(self.max_retries, self.max_retry_seconds)

    def _overrides(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the call overrides.

        Raises:
            InvalidInputError: An argument that this model does not know.
        """
        given = {key: value for key, value in kwargs.items() if key not in {"stream", "stream_usage"}}
        if stop:
            given["stop"] = stop
        unknown = sorted(given.keys() - self.call_options)
        if unknown:
            raise InvalidInputError(
                f"`{type(self).__name__}` does not take `{'`, `'.join(unknown)}` in a call; it takes "
                f"`{'`, `'.join(sorted(self.call_options))}`. Nothing was sent."
            )
        return given

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_model_errors():
            plan = self._reply(messages, self._overrides(stop, kwargs))
            return self._result(self._clients.driver.run(plan))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_model_errors():
            plan = self._reply(messages, self._overrides(stop, kwargs))
            return self._result(await self._clients.async_driver.run(plan))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with as_model_errors():
            plan, chunk_of = self._stream_of(messages, self._overrides(stop, kwargs))
            with closing(self._clients.driver.stream(plan)) as deltas:
                for delta in deltas:
                    chunk = chunk_of(delta)
                    if run_manager:
                        run_manager.on_llm_new_token(delta.text, chunk=chunk)
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with as_model_errors():
            plan, chunk_of = self._stream_of(messages, self._overrides(stop, kwargs))
            async with aclosing(self._clients.async_driver.stream(plan)) as deltas:
                async for delta in deltas:
                    chunk = chunk_of(delta)
                    if run_manager:
                        await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                    yield chunk

    def _reply(self, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> Plan[ChatDelta]:
        from langchain_rivya.chat_models.messages import to_core

        return self._wire(options).reply(to_core(messages))

    def _stream_of(
        self, messages: Sequence[BaseMessage], options: Mapping[str, Any]
    ) -> tuple[Plan[Streaming[ChatDelta]], Callable[[ChatDelta], ChatGenerationChunk]]:
        """Return the plan of a streamed reply, and what makes its deltas chunks."""
        from langchain_rivya.chat_models.messages import to_core
        from langchain_rivya.chat_models.responses import to_generation_chunk

        return self._wire(options).stream(to_core(messages)), partial(to_generation_chunk, self.provider.name)

    def _result(self, delta: ChatDelta) -> ChatResult:
        from langchain_rivya.chat_models.responses import to_message

        return ChatResult(generations=[ChatGeneration(message=to_message(delta, self.provider.name))])

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        """A reply from the cache was not given in any session and costs nothing, so it points to none and says so."""
        generations = super()._convert_cached_generations(cache_val)
        for generation in generations:
            told = generation.message.response_metadata.items()
            facts = {key: value for key, value in told if key not in {POINTER_KEY, "credits"}}
            generation.message = generation.message.model_copy(update={"response_metadata": facts})
        return generations

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any] | None = None,
    ) -> int:
        """Return an estimate of the tokens in *messages*, made offline at about four characters a token."""
        return count_tokens_approximately(messages, tools=cast("Any", list(tools)) if tools else None)

    def get_num_tokens(self, text: str) -> int:
        """Return an estimate of the tokens in *text*, made offline at about four characters a token."""
        return -(-len(text) // 4)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = self.provider.name
        params["ls_model_name"] = kwargs.get("model") or self.model
        return params

    @property
    def _llm_type(self) -> str:
        return f"{self.provider.name}-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "base_url": where(self.provider, self.base_url)}

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where a serialised model finds its key again."""
        return {"api_key": self.provider.key_variable or "COMPATIBLE_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return that the model can be written with `dumpd` and read back with `load`."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return where `load` finds the class."""
        return ["langchain_rivya", "chat_models"]

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the key out of pickles; where one is read, it is found in the process or the environment again."""
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        key = fields.pop("api_key", None)
        fields["api_key"] = keys.register(key) if key else None
        return {**state, "__dict__": fields}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        fields = dict(state["__dict__"])
        fields["api_key"] = keys.lookup(fields["api_key"])
        super().__setstate__({**state, "__dict__": fields})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A model has no state to part with; copies share clients and ledger."""
        return self.model_copy()


def _aliases(field: FieldInfo) -> list[str]:
    """The other names under which a field may be given."""
    given = field.validation_alias
    choices = given.choices if isinstance(given, AliasChoices) else [given]
    return [name for name in [field.alias, *choices] if isinstance(name, str)]
