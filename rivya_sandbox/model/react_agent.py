"""Agents that work with text alone (Thought, Action, Observation).

The stand-in uses a tool where one of those listed clearly fits the question. After an observation, or without a fitting
tool, it answers the question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from rivya_sandbox.model.text_utils import numbers, subject_of
from rivya_sandbox.model.tool_choice import best
from rivya_sandbox.values import Tool

LISTED = re.compile(
    r"> Tool Name: (?P<name>\S+)\n\s*Tool Description: (?P<about>.*?)\n\s*Tool Args: (?P<args>\{.*?\})\s*(?=\n|\Z)",
    re.DOTALL,
)


def is_agent_prompt(instructions: str) -> bool:
    """Return whether the instructions ask for thoughts and actions as text."""
    return "Action Input:" in instructions and "Thought:" in instructions


def act(instructions: str, asked: Sequence[str], answer: Callable[[str], str]) -> str:
    """Return the agent's next step.

    Args:
        instructions: The prompt that lists the tools.
        asked: The texts of the user and of the tools (as observations), oldest first.
        answer: Answers a plain question.
    """
    question, observation = latest(asked)
    if observation is not None:
        return final(instructions, observation)
    tool = best(tools_in(instructions), question)
    if tool is None:
        return final(instructions, answer(question))
    given = json.dumps(arguments(tool, question), ensure_ascii=False)
    thought = "The current language of the user is: English. I need to use a tool to help me answer the question."
    return f"Thought: {thought}\nAction: {tool.name}\nAction Input: {given}"


def latest(asked: Sequence[str]) -> tuple[str, str | None]:
    """Return the newest question, and the observation if one came after it."""
    observation = None
    for text in reversed(asked):
        if not text.lstrip().startswith("Observation:"):
            return text, observation
        observation = observation or text.split("Observation:", 1)[1].strip()
    return "", observation


def final(instructions: str, answer: str) -> str:
    """Return the last step in the form that the prompt asks for."""
    if "Final Answer:" in instructions:
        return f"Thought: I now know the final answer\nFinal Answer: {answer}"
    thought = "I can answer without using any more tools. I'll use the user's language to answer"
    return f"Thought: {thought}\nAnswer: {answer}"


def tools_in(instructions: str) -> list[Tool]:
    """Return the tools that the prompt lists."""
    return [Tool(match["name"], match["about"], schema_of(match["args"])) for match in LISTED.finditer(instructions)]


def schema_of(text: str) -> dict[str, Any]:
    """Return the schema of a tool's arguments; an empty one if the text is no JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def arguments(tool: Tool, question: str) -> dict[str, Any]:
    """Return arguments from the question: required ones, and options that it names."""
    free = numbers(question)
    given: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        value = argument(schema, subject_of(question, 40) if name == "prompt" else question, free)
        if value is not None and (name in tool.parameters.get("required", ()) or schema.get("enum")):
            given[name] = value
    return given


def argument(schema: dict[str, Any], question: str, free: list[float]) -> Any:
    """Return one argument: the option that the question names, its next number, or the question itself."""
    if options := schema.get("enum"):
        return next(
            (option for option in options if re.search(rf"(?<!\w){re.escape(str(option))}(?!\w)", question)), None
        )
    if schema.get("type") in ("integer", "number"):
        number = free.pop(0) if free else 0
        return int(number) if schema["type"] == "integer" else number
    if schema.get("type", "string") == "string":
        return question.strip()
    return None
