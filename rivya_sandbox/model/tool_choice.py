"""Chooses the stand-in's tool calls and their arguments, by rules that are good enough for agents.

The stand-in calls a tool where the user writes the call (`magic_function(3)`), where an expression needs it, or where
its name and description clearly fit a part of the request. It handles the parts in their order, each once since the
user's last message. When nothing is left to do, it replies in words. It hands off to another agent when its
instructions name that agent, or when the agent fits and none of its own tools does.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rivya_sandbox.model import arithmetic
from rivya_sandbox.model.choices import as_fields
from rivya_sandbox.model.schema_filling import fill
from rivya_sandbox.model.text_utils import numbers, stems
from rivya_sandbox.values import Call, Context, ModelRequest, Tool

FITS = 2
"""The least score of a tool that fits."""
HANDOFF = re.compile(r"^(?:handoff|hand_off|transfer)(?:$|_)")
AGENT = re.compile(r"(?m)(?:^\s*[-*]?\s*|[{,]\s*['\"])([\w -]{1,60}?)['\"]?:\s+(?:['\"](.*?)['\"](?=[,}])|(.+)$)")
NEXT = re.compile(r"(?i)\b(?:and then|then|after that|afterwards|finally|next)\b|[;\n]|(?<=[.!?])\s+")
ALSO = re.compile(r"(?i)\s*,?\s*\b(?:and|as well as)\b\s*|,\s+")
IMAGE_WORDS = frozenset(
    stems("image picture photo drawing draw paint painting illustration illustrate logo poster icon")
)

Group = tuple[Call, ...]


def choose_calls(request: ModelRequest) -> Group:
    """Return the calls to make now; none for a reply in words."""
    if not request.tools or request.tool_choice == "none":
        return ()
    question, made = since_user(request)
    question = as_fields(question) or question
    if request.forced_tool:
        forced = next(tool for tool in request.tools if tool.name == request.forced_tool)
        return (filled(forced, question, question),)
    ordinary = [tool for tool in request.tools if not HANDOFF.match(tool.name)]
    if not made and results_since_user(request):  # the calls are unknown, but they were made
        return ()
    left = [rest for group in plan(ordinary, question) if (rest := not_made(group, made))]
    calls = left[0] if left else handoff(request, question, made)
    if not calls and request.tool_choice == "required":
        calls = (filled(best(request.tools, question) or request.tools[0], question, question),)
    return calls if request.parallel_tool_calls else calls[:1]


def since_user(context: Context) -> tuple[str, list[Call]]:
    """Return the user's last message, and the calls made since."""
    place = last_user(context)
    question = context[place].text if place >= 0 else " ".join(message.text for message in context)
    return question, [call for message in context[place + 1 :] for call in message.calls]


def last_user(context: Context) -> int:
    """Return the position of the user's last message, or -1."""
    return next((at for at in reversed(range(len(context))) if context[at].role == "user"), -1)


def plan(tools: Sequence[Tool], question: str) -> list[Group]:
    """Return all calls that the question asks for, in groups that can be made at once."""
    written = calls_in_code(tools, question)
    if written:
        return [written]
    computed: list[Group] = [
        (Call(name, operands(name, tools, left, right)),)
        for name, left, right in arithmetic.steps(question, [tool.name for tool in tools])
    ]
    if computed:
        return computed
    groups = [group for clause in NEXT.split(question) if (group := in_clause(tools, clause, question))]
    whole = best(tools, question)
    return groups or ([(filled(whole, question, question),)] if whole else [])


def calls_in_code(tools: Sequence[Tool], question: str) -> Group:
    """Return the calls that the question writes as code."""
    found = []
    for tool in tools:
        for match in re.finditer(rf"(?<!\w){re.escape(tool.name)}\(([^()]*)\)", question):
            found.append((match.start(), Call(tool.name, literal(tool, match[1]))))
    return tuple(call for _, call in sorted(found, key=lambda pair: pair[0]))


def literal(tool: Tool, text: str) -> dict[str, Any]:
    """Return arguments that are written as code. Positional arguments get the parameters' names in their order."""
    try:
        tree = ast.parse(f"f({text})", mode="eval").body
        call = tree if isinstance(tree, ast.Call) else None
        positional = [ast.literal_eval(node) for node in call.args] if call else []
        given = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg} if call else {}
    except (SyntaxError, ValueError):
        positional, given = [part.strip() for part in text.split(",") if part.strip()], {}
    return {**dict(zip(tool.properties, positional, strict=False)), **given}


def operands(name: str, tools: Sequence[Tool], left: arithmetic.Number, right: arithmetic.Number) -> dict[str, Any]:
    """Return two numbers as a tool's first two arguments."""
    tool = next(one for one in tools if one.name == name)
    return dict(zip(tool.properties, (left, right), strict=False))


