"""Structured prediction: one object out of a reply, whole or streamed.

Models differ in the `OutputMode` in which they are asked. The caller's prompt, keywords and messages stay as they were,
the model's `system_prompt` comes first, and each call is one call of the model.
"""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms.llm import LLM
from llama_index.core.types import PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel

from llamaindex_rivya.llms.output_modes import OutputMode

OURS = (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM)
"""Program modes that are carried out here; the others are programs of other packages."""
PROGRAM_KEYWORDS = frozenset({"tool_required", "tool_choice", "allow_parallel_tool_calls"})
"""What callers pass for LlamaIndex's own programs; a form says these things itself."""

dispatcher = get_dispatcher(__name__)


class StructuredPrediction(LLM):
    """`structured_predict` and its siblings."""

    @abstractmethod
    def _form(self, output_cls: type[BaseModel], options: Mapping[str, Any]) -> OutputMode:
        """Return how this model is best asked for an object."""

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* out of the reply to *prompt*; raise `OutputError` if the reply is none."""
        if self.pydantic_program_mode not in OURS:
            return super().structured_predict(output_cls, prompt.model_copy(), dict(llm_kwargs or {}), **prompt_args)
        _report_start(output_cls, prompt, prompt_args)
        form, messages, options = self._ask(output_cls, prompt, llm_kwargs, prompt_args)
        return _reported(form.read(self.chat(messages, **options)))

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* out of the reply to *prompt*; raise `OutputError` if the reply is none."""
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return await super().astructured_predict(output_cls, prompt.model_copy(), copied, **prompt_args)
        _report_start(output_cls, prompt, prompt_args)
        form, messages, options = self._ask(output_cls, prompt, llm_kwargs, prompt_args)
        return _reported(form.read(await self.achat(messages, **options)))

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return super()._structured_stream_call(output_cls, prompt.model_copy(), copied, **prompt_args)
        form, messages, options = self._ask(output_cls, prompt, llm_kwargs, prompt_args)
        return _objects(form, self.stream_chat(messages, **options))

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return await super()._structured_astream_call(output_cls, prompt.model_copy(), copied, **prompt_args)
        form, messages, options = self._ask(output_cls, prompt, llm_kwargs, prompt_args)
        return _aobjects(form, await self.astream_chat(messages, **options))

    def _ask(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: Mapping[str, Any] | None, prompt_args: Mapping[str, Any]
    ) -> tuple[OutputMode, list[ChatMessage], dict[str, Any]]:
        given = {key: value for key, value in (llm_kwargs or {}).items() if key not in PROGRAM_KEYWORDS}
        form = self._form(output_cls, given)
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        return form, form.messages(messages), {**given, **form.options}


class _Growing:
    """The objects of one streamed reply, each different from the one before."""

    def __init__(self, form: OutputMode) -> None:
        self._form = form
        self._last: BaseModel | None = None
        self._response: ChatResponse | None = None

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        self._response = response
        yield from self._new(self._form.so_far(response))

    def finish(self) -> Iterator[BaseModel]:
        if self._response is not None:
            yield from self._new(self._form.read(self._response))

    def _new(self, found: BaseModel | None) -> Iterator[BaseModel]:
        if found is not None and found != self._last:
            self._last = found
            yield found


def _objects(form: OutputMode, stream: Generator[ChatResponse, None, None]) -> Generator[Any, None, None]:
    growing = _Growing(form)
    with closing(stream):
        for response in stream:
            yield from growing.add(response)
        yield from growing.finish()


async def _aobjects(form: OutputMode, stream: AsyncGenerator[ChatResponse, None]) -> AsyncGenerator[Any, None]:
    growing = _Growing(form)
    async with aclosing(stream):
        async for response in stream:
            for found in growing.add(response):
                yield found
        for found in growing.finish():
            yield found


def _report_start(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _reported(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
