"""The base of all chat models of this package: fields, clients, and LangChain's hooks.

A subclass provides the wire of a call (`_wire`) and the options that a call may override. The hooks below are the same
for all subclasses; sync and async differ only in the driver. The first call imports what only calls need.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig
from pydantic import model_validator
from typing_extensions import Self

from langchain_rivya.errors import InvalidInputError, as_model_errors
from rivya_core import __version__
from rivya_core.adapters.arguments import CALL_NAMES
from rivya_core.adapters.connection import Connection
from rivya_core.extras import LazyModule
from rivya_core.http.secrets import mask_headers, plain
from rivya_core.sessions.modes import POINTER_KEY

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from langchain_rivya.chat_models import messages as inputs
    from langchain_rivya.chat_models import responses
    from rivya_core.chat_stream import Wire
    from rivya_core.http.plan import Plan, Streaming
    from rivya_core.types import ChatDelta
else:
    inputs = LazyModule("langchain_rivya.chat_models.messages")
    responses = LazyModule("langchain_rivya.chat_models.responses")

T = TypeVar("T")
NOT_CACHED = frozenset({POINTER_KEY, "credits", "session_id", "session_route", "previous_response_id", "long_replay"})
"""Metadata about a reply's own call; a reply from a cache does not have them."""


class HTTPChatModel(Connection, BaseChatModel):
    """Base of the chat models; do not use it directly."""

    class_prefix: ClassVar[str] = "Chat"
    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("complete", "chat", "predict", "predict_messages", "call_as_llm"), "use `invoke`"),
        **dict.fromkeys(("acomplete", "achat", "apredict"), "use `ainvoke`"),
        **dict.fromkeys(("stream_chat", "stream_complete"), "use `stream`"),
        **dict.fromkeys(("astream_chat", "astream_complete"), "use `astream`"),
        **dict.fromkeys(("as_structured_llm", "structured_predict"), "use `with_structured_output`"),
        "chat_with_tools": "use `bind_tools`",
    }

    streaming: bool = False
    """Set to True to stream even in `invoke`, or to False to never stream."""

    @abstractmethod
    def _wire(self, options: Mapping[str, Any]) -> Wire:
        """Return the wire that sends a call with these overrides."""

    @model_validator(mode="after")
    def _add_rivya_version(self) -> Self:
        self._add_version("rivya-integrations", __version__)
        return self

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        """Return *model_input* as a prompt; what LangChain cannot read is an error of this package, too."""
        try:
            return super()._convert_input(model_input)
        except (ValueError, TypeError, NotImplementedError) as error:
            said = str(error).partition("\n")[0].rstrip(".")
            raise InvalidInputError(f"{said}. Pass text, or a list of messages. Nothing was sent.") from error

    def _execute(self, plan: Plan[T]) -> T:
        with as_model_errors():
            return super()._execute(plan)

    async def _aexecute(self, plan: Plan[T]) -> T:
        with as_model_errors():
            return await super()._aexecute(plan)

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - the name is LangChain's
        config: RunnableConfig | None = None,
        *,
        stop: Any = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the reply to *input*; see `BaseChatModel.invoke`."""
        return super().invoke(input, config, stop=stop, **_call_options(kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: Any = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the reply to *input*; see `BaseChatModel.ainvoke`."""
        return await super().ainvoke(input, config, stop=stop, **_call_options(kwargs))

    if not TYPE_CHECKING:  # the type of the result differs between versions of LangChain

        def bind(self, **kwargs: Any) -> Any:
            """Return this model with options for every call; no repr or dump shows the values of `extra_headers`."""
            return super().bind(**mask_headers(kwargs))

    def _overrides(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that the call overrides.

        Raises:
            InvalidInputError: The model has no such option.
        """
        if not (kwargs or stop):
            return {}
        given = {key: value for key, value in kwargs.items() if key not in {"stream", "stream_usage"}}
        if stop:
            given["stop"] = stop
        return self._read_call(given)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_model_errors():
            plan = self._reply(messages, self._overrides(stop, kwargs))
            return responses.to_result(self._clients.driver.run(plan), self.provider.name)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_model_errors():
            plan = self._reply(messages, self._overrides(stop, kwargs))
            return responses.to_result(await self._clients.async_driver.run(plan), self.provider.name)

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
        return self._followed(self._wire(options), options).reply(inputs.to_core(messages))

    def _stream_of(
        self, messages: Sequence[BaseMessage], options: Mapping[str, Any]
    ) -> tuple[Plan[Streaming[ChatDelta]], Callable[[ChatDelta], ChatGenerationChunk]]:
        """Return the plan of a streamed reply, and the function that turns its deltas into chunks."""
        wire = self._followed(self._wire(options), options)
        expects_blocks = self._asks_for_sources(options)
        writer = responses.ChunkWriter(self.provider.name, self.output_version, expects_blocks=expects_blocks)
        return wire.stream(inputs.to_core(messages)), writer.chunk

    def _asks_for_sources(self, _options: Mapping[str, Any], /) -> bool:
        """Whether a reply to a call with these options probably cites sources."""
        return False

    def _combine_llm_outputs(self, _llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        return responses.combined_output(_llm_outputs)

    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        """Mark a reply from the cache as `cached`; it belongs to no session and costs nothing."""
        generations = super()._convert_cached_generations(cache_val)
        for generation in generations:
            found = generation.message.response_metadata.items()
            facts = {key: value for key, value in found if key not in NOT_CACHED}
            update = {"response_metadata": {**facts, "cached": True}}
            generation.message = generation.message.model_copy(update=update)
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

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Options of a call for traces. LangChain's own method sets a warnings filter at every call."""
        own = self._identifying_params
        own |= {"_type": self._llm_type, "stop": own.get("stop") if stop is None else stop}
        if not kwargs:
            return own
        given = mask_headers(kwargs)
        renamed = {CALL_NAMES[name]: value for name, value in given.items() if name in CALL_NAMES}
        return {**own, **given, **renamed}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Key of a reply in a cache. It holds no header values, but still differs between accounts."""
        headers = {**self.default_headers, **plain(kwargs.pop("extra_headers", None) or {})}
        written = super()._get_llm_string(stop=stop, **kwargs)
        return f"{written}---{_digest(headers)}" if headers else written

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
        return {"model": self.model, "base_url": self.base_url}

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Environment variables from which a restored model reads its key."""
        return {"api_key": self.provider.stored_key_variable}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Values of a serialised model in place of those that cannot or must not be written."""
        written = self.model_dump(include={"default_headers", "default_query", "timeout"}, exclude_defaults=True)
        return {name: value for name, value in written.items() if value}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return that the model can be written with `dumpd` and read back with `load`."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return where `load` finds the class."""
        return ["langchain_rivya", "chat_models"]


for _hook in (HTTPChatModel._generate, HTTPChatModel._agenerate):  # noqa: SLF001 - LangChain inspects both at every call
    setattr(_hook, "__signature__", signature(_hook))  # noqa: B010


def _call_options(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call as core takes them: `metadata` is a name of its own there."""
    given = mask_headers(kwargs) if "extra_headers" in kwargs else dict(kwargs)
    if "metadata" in given:
        given["request_metadata"] = given.pop("metadata")
    return given


def _digest(headers: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(headers.items())).encode()).hexdigest()
