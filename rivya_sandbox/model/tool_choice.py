"""Which functions the stand-in calls, and with what: rules that are good enough for agents.

A function is called where the user names it with its arguments (`magic_function(3)`), where an expression needs it, or
where its name and description clearly fit a part of the request. The parts of a request are taken in their order, each
once since the user last spoke; when nothing is left to do, the answer is words. An agent hands over when its
instructions say to whom, or when another agent fits and none of its own functions does.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rivya_sandbox.model import sums
from rivya_sandbox.model.agents import FITS, Tool
from rivya_sandbox.model.schema_filling import fill
from rivya_sandbox.model.words import stems
from rivya_sandbox.openai.completions import Call
from rivya_sandbox.openai.orders import Function, Order
from rivya_sandbox.values import Context

HANDOVER = re.compile(r"^(?:handoff|hand_off|transfer)(?:$|_)")
AGENT = re.compile(r"(?m)(?:^\s*[-*]?\s*|[{,]\s*['\"])([\w -]{1,60}?)['\"]?:\s+(?:['\"](.*?)['\"](?=[,}])|(.+)$)")
NEXT = re.compile(r"(?i)\b(?:and then|then|after that|afterwards|finally|next)\b|[;\n]|(?<=[.!?])\s+")
ALSO = re.compile(r"(?i)\s*,?\s*\b(?:and|as well as)\b\s*|,\s+")

Group = tuple[Call, ...]


def decide(order: Order) -> Group:
    """The calls to make now; none for an answer in words."""
    if not order.functions or order.choice == "none":
        return ()
    question, done = since_user(order.context)
    if order.forced:
        return (filled(next(one for one in order.functions if one.name == order.forced), question, question),)
    ordinary = [one for one in order.functions if not HANDOVER.match(one.name)]
    left = [rest for group in plan(ordinary, question) if (rest := not_yet(group, done))]
    calls = left[0] if left else handover(order, question, done)
    if not calls and order.choice == "required":
        calls = (filled(best(order.functions, question) or order.functions[0], question, question),)
    return calls if order.parallel else calls[:1]


def since_user(context: Context) -> tuple[str, list[Mapping[str, Any]]]:
    """What the user asked last, and the calls made since."""
    place = max((at for at, message in enumerate(context) if message.role == "user"), default=-1)
    question = context[place].text if place >= 0 else " ".join(message.text for message in context)
    return question, [call["function"] for message in context[place + 1 :] for call in message.tool_calls]


def plan(functions: Sequence[Function], question: str) -> list[Group]:
    """All calls that the question asks for, in groups that can be made at once."""
    named = written_out(functions, question)
    if named:
        return [named]
    reckoned: list[Group] = [
        (Call(name, operands(name, functions, left, right)),)
        for name, left, right in sums.steps(question, [one.name for one in functions])
    ]
    if reckoned:
        return reckoned
    groups = [group for clause in NEXT.split(question) if (group := in_clause(functions, clause, question))]
    whole = best(functions, question)
    return groups or ([(filled(whole, question, question),)] if whole else [])


def written_out(functions: Sequence[Function], question: str) -> Group:
    """The calls that stand in the question as code."""
    found = []
    for one in functions:
        for match in re.finditer(rf"(?<!\w){re.escape(one.name)}\(([^()]*)\)", question):
            found.append((match.start(), Call(one.name, literal(one, match[1]))))
    return tuple(call for _, call in sorted(found, key=lambda pair: pair[0]))


def literal(function: Function, text: str) -> dict[str, Any]:
    """Arguments written as code; those without a name get the parameters' names in their order."""
    try:
        tree = ast.parse(f"f({text})", mode="eval").body
        call = tree if isinstance(tree, ast.Call) else None
        positional = [ast.literal_eval(node) for node in call.args] if call else []
        given = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg} if call else {}
    except (SyntaxError, ValueError):
        positional, given = [part.strip() for part in text.split(",") if part.strip()], {}
    return {**dict(zip(properties(function), positional, strict=False)), **given}


def operands(name: str, functions: Sequence[Function], left: sums.Number, right: sums.Number) -> dict[str, Any]:
    """Two numbers for a function's first two parameters."""
    function = next(one for one in functions if one.name == name)
    return dict(zip(properties(function), (left, right), strict=False))


def in_clause(functions: Sequence[Function], clause: str, question: str) -> Group:
    """The calls that one part of the request asks for; what is enumerated is asked for at once."""
    function = best(functions, clause)
    if function is None:
        return ()
    parts = ALSO.split(clause)
    several = {one.name: filled(one, part, question) for part in parts if (one := best(functions, part))}
    if len(several) > 1:
        return tuple(several.values())
    calls = [filled(function, replaced, question) for replaced in enumerated(clause)]
    return distinct(calls)


