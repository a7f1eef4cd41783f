"""Replies as objects: what `with_structured_output` puts behind a model.

Replies are read by `rivya_core.structured`; here are LangChain's messages and streams. Everything that is not the
object is an error that says what came instead; nothing becomes a silent None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import StructuredTool

from langchain_rivya.chat_models.tools import schema_like
from langchain_rivya.errors import OutputError, RefusalError
from rivya_core.adapters.prompting import text_that_counts
from rivya_core.errors import InvalidInputError
from rivya_core.structured.growing import GrowingObject
from rivya_core.structured.reply_reader import Reply, ReplyError, read_reply, read_text, so_far
from rivya_core.structured.schemas import Schema, schema_of
from rivya_core.structured.wire_forms import tool_name

Method = Literal["function_calling", "json_schema", "json_mode", "prompted"]
ADVICE: Mapping[str, str] = {
    "json_schema": 'If the server ignores `response_format`, pass `method="function_calling"`.',
    "json_mode": "The prompt must describe the object.",
    "function_calling": 'If the model does not call tools, pass `method="json_schema"`.',
}
"""What to try if a method does not give an object."""


class StructuredOutputParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads an object of a schema out of a reply.

    While a reply streams, dicts grow by values that are complete. Instances of classes come when they are whole,
    because defaults would stand for what has not arrived.
    """

    wanted: Any
    """Pydantic class, TypedDict, dataclass or JSON schema."""
    method: Method | None = None
    """How the object is asked for."""
    offered: Sequence[str] = ()
    """Names of further tools. A reply that calls them is not an error: it is passed on as the message that it is."""
    include_raw: bool = False
    """Whether the message is returned separately, so that the result is None for a reply that calls further tools."""

    @cached_property
    def schema_(self) -> Schema:
        """The schema, as it is sent and read."""
        return schema_of(schema_like(self.wanted))

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out the schema: it holds functions, and it can be made again."""
        state = super().__getstate__()
        return {**state, "__dict__": {key: value for key, value in state["__dict__"].items() if key != "schema_"}}

    def parse(self, text: str) -> Any:
        """Return the object in *text*."""
        try:
            return read_text(self.schema_, text)
        except ReplyError as error:
            raise OutputError(f"No structured output: {error}.", text=text) from error

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object in a reply, or the part of it so far if *partial* and the reply is incomplete.

        Raises:
            OutputError: The complete reply holds no object of the schema; the message says what it holds. If
                the model refused, it is also LangChain's `ModelRefusalError`.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        if partial and not _is_complete(message):
            return self._growing(message, generation.text)
        return self.parse(generation.text) if message is None else self._whole(message)

    def _whole(self, message: BaseMessage) -> Any:
        reply = reply_of(message)
        if reply.refusal:
            raise RefusalError(f"No structured output: the model refused: {reply.refusal}", message, text=reply.refusal)
        called = {name for name, _ in reply.calls}
        if called and called <= set(self.offered):
            return None if self.include_raw else message
        try:
            return read_reply(self.schema_, reply, by_tool=self._by_tool)
        except ReplyError as error:
            raise OutputError(self._advised(error), message, text=reply.text) from error

    @property
    def _by_tool(self) -> bool:
        """Whether the object is asked for as the arguments of a tool."""
        return self.method == "function_calling"

    def _advised(self, error: ReplyError) -> str:
        advice = ADVICE.get(self.method or "")
        return f"{error} The object was asked for with `method={self.method!r}`. {advice}" if advice else str(error)

    def _growing(self, message: BaseMessage | None, text: str) -> Any:
        if isinstance(self.wanted, type) and not issubclass(self.wanted, dict):
            return None
        if not self._by_tool:
            return so_far(self.schema_, GrowingObject(in_prose=True).feed(text))
        for chunk in getattr(message, "tool_call_chunks", ()):
            if chunk["name"] == self.schema_.name:
                return so_far(self.schema_, GrowingObject().feed(chunk["args"] or ""))
        return None

    @property
    def _type(self) -> str:
        return "rivya-structured-output"


def structured_output(
    schema: Any, method: Method, tools: Sequence[Mapping[str, Any]], *, strict: bool | None
) -> tuple[dict[str, Any], StructuredOutputParser]:
    """Return the options that ask for an object of *schema*, and what reads it.

    Args:
        schema: The class or schema of the object.
        method: How the object is requested.
        tools: Further tools, as they are sent.
        strict: Whether the object must fit exactly; None to send nothing.

    Raises:
        InvalidInputError: The schema is invalid or has no strict form, or one of *tools* has its name.
    """
    wanted = schema_of(schema_like(schema))
    names = [name for tool in tools if (name := tool_name(tool))]
    parser = StructuredOutputParser(wanted=schema, method=method, offered=names)
    told = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    if method == "function_calling":
        if wanted.name in names:
            raise InvalidInputError(
                f"A tool has the name of the schema, `{wanted.name}`. Rename one of them, or use "
                '`method="json_schema"`. Nothing was sent.'
            )
        choice: Any = "required" if tools else {"type": "function", "function": {"name": wanted.name}}
        own = {"tools": [wanted.function(strict=strict), *tools], "tool_choice": choice}
    else:
        asked = _form(method, schema, wanted, strict=strict)
        own = {"response_format": asked, **({"tools": list(tools)} if tools else {})}
    return {**own, "ls_structured_output_format": told}, parser


def _form(method: Method, schema: Any, wanted: Schema, *, strict: bool | None) -> Any:
    """What is passed as `response_format`; in words the class itself goes along, so that its validators are heard."""
    if method == "prompted":
        return schema_like(schema)
    return {"type": "json_object"} if method == "json_mode" else wanted.response_format(strict=strict)


def with_parser(
    model: Runnable[LanguageModelInput, Any], parser: StructuredOutputParser, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """Return *model* followed by *parser*; with *include_raw* its dict of `raw`, `parsed` and `parsing_error`."""
    if not include_raw:
        return model | parser
    silent = parser.model_copy(update={"include_raw": True})
    parsed: Runnable[Any, Any] = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | silent, parsing_error=lambda _: None
    )
    failed: Runnable[Any, Any] = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def needs_call(tools: Sequence[Any]) -> bool:
    """Whether an agent with *tools* ends at a reply without a call, although it wants structured output.

    `ToolStrategy` offers the schema as a tool without a function. If it is the only tool, the agent itself asks again.
    """
    schemas = [one for one in tools if isinstance(one, StructuredTool) and one.func is None and one.coroutine is None]
    return 0 < len(schemas) < len(tools)


def with_call(message: AIMessage) -> AIMessage:
    """Return a reply that calls a tool.

    Raises:
        OutputError: It calls none; the message says what it does instead.
    """
    if message.tool_calls:
        return message
    wrong = [
        str(call.get("error") or "the arguments of a call are not a JSON object") for call in message.invalid_tool_calls
    ]
    why = "; ".join(wrong) or "it calls no tool, and a call is required"
    raise OutputError(f"No structured output: {why}. Reply: {message.text[:500]!r}", message, text=message.text)


def reply_of(message: BaseMessage) -> Reply:
    """Return what *message* says, as the reader of replies takes it."""
    facts = message.response_metadata if isinstance(message.response_metadata, Mapping) else {}
    return Reply(
        text=text_that_counts(facts, message.text),
        calls=tuple((call["name"], call["args"]) for call in getattr(message, "tool_calls", ())),
        invalid_calls=tuple((c["name"] or "", c["args"] or "") for c in getattr(message, "invalid_tool_calls", ())),
        refusal=str(message.additional_kwargs.get("refusal") or ""),
        cut=facts.get("finish_reason") == "length",
    )


def _is_complete(message: BaseMessage | None) -> bool:
    """Whether a message in a stream is a whole reply; a model that does not stream gives one that is not a chunk."""
    if isinstance(message, AIMessageChunk):
        return message.chunk_position == "last"
    return message is not None
