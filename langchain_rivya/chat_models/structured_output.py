"""Replies as objects: what `with_structured_output` puts behind a model.

One parser reads the object wherever it is, in a tool call or in the text, whole or streamed. Everything that is not
the object is an error that says what came instead; nothing becomes a silent None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.json import parse_partial_json
from pydantic import ValidationError

from langchain_rivya.chat_models.tools import is_model_class

Method = Literal["function_calling", "json_schema", "json_mode"]
FENCE = re.compile(r"```[a-zA-Z0-9_-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)


class StructuredOutputParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads an object of a schema out of a reply.

    While a reply streams, objects appear as far as they are complete; a pydantic class only once it is valid.
    """

    wanted: Any
    """Pydantic class, TypedDict or JSON schema."""
    tool_name: str | None = None
    """The tool whose arguments are the object, or None where the text is."""

    def parse(self, text: str) -> Any:
        """Return the object in *text*."""
        return self._checked(self._from_text(text), text)

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object in a reply, or what there is of it while *partial* and the reply goes on.

        Raises:
            OutputParserException: The complete reply holds no object of the schema; the message says what it holds.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        if partial and not (isinstance(message, AIMessageChunk) and message.chunk_position == "last"):
            return self._so_far(message, generation.text)
        if message is None:
            return self.parse(generation.text)
        return self._whole(message)

    def _whole(self, message: Any) -> Any:
        text = message.text
        self._refuse_refusals(message)
        for call in getattr(message, "tool_calls", ()):
            if self.tool_name in (None, call["name"]):
                return self._checked(call["args"], json.dumps(call["args"]))
        invalid = getattr(message, "invalid_tool_calls", ())
        if invalid:
            self._fail(f"the arguments of its tool call are not valid JSON: {invalid[0]['args']!r}", text, message)
        if not text.strip():
            self._fail("the reply is empty", text, message)
        return self._checked(self._from_text(text, message), text)

    def _so_far(self, message: Any, text: str) -> Any:
        calls = getattr(message, "tool_calls", ()) if message is not None else ()
        found = next((call["args"] for call in calls if self.tool_name in (None, call["name"])), None)
        if found is None and not getattr(message, "tool_call_chunks", ()):
            found = _partial(text)
        if not isinstance(found, dict):
            return None
        try:
            return self._checked(found, text)
        except OutputParserException:
            return None

    def _from_text(self, text: str, message: Any = None) -> Any:
        bare = _bare(text)
        try:
            value = json.loads(bare)
        except ValueError:
            value = self._fail(
                "the reply is text, not JSON" if "{" not in bare else "its JSON is broken", text, message
            )
        if not isinstance(value, dict):
            self._fail(f"the reply is the JSON value {json.dumps(value)[:80]}, not an object", text, message)
        return value

    def _checked(self, value: Any, text: str) -> Any:
        if not is_model_class(self.wanted):
            return value
        read = getattr(self.wanted, "model_validate", None) or self.wanted.parse_obj
        try:
            return read(value)
        except (ValidationError, ValueError) as exc:
            raise OutputParserException(
                f"The reply does not fit `{self.wanted.__name__}`: {exc}", llm_output=text
            ) from exc

    def _refuse_refusals(self, message: Any) -> None:
        refusal = message.additional_kwargs.get("refusal")
        if refusal:
            self._fail(f"the model refused: {refusal}", str(refusal), message)

    def _fail(self, what: str, text: str, message: Any) -> Any:
        reason = message.response_metadata.get("finish_reason") if isinstance(message, AIMessage) else None
        cut = " It was cut off at the token limit; raise `max_tokens`." if reason == "length" else ""
        raise OutputParserException(f"No structured output: {what}.{cut} Reply: {text[:500]!r}", llm_output=text)

    @property
    def _type(self) -> str:
        return "rivya-structured-output"


def with_parser(
    model: Runnable[LanguageModelInput, Any], parser: StructuredOutputParser, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """Return *model* followed by *parser*; with *include_raw* its dict of `raw`, `parsed` and `parsing_error`."""
    if not include_raw:
        return model | parser
    parsed: Runnable[Any, Any] = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed: Runnable[Any, Any] = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _bare(text: str) -> str:
    """JSON without what models wrap it in: thoughts, a fence, words before and after."""
    text = THINKING.sub("", text).strip()
    fenced = FENCE.search(text)
    if fenced and not text.startswith(("{", "[")):
        text = fenced.group(1).strip()
    start, end = text.find("{"), text.rfind("}")
    outside = text[:start].strip() + text[end + 1 :].strip() if 0 <= start < end else ""
    return text[start : end + 1] if outside and not text.startswith("[") else text


def _partial(text: str) -> Mapping[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        value = parse_partial_json(text[start:])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
