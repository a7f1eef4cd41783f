"""Calls and objects, read out of a reply's text. It never guesses: what does not fit is a problem with its reason.

A call counts if its JSON is whole, its name is among the tools that may be called, and its arguments fit the schema.
Blocks in reasoning and in code are text (`quoted.py`). What follows an invented `<tool_response>` is dropped.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rivya_core.http.json_codec import loads, repaired
from rivya_core.prompted.prompt import CALL_FORM, Prompt
from rivya_core.prompted.quoted import Quotes
from rivya_core.structured.checks import MismatchError, check_json
from rivya_core.structured.json_in_text import decoder
from rivya_core.structured.reply_reader import ReplyError, object_text, read_text
from rivya_core.types import ToolCallDelta

OPENING = re.compile(r"<\s*tool_call(?:\s[^<>]*)?>", re.IGNORECASE)
CLOSING = re.compile(r"<\s*/\s*tool_call\s*>", re.IGNORECASE)
CLOSINGS = re.compile(r"(?:\s*<\s*/\s*tool_call\s*>)+", re.IGNORECASE)
MISSPELT_CLOSING = re.compile(
    r"\s*<\s*(?:/\s*(?:tools?|tool_?calls?|function(?:_call)?|call)\s*>|(?:/\s*(?:t\w*)?)?\Z|tool_call\s*>\s*\Z)",
    re.IGNORECASE,
)
"""What models write in place of the closing tag, or the beginning of one at the end of a reply."""
RESPONSE = re.compile(r"<\s*tool_response\b[^<>]*>", re.IGNORECASE)
WRAPPER_AT_END = re.compile(r"<\s*(?:tool_calls|tools|function_calls)\s*>\s*\Z", re.IGNORECASE)
WRAPPER_CLOSING = re.compile(r"\s*<\s*/\s*(?:tool_calls|tools|function_calls)\s*>", re.IGNORECASE)
FENCE_OPENING = re.compile(r"\s*(?:```+|~~~+)[ \t]*[\w-]*[ \t]*\r?\n?")
FENCE_CLOSING = re.compile(r"\s*(?:```+|~~~+)[ \t]*(?=\r?\n|\Z|<)")
OPEN_FENCE_AT_END = re.compile(r"(?:^|\n)[ \t]*(```+|~~~+)[ \t]*[\w-]*\s*\Z")
GAP = re.compile(r"[\s,]*")
FENCED = re.compile(r"```+[ \t]*[\w-]*[ \t\r]*\n(.*?)```+", re.DOTALL)
MARKED = re.compile(
    r"(?:<[|\uff5c]?\w+[|\uff5c]?>|\[\w+\])\s*([{\[].*[}\]])\s*(?:<[|\uff5c/]*\w+[|\uff5c]?>|\[/\w+\])?", re.DOTALL
)
"""A reply in the tags of another form of calls."""
CALL_KEYS = frozenset({"name", "arguments", "id", "type"})
LONGEST_QUOTE = 200
UNNAMED = "unnamed"
"""Name of a call that names no tool."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says.

    Attributes:
        text: Its text without calls.
        calls: Valid calls, then invalid ones, numbered from 0.
        problems: What does not fit, one reason each.
        dropped: Whether the reply says more: further calls where one is allowed, or results that the model invented.
    """

    text: str
    calls: tuple[ToolCallDelta, ...] = ()
    problems: tuple[str, ...] = ()
    dropped: bool = False

    @property
    def has_valid_call(self) -> bool:
        """Whether there is a call to carry out."""
        return any(not call.invalid for call in self.calls)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of a reply: where it is, and the JSON values in it or why it has none."""

    start: int
    end: int
    values: tuple[Any, ...] = ()
    problem: str = ""
    raw: str = ""
    is_invented: bool = False


def read(prompt: Prompt, reply: str) -> Reading:
    """Return what the complete text of a reply says."""
    reply = _object_in_call(prompt, reply) or reply
    found = _with_calls(prompt, reply)
    if found.calls or found.problems:
        return found
    problems = tuple(_problems_of_text(prompt, reply))
    if prompt.schema is not None and not problems and prompt.choice != "required":
        return replace(found, text=object_text(prompt.schema, reply, unwrapped=prompt.json_only))
    return replace(found, problems=problems)


