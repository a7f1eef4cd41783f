"""The code form of tools: a prompt that lists Python functions and asks for code in `<execute>` tags."""

from __future__ import annotations

import ast
import json
import re

from rivya_sandbox.model.tool_text import schema_of
from rivya_sandbox.values import Completion, Message, ModelRequest, Tool

FUNCTION = re.compile(r'(?s)\bdef (\w+)\(([^()]*)\)[^\n]*:\n\s*"""\n(.*?)\n\s*"""')
CODE = re.compile(r"(?s)<execute>(.*?)</execute>")
RESULT = re.compile(r"(?s)\s*Result of executing the code given:\s*(.*)")


def read(request: ModelRequest) -> ModelRequest | None:
    """Return the request with its functions, calls and results; `None` if the prompt has another form."""
    if "<execute>" not in request.system:
        return None
    listed = FUNCTION.findall(request.system.rpartition("following functions:")[2])
    tools = tuple(Tool(name, about.strip(), schema_of(arguments)) for name, arguments, about in listed)
    messages = [step(message) for message in request if message.role != "system"]
    return ModelRequest(messages, **{**vars(request), "tools": tools})


def step(message: Message) -> Message:
    """Return code as tool calls, and its output as their result."""
    if message.role == "user" and (result := RESULT.match(message.text)):
        return Message("tool", result[1].strip())
    code = CODE.search(message.text) if message.role == "assistant" else None
    lines = code[1].splitlines() if code else ()
    calls = tuple({"function": call} for line in lines if (call := call_in(line)))
    return Message(message.role, message.text, message.attachments, message.name, calls)


def call_in(line: str) -> dict[str, str] | None:
    """Return the call in a line that the stand-in wrote, `print(name(argument=value))`; `None` for another line."""
    written = re.fullmatch(r"print\((\w+)\((.*)\)\)", line.strip())
    try:
        tree = ast.parse(f"f({written[2]})", mode="eval").body if written else None
        given = {word.arg: ast.literal_eval(word.value) for word in tree.keywords} if isinstance(tree, ast.Call) else {}
    except (SyntaxError, ValueError):
        return None
    return {"name": written[1], "arguments": json.dumps(given)} if written else None


def write(completion: Completion, _request: ModelRequest) -> str:
    """Return a completion as code that prints the result of each call, or as the answer."""
    lines = [
        f"print({call.name}({', '.join(f'{name}={value!r}' for name, value in json.loads(call.text).items())}))"
        for call in completion.calls
    ]
    return f"<execute>\n{chr(10).join(lines)}\n</execute>" if lines else completion.text