def in_clause(tools: Sequence[Tool], clause: str, question: str) -> Group:
    """Return the calls that one part of the request asks for, all at once where it lists several things."""
    tool = best(tools, clause)
    if tool is None:
        return ()
    parts = ALSO.split(clause)
    several = {one.name: filled(one, part, question) for part in parts if (one := best(tools, part))}
    if len(several) > 1:
        return tuple(several.values())
    calls = [filled(tool, replaced, question) for replaced in enumerated(clause)]
    return distinct(calls)


def enumerated(clause: str) -> Iterable[str]:
    """Return a clause for each name in a list of names: `in Paris and Rome` is two clauses."""
    names = re.search(r"\b(?:in|for|of)\s+((?:[A-Z][\w-]+)(?:(?:,\s*|\s+and\s+(?:in\s+)?)[A-Z][\w-]+)+)", clause)
    if names is None or re.search(r",\s*[A-Z]{2}\b", names[1]):
        return [clause]
    found = re.split(r",\s*|\s+and\s+(?:in\s+)?", names[1])
    return [clause.replace(names[1], name) for name in found]


def distinct(calls: Iterable[Call]) -> Group:
    """Return every call once."""
    found: dict[tuple[str, str], Call] = {}
    for call in calls:
        found.setdefault((call.name, call.text), call)
    return tuple(found.values())


def not_made(group: Group, made: Sequence[Call]) -> Group:
    """Return the calls of a group that were not made yet."""
    before = {(call.name, canonical(call.text)) for call in made}
    return tuple(call for call in group if (call.name, canonical(call.text)) not in before)


def canonical(text: str) -> str:
    """Return arguments without their white space and order."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text


def best(tools: Sequence[Tool], text: str) -> Tool | None:
    """Return the tool that fits best, if one fits at all."""
    found = max(tools, key=lambda tool: fit(tool, text), default=None)
    return found if found is not None and fit(found, text) >= FITS else None


def fit(tool: Tool, text: str) -> int:
    """Score how well a tool fits: shared words, its name's twice. Words for images count for each other."""
    name = stems(tool.name.replace("_", " "))
    asked, offered = stems(text), name | stems(tool.description)
    images = FITS * bool(asked & IMAGE_WORDS and offered & IMAGE_WORDS)
    named = FITS * (tool.name.lower() in text.lower())
    arithmetic_words = FITS * (len(numbers(text)) > 1 and bool(asked & name))
    return len(asked & offered) + len(asked & name) + images + named + arithmetic_words


def filled(tool: Tool, clause: str, question: str) -> Call:
    """Return a call with arguments from a part of the request, or from the whole where the part is empty."""
    text = clause.strip(" ,") or question
    return Call(tool.name, fill({"type": "object", **tool.parameters}, text) if tool.properties else {})


def handoff(request: ModelRequest, question: str, made: Sequence[Call]) -> Group:
    """Return the call that hands the conversation off to another agent, if there is reason to."""
    before = " ".join(call.text + call.name for call in made if HANDOFF.match(call.name))
    found = [
        (demand(agent, about, request.system, "" if made else question), tool, agent)
        for tool in request.tools
        if HANDOFF.match(tool.name)
        for agent, about in agents_of(tool)
        if agent not in before
    ]
    most, tool, agent = max(found, key=lambda each: each[0], default=(0, None, ""))
    return (handoff_call(tool, agent, question),) if tool is not None and most else ()


def demand(agent: str, about: str, instructions: str, question: str) -> int:
    """Score another agent: named in the instructions, or fitting what is still to do."""
    told = re.search(rf"(?i)(?:hand|transfer)[^.\n]*\b{re.escape(agent)}\b", instructions)
    return FITS * 10 if told else len(stems(question) & stems(f"{split_name(agent)} {about}"))


def agents_of(tool: Tool) -> list[tuple[str, str]]:
    """Return the agents that a tool hands off to: those that it lists, or the one in its name."""
    lines = tool.description.rpartition("available agents:")[2] if "agents:" in tool.description else ""
    listed = [(name, quoted or plain) for name, quoted, plain in AGENT.findall(lines)]
    named = HANDOFF.sub("", tool.name).removeprefix("to_")
    return listed or ([(named, tool.description)] if named else [])


def handoff_call(tool: Tool, agent: str, question: str) -> Call:
    """Return the call that hands off."""
    given = {"to_agent": agent, "reason": f"{agent} is better suited for: {question.strip()[:80]}"}
    return Call(tool.name, {name: value for name, value in given.items() if name in tool.properties})


def split_name(name: str) -> str:
    """Split a name into its words."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ")


def results_since_user(context: Context) -> list[str]:
    """Return the tool results since the user's last message, without those of handoffs."""
    since = context[last_user(context) + 1 :]
    handoffs = {call.id for message in since for call in message.calls if HANDOFF.match(call.name)}
    return [message.text for message in since if message.role == "tool" and message.tool_call_id not in handoffs]
