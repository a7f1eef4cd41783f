"""Choices: between summaries, documents and tools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from rivya_sandbox.model.text_utils import stems, subject_of


def summary(match: re.Match[str]) -> str | None:
    """Choose one summary for a question: as JSON if the prompt asks for it, else as `ANSWER: n`."""
    text = match["text"]
    found = chosen(text)
    if found is None:
        return None
    number, reason = found
    if "JSON" in text:
        return json.dumps([{"choice": int(number), "reason": reason}], ensure_ascii=False)
    return f"ANSWER: {number}\nThis summary was selected because {reason}."


def chosen(text: str) -> tuple[str, str] | None:
    """Return the number of the summary that fits a question best, and the reason; `None` if there is no such choice."""
    asked = re.search(r"(?s)relevant to the question: '(.*?)'\s*(?:\n|\Z)", text)
    options = dict(re.findall(r"(?m)^\s*\((\d+)\)\s*(.+)$", text))
    if asked is None or not options:
        return None
    number = max(options, key=lambda number: shared(asked[1], options[number]))
    return number, f"it speaks of {subject_of(options[number])}"


def as_fields(text: str) -> str | None:
    """Return the choice that a prompt asks for as the fields of a selection; `None` if it asks for none."""
    found = chosen(text) if "choices are given below" in text else None
    return f"index: {found[0]}, reason: {found[1]}" if found else None


def documents(match: re.Match[str]) -> str | None:
    """Choose the documents for a question, each with a relevance."""
    task = match["text"].rpartition("Let's try this now:")[2]
    asked = re.search(r"(?s)Question:\s*(.*?)\s*Answer:", task)
    if asked is None:
        return None
    found = dict(re.findall(r"(?s)Document (\d+):\s*(.*?)(?=\nDocument \d+:|\nQuestion:)", task))
    scored = {number: shared(asked[1], body) for number, body in found.items()}
    ordered = sorted((number for number in scored if scored[number]), key=lambda number: -scored[number])
    lines = [f"Doc: {number}, Relevance: {min(10, 4 + 2 * scored[number])}" for number in ordered]
    return "\n".join(lines or [f"Doc: {number}, Relevance: 1" for number in list(found)[:1]])


def sub_questions(match: re.Match[str]) -> str | None:
    """Return a question for each tool that fits, or for all tools, as JSON in Markdown."""
    try:
        tools = json.loads(match["tools"])
    except ValueError:
        return None
    if not isinstance(tools, Mapping):
        return None
    query = match["query"].strip()
    fitting = [name for name, about in tools.items() if shared(query, f"{name.replace('_', ' ')} {about}")]
    items = [{"sub_question": query, "tool_name": name} for name in fitting or tools]
    return f"```json\n{json.dumps({'items': items}, indent=4, ensure_ascii=False)}\n```"


def shared(question: str, text: str) -> int:
    """Return how many words a question and a text share."""
    return len(stems(question) & stems(text))