def enumerated(clause: str) -> Iterable[str]:
    """A clause for each name where several stand side by side: `in Paris and Rome` is two."""
    names = re.search(r"\b(?:in|for|of)\s+((?:[A-Z][\w-]+)(?:(?:,\s*|\s+and\s+(?:in\s+)?)[A-Z][\w-]+)+)", clause)
    if names is None or re.search(r",\s*[A-Z]{2}\b", names[1]):
        return [clause]
    found = re.split(r",\s*|\s+and\s+(?:in\s+)?", names[1])
    return [clause.replace(names[1], name) for name in found]


def distinct(calls: Iterable[Call]) -> Group:
    """Every call once."""
    found: dict[tuple[str, str], Call] = {}
    for call in calls:
        found.setdefault((call.name, call.text), call)
    return tuple(found.values())


def not_yet(group: Group, done: Sequence[Mapping[str, Any]]) -> Group:
    """What of a group was not called yet."""
    made = {(call["name"], canonical(call["arguments"])) for call in done}
    return tuple(call for call in group if (call.name, canonical(call.text)) not in made)


def canonical(text: str) -> str:
    """Arguments without their blanks and order."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def best(functions: Sequence[Function], text: str) -> Function | None:
    """The function that fits best, if one fits at all."""
    found = max(functions, key=lambda one: fit(one, text), default=None)
    return found if found is not None and fit(found, text) >= FITS else None


def fit(function: Function, text: str) -> int:
    """How well a function fits: shared words, those of its name twice."""
    tool = Tool(function.name, function.about, {}, ())
    return tool.fit(text) + len(stems(text) & stems(function.name.replace("_", " ")))


def properties(function: Function) -> Mapping[str, Any]:
    """The function's parameters."""
    found = function.parameters.get("properties")
    return found if isinstance(found, Mapping) else {}


def filled(function: Function, clause: str, question: str) -> Call:
    """A call with arguments out of a part of the request, or of the whole where the part has too little."""
    text = clause.strip(" ,") or question
    return Call(function.name, fill({"type": "object", **function.parameters}, text) if properties(function) else {})


def handover(order: Order, question: str, done: Sequence[Mapping[str, Any]]) -> Group:
    """The call that hands the conversation over to another agent, if one is due."""
    instructions = "\n".join(message.text for message in order.context if message.role == "system")
    before = " ".join(call["arguments"] + call["name"] for call in done if HANDOVER.match(call["name"]))
    found = [
        (wanted(agent, about, instructions, "" if done else question), one, agent)
        for one in order.functions
        if HANDOVER.match(one.name)
        for agent, about in agents_of(one)
        if agent not in before
    ]
    most, function, agent = max(found, key=lambda each: each[0], default=(0, None, ""))
    return (hand(function, agent, question),) if function is not None and most else ()


def wanted(agent: str, about: str, instructions: str, question: str) -> int:
    """How much another agent is wanted: told by name, or fitting what is still to be done."""
    told = re.search(rf"(?i)(?:hand|transfer)[^.\n]*\b{re.escape(agent)}\b", instructions)
    return FITS * 10 if told else len(stems(question) & stems(f"{spaced(agent)} {about}"))


def agents_of(function: Function) -> list[tuple[str, str]]:
    """The agents that a function hands over to: those that it lists, or the one in its name."""
    lines = function.about.rpartition("available agents:")[2] if "agents:" in function.about else ""
    listed = [(name, quoted or plain) for name, quoted, plain in AGENT.findall(lines)]
    named = HANDOVER.sub("", function.name).removeprefix("to_")
    return listed or ([(named, function.about)] if named else [])


def hand(function: Function, agent: str, question: str) -> Call:
    """The call that hands over."""
    given = {"to_agent": agent, "reason": f"{agent} is better suited for: {question.strip()[:80]}"}
    known = properties(function)
    return Call(function.name, {name: value for name, value in given.items() if name in known})


def spaced(name: str) -> str:
    """The words of a name."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ")


def findings(context: Context) -> list[str]:
    """What the tools said since the user last spoke; that the conversation was handed over is none of it."""
    place = max((at for at, message in enumerate(context) if message.role == "user"), default=-1)
    since = context[place + 1 :]
    handed = {
        call["id"] for message in since for call in message.tool_calls if HANDOVER.match(call["function"]["name"])
    }
    return [message.text for message in since if message.role == "tool" and message.tool_call_id not in handed]
