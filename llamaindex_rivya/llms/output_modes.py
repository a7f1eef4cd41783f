"""How an object is asked for and how it is read: by a response format, by a tool that must be called, or in words.

Pure. Reading is the same for all forms and copes with what models wrap JSON in: words, fences, thoughts, text where a
call was wanted. What was cut off, refused or does not fit is an `OutputError`, never a half object.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock
from llama_index.core.program.utils import create_flexible_model
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from llamaindex_rivya.errors import OutputError

NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
MOST_ATTEMPTS = 50


@dataclass(frozen=True)
class OutputMode:
    """How an object of a class is asked for.

    Attributes:
        output_cls: The pydantic class.
        options: Overrides of the call.
        words: What is added to the last message, or nothing.
        tool: Name of the tool whose arguments are the object, or None where the text is.
    """

    output_cls: type[BaseModel]
    options: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    tool: str | None = None

    @cached_property
    def flexible(self) -> type[BaseModel]:
        """The class for an object that is still growing."""
        return create_flexible_model(self.output_cls)

    def messages(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """Return *messages* with the words added, the caller's own untouched."""
        if not self.words or not messages:
            return list(messages)
        blocks = [*messages[-1].blocks, TextBlock(text=self.words)]
        return [*messages[:-1], messages[-1].model_copy(update={"blocks": blocks})]

    def text_of(self, message: ChatMessage) -> str:
        """Return where the object stands: the tool's arguments, or else the text."""
        for call in message.additional_kwargs.get("tool_calls") or () if self.tool else ():
            if call["function"]["name"] == self.tool:
                return str(call["function"]["arguments"])
        return message.content or ""

    def read(self, response: ChatResponse) -> BaseModel:
        """Return the object in a complete reply.

        Raises:
            OutputError: There is none.
        """
        text, problem = self.text_of(response.message), "there is no JSON object in the reply"
        for value in objects_in(text):
            try:
                return self.output_cls.model_validate(value)
            except ValidationError as exc:
                problem = f"the reply does not fit `{self.output_cls.__name__}`: {exc}"
        raise OutputError(f"No structured output: {_reason(response, problem)} Reply: {text[:500]!r}.", text=text)

    def so_far(self, response: ChatResponse) -> BaseModel | None:
        """Return what there is of the object while the reply goes on, or None."""
        text = self.text_of(response.message)
        start = text.find("{")
        value = _growing(text[start:]) if start >= 0 else None
        if not isinstance(value, dict):
            return None
        for kind in (self.output_cls, self.flexible):
            try:
                return kind.model_validate(value)
            except ValidationError:
                continue
        return None


def native_output(output_cls: type[BaseModel]) -> OutputMode:
    """Ask by the provider's response format."""
    schema = {"name": _name(output_cls), "schema": output_cls.model_json_schema()}
    return OutputMode(output_cls, {"response_format": {"type": "json_schema", "json_schema": schema}})


def tool_output(output_cls: type[BaseModel]) -> OutputMode:
    """Ask by a tool that must be called."""
    schema, name = output_cls.model_json_schema(), _name(output_cls)
    about = schema.get("description") or f"Give the {name}."
    tool = {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}
    choice = {"type": "function", "function": {"name": name}}
    return OutputMode(output_cls, {"tools": [tool], "tool_choice": choice}, tool=name)


def prompted_output(output_cls: type[BaseModel]) -> OutputMode:
    """Ask in words."""
    schema = json.dumps(output_cls.model_json_schema(), ensure_ascii=False)
    words = f"\nAnswer with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"
    return OutputMode(output_cls, words=words)


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in *text*, whatever stands around them: words, fences, thoughts."""
    decoder, start = json.JSONDecoder(), text.find("{")
    for _ in range(MOST_ATTEMPTS):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            if _is_cut(text[start:]):
                return  # what stands whole inside of it is not what was asked for
            start = text.find("{", start + 1)
        else:
            yield value
            start = text.find("{", end)


def _is_cut(text: str) -> bool:
    """Whether *text* is the beginning of a JSON value whose end is missing."""
    try:
        from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return False
    return True


def _growing(text: str) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return next(objects_in(text), None)


def _reason(response: ChatResponse, problem: str) -> str:
    raw = response.raw if isinstance(response.raw, Mapping) else {}
    if raw.get("refusal"):
        return f"the model refused: {raw['refusal']}"
    cut = " It was cut off at the token limit; raise `max_tokens`." if raw.get("finish_reason") == "length" else ""
    return f"{problem}.{cut}"


def _name(output_cls: type[BaseModel]) -> str:
    return NO_NAME.sub("_", output_cls.__name__)[:64]
