"""What a call offers in words: tools, how they may be called, and the schema of the reply.

Tools and schemas are described once per session. A later turn names only what has changed, so a call needs to know what
the session knows already (`Told`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from rivya_core.errors import InvalidInputError
from rivya_core.prompted.escaping import escaped, escaped_json
from rivya_core.structured.schemas import Schema

Choice = Literal["auto", "none", "required"]
CALL_FORM = '<tool_call>{"name": "...", "arguments": {...}}</tool_call>'
HOW_TO_CALL = f"""\
You can call the tools below. For each call, write a block of this form:
{CALL_FORM}
The results come back in <tool_response> blocks. If you need no tool, answer as usual."""


@dataclass(frozen=True, slots=True)
class PromptedTool:
    """A function that the model may call.

    Attributes:
        name: Its name.
        parameters: JSON schema of its arguments.
        description: Description for the model.
    """

    name: str
    parameters: Mapping[str, Any]
    description: str = ""

    @property
    def line(self) -> str:
        """The description that is sent, as one line of JSON."""
        about = {"description": self.description} if self.description else {}
        return escaped_json({"name": self.name, **about, "parameters": _compact(self.parameters)})

    @property
    def fingerprint(self) -> str:
        """The same for the same description."""
        return fingerprint(self.line)


@dataclass(frozen=True, slots=True)
class Told:
    """What a session knows about tools and schemas.

    Attributes:
        tools: Fingerprint of each tool that it may call, by name.
        single: Whether it knows that it may make one call at most.
        schema: Fingerprint of the schema that it was given last; empty if there is none.
    """

    tools: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    schema: str = ""


NOTHING_TOLD = Told()


@dataclass(frozen=True)
class Prompt:
    """What one call asks for in words.

    Attributes:
        tools: The tools that are offered.
        choice: Whether a tool may, must or must not be called.
        forced: Name of the only tool that may be called now, or None.
        single: Whether one call is allowed at most.
        schema: What the text of the reply must fit, or None.
        repair: Whether a reply that does not fit is asked for once more.
        json_only: Whether the text of a streamed reply must be the object alone, so that it is shown when it is read.
    """

    tools: tuple[PromptedTool, ...] = ()
    choice: Choice = "auto"
    forced: str | None = None
    single: bool = False
    schema: Schema | None = None
    repair: bool = True
    json_only: bool = False

    @cached_property
    def callable(self) -> Mapping[str, PromptedTool]:
        """The tools that may be called now, by name."""
        if self.choice == "none":
            return {}
        return {tool.name: tool for tool in self.tools if self.forced in (None, tool.name)}

    def is_needed(self, told: Told) -> bool:
        """Whether anything must be said or read that plain text does not hold."""
        return bool(self.tools or self.schema or told.tools)

    def told_after(self, told: Told) -> Told:
        """Return what the session knows after this call."""
        if not self.is_needed(told):
            return told
        schema = fingerprint(answer_words(self.schema)) if self.schema else told.schema
        if self.choice == "none" and self.tools:
            return replace(told, schema=schema)
        return Told({tool.name: tool.fingerprint for tool in self.tools}, self.single and bool(self.tools), schema)

    def words(self, told: Told) -> str:
        """Return the text that this call adds for a session that already knows *told*; empty if there is none."""
        said = "\n".join((*self._tool_words(told), *self._choice_words(told), *self._schema_words(told)))
        return f"<tools>\n{said}\n</tools>" if said else ""

    def _tool_words(self, told: Told) -> Iterator[str]:
        if self.choice == "none" and self.tools:
            return
        new = [tool for tool in self.tools if told.tools.get(tool.name) != tool.fingerprint]
        gone = [name for name in told.tools if name not in {tool.name for tool in self.tools}]
        if new:
            yield "New or changed tools:" if told.tools else HOW_TO_CALL
            yield from (tool.line for tool in new)
        if gone:
            yield escaped(f"No longer available: {', '.join(gone)}")

    def _choice_words(self, told: Told) -> Iterator[str]:
        if not self.tools:
            return
        if self.single and not told.single and self.choice != "none":
            yield "Make at most one call in a reply."
        if told.single and not self.single:
            yield "A reply may hold several calls."
        if self.choice == "none" and told.tools:
            yield "Do not call a tool now."
        elif self.forced is not None:
            yield escaped(f"You must call the tool `{self.forced}` now.")
        elif self.choice == "required":
            yield "You must call a tool now."

    def _schema_words(self, told: Told) -> Iterator[str]:
        if self.schema is not None:
            is_known = told.schema == fingerprint(answer_words(self.schema))
            yield answer_words(self.schema, after_tools=bool(self.callable), is_known=is_known)


NOTHING_ASKED = {True: Prompt(), False: Prompt(repair=False)}
"""The prompts of a call without tools and schema, by whether replies are repaired."""


def answer_words(schema: Schema, *, after_tools: bool = False, is_known: bool = False) -> str:
    """Return the words that ask for an object of *schema*, which the session may know already."""
    when = "When you need no more tools, answer" if after_tools else "Answer"
    if is_known:
        return f"{when} with one JSON object of the schema `{schema.name}` above and nothing else."
    told = {"title": schema.name, "description": schema.description, **schema.parameters}
    form = escaped_json({key: value for key, value in told.items() if value != ""})
    return f"{when} with one JSON object and nothing else. It must fit this JSON schema:\n{form}"


def fingerprint(words: str) -> str:
    """Return a short value that is the same for the same words."""
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def prompt_for(
    tools: Sequence[Mapping[str, Any]],
    choice: Any = None,
    *,
    single: bool = False,
    schema: Schema | None = None,
    repair: bool = True,
    json_only: bool = False,
) -> Prompt:
    """Return the prompt of a call.

    Args:
        tools: The tools as the objects of OpenAI-compatible APIs.
        choice: `tool_choice` as these APIs take it, or None.
        single: Whether one call is allowed at most.
        schema: What the text of the reply must fit.
        repair: Whether a reply that does not fit is asked for once more.
        json_only: Whether the text of a streamed reply must be the object alone.

    Raises:
        InvalidInputError: A tool is not a function, two have the same name, or the choice names none of them.
    """
    offered = tuple(map(_tool, tools))
    names = [tool.name for tool in offered]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"Two tools have the name `{twice}`. Nothing was sent. Give each its own name.")
    mode, forced = _choice(choice, names)
    if not offered:
        mode = "auto"
    return Prompt(offered, mode, forced, single, schema, repair, json_only)


def _tool(tool: Mapping[str, Any]) -> PromptedTool:
    function = tool.get("function")
    inner = function if isinstance(function, Mapping) else tool
    name = inner.get("name")
    if not isinstance(name, str) or not name or (function is None and tool.get("type", "function") != "function"):
        raise InvalidInputError(
            f"A tool of type {tool.get('type')!r} cannot be described in words; only functions can. Nothing was sent."
        )
    parameters = inner.get("parameters") or inner.get("input_schema") or {}
    return PromptedTool(name, {"type": "object", "properties": {}, **parameters}, str(inner.get("description") or ""))


def _choice(choice: Any, names: Sequence[str]) -> tuple[Choice, str | None]:
    if choice is None or choice in ("auto", "none", "required"):
        return choice or "auto", None
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if name not in names:
        known = ", ".join(f"`{known}`" for known in names)
        raise InvalidInputError(f"`tool_choice` is {choice!r}, and the tools are {known}. Nothing was sent.")
    return "required", name


def _compact(schema: Any) -> Any:
    """A schema without the titles that pydantic adds; a property may be called `title`."""
    if isinstance(schema, list):
        return [_compact(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return {
        key: {name: _compact(part) for name, part in value.items()}
        if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping)
        else _compact(value)
        for key, value in kept.items()
        if key not in ("default", "enum", "const", "examples")
    } | {key: kept[key] for key in ("default", "enum", "const", "examples") if key in kept}


def told_from_json(value: Any) -> Told:
    """Return what a session knows, as it was stored; any other value means nothing."""
    tools = value.get("tools") if isinstance(value, Mapping) else None
    if not isinstance(tools, Mapping) or not all(isinstance(word, str) for word in (*tools, *tools.values())):
        return NOTHING_TOLD
    schema = value.get("schema")
    return Told(dict(tools), value.get("single") is True, schema if isinstance(schema, str) else "")


def told_to_json(told: Told) -> dict[str, Any]:
    """Return the form that is kept with a reply."""
    schema = {"schema": told.schema} if told.schema else {}
    return {"tools": dict(told.tools), "single": told.single, **schema}


def canonical(told: Told) -> str:
    """Return one text for the same state, for a seal."""
    return json.dumps(told_to_json(told), sort_keys=True)
