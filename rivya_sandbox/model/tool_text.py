"""Tools in words: tools described in the prompt, `<tool_call>` blocks in replies, results in `<tool_response>` blocks.

The stand-in recognizes this form by its text alone. A system or user message contains `<tool_call>` and describes each
tool, either as a JSON object with `name` and `parameters`, also inside `{"type": "function", "function": {…}}`, or as
a line `name(argument: type, optional?: type) - description`. A later message may describe more tools, or name tools
that are no longer available.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from rivya_sandbox.model.json_output import objects_in
from rivya_sandbox.values import Call, Completion, Message, ModelRequest, Tool

CALL = re.compile(r"(?s)<tool_call>(.*?)(?:</tool_call>|\Z)")
RESPONSE = re.compile(r"(?s)<tool_response\b[^>]*>(.*?)</tool_response>")
SIGNATURE = re.compile(r"(?m)^\s*(?:[-*]\s*)?`?(\w+)\(([^()\n]*)\)`?(?:\s*->\s*\w+)?\s*[-:\u2013\u2014]*\s*(.*)$")
ARGUMENT = re.compile(r"\s*(\w+)(\??)\s*(?::([^=]*))?(=?)")
GONE = re.compile(r"(?i)(?:no longer (?:available|offered)|removed|withdrawn)[^:\n]*:\s*([\w`, ]+)")
FORCED = re.compile(r"(?i)\bmust (?:now )?(?:call|use) (?:the )?(?:tools? |functions? )?[`\"']?(\w+)")
ONE_CALL = re.compile(r"(?i)\b(?:at most|only|exactly|no more than) one (?:tool |function )?call\b")
NO_CALL = re.compile(r"(?i)\b(?:do not|don't|must not) (?:call|use) (?:a |any )?(?:tool|function)s?\b")
EXAMPLE = re.compile(r"(?s)<tool_(call|response)\b[^>]*>\s*\{.*?</tool_\1>")
WANTED = re.compile(r"(?i)must fit this JSON schema:\s*")
WANTED_AGAIN = re.compile(r"(?i)\bJSON object of the schema `([\w-]+)` above")
PARAMETERS = ("parameters", "input_schema", "schema")
TYPES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "list": "array", "dict": "object"}


def read(request: ModelRequest) -> ModelRequest | None:
    """Return the request with its tools, calls and results; `None` if the prompt describes no tools."""
    asking = [message for message in request if message.role in ("system", "user")]
    if not any("<tool_call>" in message.text for message in asking):
        return None
    tools: dict[str, Tool] = {}
    for message in asking:
        tools |= {tool.name: tool for tool in described(message.text)}
        for gone in GONE.findall(message.text):
            tools = {name: tool for name, tool in tools.items() if name not in re.findall(r"\w+", gone)}
    if not tools:
        return None
    first_call = next((at for at, message in enumerate(request) if message.role == "assistant"), len(request))
    messages = [step for at, message in enumerate(request) for step in steps(message, results=at > first_call)]
    found = {"tools": tuple(tools.values()), **choice(rules(request), tools)}
    return ModelRequest(numbered(messages), **{**vars(request), **found})


def rules(request: ModelRequest) -> str:
    """Return the texts that say how to reply now: the system messages and the newest message of the user."""
    newest = next((message.text for message in reversed(request) if message.role == "user"), "")
    return f"{request.system}\n{newest}"


def numbered(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield the messages with ids in the calls and, in the same order, in their results."""
    ids, waiting = count(1), list[str]()
    for message in messages:
        if message.role == "assistant":
            waiting = [f"call_{next(ids)}" for _ in message.tool_calls]
            calls = tuple({**call, "id": one} for call, one in zip(message.tool_calls, waiting, strict=True))
            yield replace(message, tool_calls=calls)
        else:
            yield replace(message, tool_call_id=waiting.pop(0)) if message.role == "tool" and waiting else message


def wanted(request: ModelRequest) -> Mapping[str, Any] | None:
    """Return the schema that the text of a reply must fit, if the rules describe one or name one from before."""
    said = rules(request)
    if (asked := schemas_in(said)) or not (named := WANTED_AGAIN.search(said)):
        return asked[0] if asked else None
    known = (schema for message in reversed(request) for schema in schemas_in(message.text))
    return next((schema for schema in known if schema.get("title") == named[1]), None)


def schemas_in(text: str) -> list[dict[str, Any]]:
    """Return the schemas that a reply must fit, in the order of the text."""
    found = (next(objects_in(text[asked.end() :]), None) for asked in WANTED.finditer(text))
    return [one[0] for one in found if one]


