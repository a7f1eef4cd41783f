"""How an object is requested and read: by a response format, by a required tool call, or in the prompt. Pure.

`rivya_core.structured` reads the replies. A reply that is incomplete, refused, ambiguous or does not fit raises
`OutputError`; it never returns a partial object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock
from llama_index.core.program.utils import create_flexible_model
from pydantic import BaseModel, RootModel, ValidationError

from llamaindex_rivya.errors import OutputError, RefusalError
from rivya_core.adapters.prompting import text_that_counts
from rivya_core.extras import LazyModule
from rivya_core.structured.schemas import Schema, schema_of

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from llamaindex_rivya.llms import messages as inputs
    from llamaindex_rivya.llms import tool_calls
    from rivya_core.prompted import prompt as prompts
    from rivya_core.structured import checks, reply_reader
else:
    inputs, tool_calls = LazyModule("llamaindex_rivya.llms.messages"), LazyModule("llamaindex_rivya.llms.tool_calls")
    prompts = LazyModule("rivya_core.prompted.prompt")
    checks, reply_reader = LazyModule("rivya_core.structured.checks"), LazyModule("rivya_core.structured.reply_reader")

OutputModeName = Literal["auto", "native", "tool", "prompted"]
ADVICE = {
    "native": "If the server ignores `response_format`, set `output_mode` to 'auto', 'tool' or 'prompted'.",
    "tool": "If the model does not call tools, set `output_mode='prompted'`.",
    "prompted": "A model that follows schemas more closely may be asked with `output_mode` 'native' or 'tool'.",
}
"""What to try if a mode does not give an object."""


class NotEnforcedError(OutputError):
    """The reply shows that the server ignores the response format."""


@dataclass(frozen=True)
class OutputMode:
    """How an object of a class is requested.

    Attributes:
        name: `native` (a response format), `tool` (a tool that must be called) or `prompted` (in words).
        output_cls: The pydantic class.
        by_wire: Whether the wire says the words, and asks once more for a reply that does not fit.
    """

    name: OutputModeName
    output_cls: type[BaseModel]
    by_wire: bool = False

    @cached_property
    def schema(self) -> Schema:
        """The class as it is sent and read."""
        return schema_of(self.output_cls)

    @cached_property
    def options(self) -> dict[str, Any]:
        """Options of the call."""
        if self.name == "prompted":
            return {"response_format": self.output_cls} if self.by_wire else {}
        if self.name == "native":
            return {"response_format": self.schema.response_format()}
        tool = self.schema.function()
        tool["function"]["description"] = self.schema.description or f"Give the {self.schema.name}."
        return {"tools": [tool], "tool_choice": {"type": "function", "function": {"name": self.schema.name}}}

    def messages(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """Return *messages*, with the instruction of the prompted mode; the caller's messages do not change."""
        if self.name != "prompted" or self.by_wire or not messages:
            return list(messages)
        words = f"\n{prompts.answer_words(self.schema)}"
        blocks = [*messages[-1].blocks, TextBlock(text=words)]
        return [*messages[:-1], messages[-1].model_copy(update={"blocks": blocks})]

    def read(self, response: ChatResponse) -> Any:
        """Return the object in a complete reply.

        Raises:
            OutputError: The reply holds no object, or several.
            RefusalError: The model refused.
            NotEnforcedError: The server ignored the response format.
        """
        reply = reply_of(response)
        if reply.refusal:
            raise RefusalError(f"No structured output: the model refused: {reply.refusal}", text=reply.refusal)
        try:
            return reply_reader.read_reply(self.schema, reply, by_tool=self.name == "tool")
        except reply_reader.ReplyError as error:
            kind = NotEnforcedError if self._is_ignored(reply, error) else OutputError
            message = f"{error} The object was asked for with `output_mode={self.name!r}`. {ADVICE[self.name]}"
            raise kind(message, text=reply.text) from error

    def growing(self, value: Any) -> BaseModel | None:
        """Return the part of an incomplete object that can be shown, or None.

        It is an instance of the class if nothing in it is a default, which may stand for what has not arrived. Else it
        is LlamaIndex's flexible model of the class, in which such fields are None.
        """
        found = reply_reader.so_far(self.schema, value)
        if found is None:
            return None
        try:
            whole = self.output_cls.model_validate(found)
        except ValidationError:
            whole = None
        if whole is not None and _is_filled(whole):
            return whole
        return None if issubclass(self.output_cls, RootModel) else self._flexible.model_validate(found)

    @cached_property
    def _flexible(self) -> type[BaseModel]:
        return create_flexible_model(self.output_cls)

    def _is_ignored(self, reply: "reply_reader.Reply", error: "reply_reader.ReplyError") -> bool:
        """Whether a whole reply in the native mode holds nothing that fits the schema which the server was given."""
        if self.name != "native" or reply.cut or reply.calls or reply.invalid_calls or not reply.text.strip():
            return False
        return not any(_fits(value, self.schema) for value in error.candidates)


def reply_of(response: ChatResponse) -> "reply_reader.Reply":
    """Return a response in the form that the reader of replies takes."""
    message, raw = response.message, response.raw if isinstance(response.raw, Mapping) else {}
    calls = inputs.tool_calls_of(message)
    broken = tool_calls.invalid_calls(message, calls)
    return reply_reader.Reply(
        text=text_that_counts(raw, message.content or ""),
        calls=tuple((call.name, call.arguments) for call in calls if call not in broken),
        invalid_calls=tuple((call.name, call.arguments) for call in broken),
        refusal=str(raw.get("refusal") or ""),
        cut=raw.get("finish_reason") == "length",
    )


def _fits(value: Any, schema: Schema) -> bool:
    try:
        checks.check_json(value, schema.parameters)
    except checks.MismatchError:
        return False
    return True


def _is_filled(value: Any) -> bool:
    """Whether no field of a model, at any depth, has its default."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return value.model_fields_set >= fields.keys() and all(_is_filled(getattr(value, name)) for name in fields)
    if isinstance(value, Mapping):
        return all(map(_is_filled, value.values()))
    return all(map(_is_filled, value)) if isinstance(value, (list, tuple, set)) else True