def _object_in_call(prompt: Prompt, reply: str) -> str | None:
    """The object of a reply that is one call of the schema, as if that were a tool."""
    if prompt.schema is None or prompt.schema.name in prompt.callable:
        return None
    values = [value for block in _blocks(reply) for value in (block.values or [None])]
    if len(values) != 1 or not isinstance(values[0], Mapping) or values[0].get("name") != prompt.schema.name:
        return None
    arguments = _arguments(values[0])
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, Mapping) else None


def _problems_of_text(prompt: Prompt, reply: str) -> Iterator[str]:
    """What is wrong with a reply that holds no call."""
    if prompt.choice == "required" and prompt.callable:
        yield f"it holds no call of {_listed(prompt)}, and one is required"
    elif prompt.callable and (bare := _bare_calls(reply)) and prompt.callable.keys() >= set(bare):
        yield f"the call of `{bare[0]}` is not in a <tool_call> block"
    elif prompt.schema is not None:
        try:
            read_text(prompt.schema, reply)
        except ReplyError as error:
            yield str(error)


def _with_calls(prompt: Prompt, reply: str) -> Reading:
    blocks = list(_blocks(reply))
    if not blocks:
        return Reading(reply)
    calls = [call for block in blocks for call in _calls_in(prompt, block)]
    valid = [call for call in calls if not call.invalid]
    invalid = [call for call in calls if call.invalid]
    kept = [*(valid[:1] if prompt.single else valid), *invalid]
    numbered = tuple(replace(call, index=index) for index, call in enumerate(kept))
    dropped = len(kept) < len(calls) or blocks[-1].is_invented
    return Reading(_text_around(reply, blocks), numbered, tuple(call.error for call in invalid), dropped)


def _calls_in(prompt: Prompt, block: _Block) -> list[ToolCallDelta]:
    if block.problem:
        return [_invalid(UNNAMED, block.raw, block.problem)]
    return [_call(prompt, value) for value in block.values]


def _call(prompt: Prompt, value: Any) -> ToolCallDelta:
    """The call in a JSON value; an invalid one says what is wrong with it."""
    name = value.get("name") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or not name:
        return _invalid(UNNAMED, value, f"a <tool_call> block holds {_shown(value)} and must hold {CALL_FORM[11:-12]}")
    arguments = _arguments(value)
    tool = prompt.callable.get(name)
    if tool is None:
        offered = f"call {_listed(prompt)}" if prompt.callable else "no tool may be called now"
        return _invalid(name, arguments, f"`{name}` cannot be called now: {offered}")
    if not value.get("arguments") and (others := [key for key in value if key not in CALL_KEYS and value[key]]):
        return _invalid(name, value, f"the call of `{name}` has no `arguments`, but `{others[0]}`")
    if not isinstance(arguments, Mapping):
        return _invalid(name, arguments, f"the arguments of `{name}` are not a JSON object: {_shown(arguments)}")
    try:
        check_json(arguments, tool.parameters)
    except MismatchError as error:
        return _invalid(name, arguments, f"the arguments of `{name}` do not fit: {error}")
    return ToolCallDelta(0, _new_id(), name, json.dumps(arguments, ensure_ascii=False))


def _arguments(value: Mapping[str, Any]) -> Any:
    """The arguments, which may be a JSON text; no arguments are an empty object."""
    given = value.get("arguments")
    if isinstance(given, str) and given.strip():
        try:
            return _sound(decoder.decode(given))
        except (ValueError, RecursionError):
            return given
    return {} if given is None or given == "" else given


def _sound(value: Any) -> Any:
    """Return *value* with whole characters.

    Raises:
        ValueError: It holds `NaN` or an infinite number, or is nested too deeply, so that other readers refuse it.
    """
    return loads(json.dumps(repaired(value), ensure_ascii=False, allow_nan=False))


def _invalid(name: str, arguments: Any, error: str) -> ToolCallDelta:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCallDelta(0, _new_id(), name, text, invalid=True, error=error)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _listed(prompt: Prompt) -> str:
    return ", ".join(f"`{name}`" for name in prompt.callable)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def _bare_calls(reply: str) -> list[str]:
    """The names of calls that are the whole reply, without the tags of calls."""
    reply = reply.strip()
    bare = FENCED.fullmatch(reply) or MARKED.fullmatch(reply)
    try:
        value = json.loads(bare[1] if bare else reply, strict=False)
    except (ValueError, RecursionError):
        return []
    value = value.get("tool_calls", value) if isinstance(value, Mapping) else value
    calls = value if isinstance(value, list) else [value]
    are_calls = all(isinstance(call, Mapping) and {"name", "arguments"} <= call.keys() for call in calls)
    return [str(call["name"]) for call in calls] if are_calls else []


