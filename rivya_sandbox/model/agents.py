"""Agents that work with text alone (Thought, Action, Observation): recognised, and answered in their form.

A tool is used where one of those listed clearly fits the question; after an observation, or without a fitting tool,
the question is answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.model.words import stems, subject_of

FITS = 2
LISTED = re.compile(
    r"> Tool Name: (?P<name>\S+)\n\s*Tool Description: (?P<about>.*?)\n\s*Tool Args: (?P<args>\{.*?\})\s*(?=\n|\Z)",
    re.DOTALL,
)
IMAGE_WORDS = frozenset(
    stems("image picture photo drawing draw paint painting illustration illustrate logo poster icon")
)


@dataclass(frozen=True)
class Tool:
    """A tool as the prompt lists it."""

    name: str
    about: str
    properties: dict[str, Any]
    required: tuple[str, ...]

    def fit(self, question: str) -> int:
        """How well it fits: shared words, those for pictures counting for each other."""
        asked, offered = stems(question), stems(self.name.replace("_", " ") + " " + self.about)
        pictures = FITS * bool(asked & IMAGE_WORDS and offered & IMAGE_WORDS)
        named = FITS * (self.name.lower() in question.lower())
        sums = FITS * (len(numbers(question)) > 1 and bool(asked & stems(self.name.replace("_", " "))))
        return len(asked & offered) + pictures + named + sums


def is_agent_prompt(instructions: str) -> bool:
    """Whether the instructions ask for thoughts and actions as text."""
    return "Action Input:" in instructions and "Thought:" in instructions


def act(instructions: str, said: Sequence[str], answer: Callable[[str], str]) -> str:
    """The agent's next step.

    Args:
        instructions: The prompt that lists the tools.
        said: What the user (and the tools, as observations) said, oldest first.
        answer: Answers a plain question.
    """
    question, observation = latest(said)
    if observation is not None:
        return final(instructions, observation)
    tool = fitting(tools_in(instructions), question)
    if tool is None:
        return final(instructions, answer(question))
    given = json.dumps(arguments(tool, question), ensure_ascii=False)
    thought = "The current language of the user is: English. I need to use a tool to help me answer the question."
    return f"Thought: {thought}\nAction: {tool.name}\nAction Input: {given}"


def latest(said: Sequence[str]) -> tuple[str, str | None]:
    """The newest question, and the observation if one has come after it."""
    observation = None
    for text in reversed(said):
        if not text.lstrip().startswith("Observation:"):
            return text, observation
        observation = observation or text.split("Observation:", 1)[1].strip()
    return "", observation


def final(instructions: str, answer: str) -> str:
    """The last step, in the words that the prompt gives."""
    if "Final Answer:" in instructions:
        return f"Thought: I now know the final answer\nFinal Answer: {answer}"
    thought = "I can answer without using any more tools. I'll use the user's language to answer"
    return f"Thought: {thought}\nAnswer: {answer}"


def tools_in(instructions: str) -> list[Tool]:
    """The tools that the prompt lists."""
    return [tool_of(match) for match in LISTED.finditer(instructions)]


def tool_of(match: re.Match[str]) -> Tool:
    """One listed tool."""
    try:
        schema = json.loads(match["args"])
    except ValueError:
        schema = {}
    return Tool(match["name"], match["about"], schema.get("properties") or {}, tuple(schema.get("required") or ()))


def fitting(tools: Sequence[Tool], question: str) -> Tool | None:
    """The tool that fits best, if one fits at all."""
    best = max(tools, key=lambda tool: tool.fit(question), default=None)
    return best if best is not None and best.fit(question) >= FITS else None


def arguments(tool: Tool, question: str) -> dict[str, Any]:
    """Arguments out of the question: what is required, and options that it names."""
    free = numbers(question)
    given: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        value = argument(schema, subject_of(question, 40) if name == "prompt" else question, free)
        if value is not None and (name in tool.required or schema.get("enum")):
            given[name] = value
    return given


def argument(schema: dict[str, Any], question: str, free: list[float]) -> Any:
    """One argument: the option that the question names, the next number in it, or the question itself."""
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


def numbers(text: str) -> list[float]:
    """All numbers in a text."""
    return [float(number) if "." in number else int(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
