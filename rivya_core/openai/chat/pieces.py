"""The one text in a chunk that brings nothing else: of the reply, of the reasoning, or of a call's arguments. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.openai.chat.parsing import failure_of, first_choice, is_error

CALLS, ARGUMENTS = "tool_calls", "arguments"
Rest = tuple[str, dict[str, Any]]
"""Under which key of a delta the text is, and the other keys; for a call's arguments, the call without them."""


def piece_of(chunk: Any) -> tuple[Rest, str] | None:
    """Return the rest of a chunk's delta and its text, if reading the same chunk again changes nothing but the text."""
    if not isinstance(chunk, dict) or chunk.get("usage") is not None or is_error(chunk):
        return None
    choice = first_choice(chunk) or {}
    delta, is_last = choice.get("delta"), bool(choice.get("finish_reason"))
    if not isinstance(delta, dict) or is_last or choice.get("logprobs") is not None or failure_of(choice):
        return None
    told = {key: value for key, value in delta.items() if key != "role" and value is not None}
    key = next((key for key, value in told.items() if value), "")
    text = told.pop(key, None)
    if any(told.values()):
        return None
    if key == CALLS and not told:
        told, text = _call_and_arguments(text)
    return ((key, told), text) if isinstance(text, str) else None


def with_piece(rest: Rest, text: str) -> Mapping[str, Any]:
    """Return the delta with this rest and this text."""
    key, told = rest
    if key != CALLS:
        return {**told, key: text}
    return {CALLS: [{**told, "function": {**told["function"], ARGUMENTS: text}}]}


def _call_and_arguments(calls: Any) -> tuple[dict[str, Any], Any]:
    """Return the only call without its arguments, and these."""
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 else None
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        return {}, None
    rest = {key: value for key, value in function.items() if key != ARGUMENTS}
    return {**call, "function": rest}, function.get(ARGUMENTS)