def _blocks(reply: str) -> Iterator[_Block]:
    """The blocks of a reply that are calls, in order. An invented result ends the reply."""
    found = list(_all_blocks(reply))
    quotes = Quotes(reply, [(block.start, block.end) for block in found if block.values])
    place = -1
    for block in (one for one in found if not quotes.hold(one.start)):
        if place >= 0 and (invented := RESPONSE.search(quotes.masked, place, block.start)):
            yield _Block(invented.start(), len(reply), is_invented=True)
            return
        yield block
        place = block.end
    if place >= 0 and (invented := RESPONSE.search(quotes.masked, place)):
        yield _Block(invented.start(), len(reply), is_invented=True)


def _all_blocks(reply: str) -> Iterator[_Block]:
    """The blocks of a reply, calls or not, in order."""
    place = 0
    while (opening := OPENING.search(reply, place)) is not None:
        block = _block(reply, opening)
        yield block
        place = block.end


def _block(reply: str, opening: re.Match[str]) -> _Block:
    start, values = opening.start(), []
    while again := OPENING.match(reply, _after_gap(reply, opening.end())):
        opening = again
    place = opening.end()
    fence = FENCE_OPENING.match(reply, place)
    place = fence.end() if fence else place
    try:
        while (at := _after_gap(reply, place)) < len(reply) and reply[at] in "{[":
            value, place = decoder.raw_decode(reply, at)
            value = _sound(value)
            values += value if isinstance(value, list) else [value]
    except (ValueError, RecursionError):
        return _broken(reply, start, opening, "the JSON of a <tool_call> block is cut off or not valid")
    end = _end_of_block(reply, place)
    if end is None or not values:
        what = "holds more than JSON" if values else "holds no JSON object"
        return _broken(reply, start, opening, f"a <tool_call> block {what}")
    return _Block(start, end, tuple(values))


def _end_of_block(reply: str, place: int) -> int | None:
    """Where a block ends whose JSON ends at *place*; None if something else stands before its closing tag."""
    fence = FENCE_CLOSING.match(reply, place)
    after = _after_gap(reply, fence.end() if fence else place)
    closings = CLOSINGS.match(reply, after)
    if closings is not None:
        return closings.end()
    following = OPENING.search(reply, after)
    if CLOSING.search(reply, after, following.start() if following else len(reply)):
        return None
    misspelt = MISSPELT_CLOSING.match(reply, after)
    return misspelt.end() if misspelt else place


def _broken(reply: str, start: int, opening: re.Match[str], problem: str) -> _Block:
    """A block whose JSON cannot be read; it ends with its closing tag, or before the next block."""
    following = OPENING.search(reply, opening.end())
    limit = following.start() if following else len(reply)
    closings = [match.end() for match in CLOSING.finditer(reply, opening.end(), limit)]
    end = closings[-1] if closings else limit
    raw = CLOSING.sub("", reply[opening.end() : end]).strip()
    return _Block(start, end, (), problem, raw)


def _after_gap(reply: str, place: int) -> int:
    found = GAP.match(reply, place)
    return found.end() if found else place


def _text_around(reply: str, blocks: list[_Block]) -> str:
    """The text without blocks, and without the fences around them."""
    pieces, place = [], 0
    for block in blocks:
        pieces.append(reply[place : block.start])
        place = block.end
    pieces.append(reply[place:])
    text = pieces[0]
    for piece in pieces[1:]:
        wrapper, closing = WRAPPER_AT_END.search(text), WRAPPER_CLOSING.match(piece)
        before, after = text[: wrapper.start()] if wrapper else text, piece[closing.end() :] if closing else piece
        before, after = _without_fence(before, after)
        gap = "\n" if before.strip() and after.strip() else ""
        text = f"{before.rstrip()}{gap}{after.strip()}"
    return text.rstrip() if text.strip() else ""


def _without_fence(before: str, after: str) -> tuple[str, str]:
    """Remove the fence that opens at the end of *before*, and its end in *after* if it is there."""
    if before.endswith("`") and after.startswith("`") and "```" not in (before[-3:], after[:3]):
        return before[:-1], after[1:]
    opened = OPEN_FENCE_AT_END.search(before)
    if opened is None or before[: opened.start()].count("```") % 2:
        closing = FENCE_CLOSING.match(after) if not after.strip().strip("`") else None
        return before, after[closing.end() :] if closing else after
    closing = FENCE_CLOSING.match(after)
    return before[: opened.start()], after[closing.end() :] if closing else after
