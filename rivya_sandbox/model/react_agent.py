"""The ReAct form of tools: a prompt that lists tools and asks for Thought, Action and Action Input as text."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from rivya_sandbox.values import Completion, Message, ModelRequest, Tool

LISTED = re.compile(
    r"> Tool Name: (?P<name>\S+)\n\s*Tool Description: (?P<about>.*?)\n\s*Tool Args: (?P<args>\{.*?\})\s*(?=\n|\Z)",
    re.DOTALL,
)
ACTION = re.compile(r"Action:\s*(?P<name>[^\n(]+?)\s*\n+\s*Action Input:\s*(?P<given>\{.*\})?", re.DOTALL)
OBSERVATION = re.compile(r"\s*Observation:\s*(?P<result>.*)", re.DOTALL)
HANDED_OFF = re.compile(r"\s*(?:Observation:\s*)?Agent \S+ is now handling the request")


def read(request: ModelRequest) -> ModelRequest | None:
    """Return the request with its tools, calls and results; `None` if the prompt has another form."""
    asked = next((message.text for message in reversed(request) if message.role == "user"), "")
    instructions = request.system or asked
    if "Action Input:" not in instructions or "Thought:" not in instructions:
        return None
    tools = [Tool(match["name"], match["about"], json_object(match["args"])) for match in LISTED.finditer(instructions)]
    messages = [step(message) for message in request if message.role != "system"]
    return ModelRequest(messages, **{**vars(request), "tools": tuple(tools)})


def step(message: Message) -> Message:
    """Return an action as a tool call, and an observation as its result."""
    if message.role == "assistant" and (action := ACTION.search(message.text)):
        function = {"name": action["name"], "arguments": json.dumps(arguments(action["given"] or "{}"))}
        return Message("assistant", message.text, tool_calls=({"id": action["name"], "function": function},))
    if message.role == "user" and HANDED_OFF.match(message.text):
        return Message("tool", message.text, tool_call_id="handoff")
    if message.role in ("user", "tool") and (observed := OBSERVATION.match(message.text)):
        return Message("tool", observed["result"].strip())
    return message


def write(completion: Completion, request: ModelRequest) -> str:
    """Return a completion in the form that the prompt asks for: an action, or the answer."""
    if completion.calls:
        call = completion.calls[0]
        thought = "The current language of the user is: English. I need to use a tool to help me answer the question."
        return f"Thought: {thought}\nAction: {call.name}\nAction Input: {call.text}"
    answer = re.sub(r"^The tools? answered: ", "", completion.text)
    if any("Final Answer:" in message.text for message in request):
        return f"Thought: I now know the final answer\nFinal Answer: {answer}"
    thought = "I can answer without using any more tools. I'll use the user's language to answer"
    return f"Thought: {thought}\nAnswer: {answer}"


def arguments(text: str) -> Any:
    """Return arguments that are written as JSON, or as the Python dictionary that LlamaIndex makes of it."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return json_object(text)


def json_object(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one if the text is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