def choice(rules: str, tools: Mapping[str, Tool]) -> dict[str, Any]:
    """Return what the rules say about calls: whether one is required or forbidden, and how many are allowed."""
    found: dict[str, Any] = {"parallel_tool_calls": False} if ONE_CALL.search(rules) else {}
    if NO_CALL.search(rules):
        return {**found, "tool_choice": "none"}
    if forced := FORCED.search(rules):
        name = forced[1] if forced[1] in tools else None
        return {**found, "tool_choice": "required", "forced_tool": name}
    return found


def described(text: str) -> Iterator[Tool]:
    """Yield the tools that a text describes."""
    plain = EXAMPLE.sub("", text)
    listed = [each for one, _ in objects_in(plain) for each in (one["tools"] if is_list(one) else [one])]
    found = [tool for one in listed if (tool := as_tool(one))]
    if not found and "<tool_call>" in text:
        lines = SIGNATURE.findall(plain)
        found = [Tool(name, about.strip(), schema_of(arguments)) for name, arguments, about in lines]
    yield from found


def is_list(value: Mapping[str, Any]) -> bool:
    """Return whether a JSON object holds a list of tools."""
    return isinstance(value.get("tools"), list)


def as_tool(value: Any) -> Tool | None:
    """Return a JSON object as a tool, if it is one."""
    value = value if isinstance(value, dict) else {}
    value = value["function"] if isinstance(value.get("function"), dict) else value
    schema = next((value[key] for key in PARAMETERS if isinstance(value.get(key), dict)), None)
    if schema is None or not isinstance(value.get("name"), str):
        return None
    return Tool(value["name"], str(value.get("description") or ""), schema)


def schema_of(arguments: str) -> dict[str, Any]:
    """Return the schema of arguments that are written as `name: type, optional?: type`."""
    properties, required = {}, []
    for match in filter(None, map(ARGUMENT.match, arguments.split(","))):
        name, optional, kind, default = match[1], match[2], match[3] or "", match[4]
        options = re.findall(r"[\"']([^\"']+)[\"']", kind)
        word = (re.findall(r"\w+", kind) or ["string"])[0]
        properties[name] = {"enum": options} if options else {"type": TYPES.get(word, word)}
        required += [] if optional or default else [name]
    return {"type": "object", "properties": properties, "required": required}


def steps(message: Message, *, results: bool) -> Iterator[Message]:
    """Yield a message with its blocks as tool calls or as tool results, and without the description of tools.

    Before the first reply there are no results: a block is an example.
    """
    if message.role == "assistant":
        calls = [{"function": function} for block in CALL.findall(message.text) if (function := call_in(block))]
        yield Message("assistant", CALL.sub("", message.text).strip(), tool_calls=tuple(calls))
        return
    found = RESPONSE.findall(message.text) if results and message.role != "system" else []
    yield from (Message("tool", result_in(body.strip())) for body in found)
    text = without_description(RESPONSE.sub("", message.text))
    if text.strip() or not found:
        yield Message(message.role, text, message.attachments, message.name)


def call_in(block: str) -> dict[str, str] | None:
    """Return the function of a call block, or `None` if it is invalid."""
    found = next((one for one, _ in objects_in(block)), {})
    given = found.get("arguments", {})
    arguments = given if isinstance(given, str) else json.dumps(given)
    return {"name": str(found["name"]), "arguments": arguments} if "name" in found else None


def result_in(body: str) -> str:
    """Return the text of a result, also where it is inside a JSON object."""
    found, place = next(objects_in(body), ({}, slice(0)))
    key = next((key for key in ("content", "result", "output", "error") if key in found), None)
    if key is None or place != slice(0, len(body)):
        return html.unescape(body)
    return html.unescape(found[key] if isinstance(found[key], str) else json.dumps(found[key]))


def without_description(text: str) -> str:
    """Return a text without the paragraphs that describe tools or the form of calls."""
    if "<tool" not in text and not any(as_tool(one) or is_list(one) for one, _ in objects_in(text)):
        return text
    text = re.sub(r"(?s)<tools>.*?</tools>", "<tool_call>", text)
    for one, place in reversed(list(objects_in(text))):
        if as_tool(one) or is_list(one):
            text = f"{text[: place.start]}<tool_call>{text[place.stop :]}"
    parts = re.split(r"\n\s*\n", text)
    kept = [part for part in parts if "<tool_" not in part and not SIGNATURE.match(part) and not GONE.search(part)]
    return "\n\n".join(kept).strip()


def write(completion: Completion, _request: ModelRequest) -> str:
    """Return a completion with its calls as blocks of text."""
    return "\n".join([*([completion.text] if completion.text else []), *map(block, completion.calls)])


def block(call: Call) -> str:
    """Return a call as a block of text."""
    return f'<tool_call>{{"name": {json.dumps(call.name)}, "arguments": {call.text}}}</tool_call>'
