"""Structured prediction: one object out of a reply, whole or streamed.

Models differ in the `OutputMode` in which they are asked. The caller's prompt, keywords and messages stay as they were,
the model's `system_prompt` comes first, and each call is one call of the model.
"""

import logging
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel

from llamaindex_rivya.errors import InvalidInputError, OutputError
from llamaindex_rivya.llms.output_modes import NotEnforcedError, OutputMode, OutputModeName
from rivya_core.extras import LazyModule

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from llamaindex_rivya.llms import messages as inputs
    from rivya_core.structured import growing
else:
    inputs, growing = LazyModule("llamaindex_rivya.llms.messages"), LazyModule("rivya_core.structured.growing")

OURS = (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM)
"""Program modes that are carried out here; the others are programs of other packages."""
PROGRAM_KEYWORDS = frozenset({"tool_required", "tool_choice", "allow_parallel_tool_calls"})
"""Arguments of LlamaIndex's own programs; an output mode sets these itself."""

dispatcher = get_dispatcher(__name__)
logger = logging.getLogger("rivya.structured")


class StructuredPrediction(LLM):
    """`structured_predict` and its variants."""

    @abstractmethod
    def _output_modes(
        self, output_cls: type[BaseModel], wanted: OutputModeName | None, options: Mapping[str, Any]
    ) -> Sequence[OutputMode]:
        """Return how the model is asked for an object: the first way, and what follows if the server ignores it.

        Args:
            output_cls: The class of the object.
            wanted: What the call asks for; None for the model's own setting.
            options: Further options of the call.
        """

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* out of the reply to *prompt*.

        Raises:
            OutputError: The reply holds no such object, or several.
        """
        if self.pydantic_program_mode not in OURS:
            return super().structured_predict(output_cls, prompt.model_copy(), dict(llm_kwargs or {}), **prompt_args)
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        _report_start(output_cls, prompt, prompt_args)
        while not asking.read(self.chat(asking.messages, **asking.options)):
            pass
        return _reported(asking.found)

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* out of the reply to *prompt*.

        Raises:
            OutputError: The reply holds no such object, or several.
        """
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return await super().astructured_predict(output_cls, prompt.model_copy(), copied, **prompt_args)
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        _report_start(output_cls, prompt, prompt_args)
        while not asking.read(await self.achat(asking.messages, **asking.options)):
            pass
        return _reported(asking.found)

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return super()._structured_stream_call(output_cls, prompt.model_copy(), copied, **prompt_args)
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        return self._objects(asking, self.stream_chat(asking.messages, **asking.options))

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        if self.pydantic_program_mode not in OURS:
            copied = dict(llm_kwargs or {})
            return await super()._structured_astream_call(output_cls, prompt.model_copy(), copied, **prompt_args)
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        return self._aobjects(asking, await self.astream_chat(asking.messages, **asking.options))

    def _asking(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: Mapping[str, Any] | None, prompt_args: Mapping[str, Any]
    ) -> "_Asking":
        if not isinstance(prompt, BasePromptTemplate):
            kind = prompt.__name__ if isinstance(prompt, type) else type(prompt).__name__
            raise InvalidInputError(
                f"The prompt must be a template such as `PromptTemplate(text)`, not {kind}. Nothing was sent."
            )
        given = {key: value for key, value in (llm_kwargs or {}).items() if key not in PROGRAM_KEYWORDS}
        modes = self._output_modes(output_cls, given.pop("output_mode", None), given)
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        return _Asking(modes, messages, given, self._note_ignored)

    def _note_ignored(self, options: Mapping[str, Any]) -> None:
        """Remember that the server ignores response formats of a call with these *options*."""

    def _objects(self, asking: "_Asking", stream: Generator[ChatResponse, None, None]) -> Generator[Any, None, None]:
        while True:
            with closing(stream):
                for response in stream:
                    yield from asking.add(response)
            yield from asking.finish()
            if asking.found is not None:
                return
            stream = self.stream_chat(asking.messages, **asking.options)

    async def _aobjects(
        self, asking: "_Asking", stream: AsyncGenerator[ChatResponse, None]
    ) -> AsyncGenerator[Any, None]:
        while True:
            async with aclosing(stream):
                async for response in stream:
                    for found in asking.add(response):
                        yield found
            for found in asking.finish():
                yield found
            if asking.found is not None:
                return
            stream = await self.astream_chat(asking.messages, **asking.options)


class _Asking:
    """One object that is asked for, if need be in more than one mode. No input and output.

    Args:
        modes: The ways of asking, in order; the next one is taken if the server ignores the response format.
        messages: The caller's messages.
        options: The caller's options.
        note_ignored: Called with *options* if the server ignores it.

    Attributes:
        found: The object; None until it is read.
    """

    def __init__(
        self,
        modes: Sequence[OutputMode],
        messages: Sequence[ChatMessage],
        options: Mapping[str, Any],
        note_ignored: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._modes, self._given, self._options = list(modes), messages, options
        self._note_ignored = note_ignored
        self.found: Any = None
        self._first = ""
        self._last: BaseModel | None = None
        self._response: ChatResponse | None = None
        self._value: Any = None
        self._begin()

    @property
    def messages(self) -> list[ChatMessage]:
        """The messages to send next."""
        return self._modes[0].messages(self._given)

    @property
    def options(self) -> dict[str, Any]:
        """The options to send them with."""
        return {**self._options, **self._modes[0].options}

    def read(self, response: ChatResponse) -> bool:
        """Read a complete reply and return whether it holds the object; if not, the next mode is to be tried.

        Raises:
            OutputError: It does not, and there is no other way of asking, or part of it was shown already.
        """
        try:
            self.found = self._modes[0].read(response)
        except OutputError as error:
            may_go_on = isinstance(error, NotEnforcedError) and len(self._modes) > 1 and self._last is None
            if not may_go_on:
                raise self._with_first(error) from error.__cause__
            logger.warning("The server ignores `response_format`, so objects are asked for in words. %s", error)
            self._first = str(error)
            self._note_ignored(self._options)
            del self._modes[0]
            self._begin()
        return self.found is not None

    def _with_first(self, error: OutputError) -> OutputError:
        """The error, with the outcome of the mode that was tried first."""
        return type(error)(f"{error} Before that: {self._first}", text=error.text) if self._first else error

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """Take the next piece of a streamed reply and yield what there is of the object, if that is new."""
        self._response = response
        value = self._growing.feed(self._new_piece(response))
        found = self._modes[0].growing(value) if value is not None and value != self._value else None
        self._value = value
        yield from self._new(found)

    def finish(self) -> Iterator[BaseModel]:
        """Yield the object of a streamed reply that is complete."""
        if self._response is None or self.read(self._response):
            yield from self._new(self.found)

    def _begin(self) -> None:
        self._growing = growing.GrowingObject(in_prose=self._modes[0].name != "tool")
        self._heard, self._value, self._response = 0, None, None

    def _new_piece(self, response: ChatResponse) -> str:
        """What a piece adds to the text, or to the arguments of the tool's call."""
        if self._modes[0].name != "tool":
            return response.delta or ""
        calls = inputs.tool_calls_of(response.message)
        own = next((call.arguments for call in calls if call.name == self._modes[0].schema.name), "")
        new, self._heard = own[self._heard :], len(own)
        return new

    def _new(self, found: BaseModel | None) -> Iterator[BaseModel]:
        if found is not None and found != self._last:
            self._last = found
            yield found


def _report_start(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _reported(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
