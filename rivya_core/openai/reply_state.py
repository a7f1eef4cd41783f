"""State that a back end attaches to a reply, kept with the message and sent back to the same back end.

Reasoning models depend on it: Moonshot and DeepSeek want `reasoning_content` back, OpenRouter `reasoning_details`,
Gemini the `extra_content` of each tool call, and the Responses API its items. Metadata pass through checkpoints and
front ends, so what comes back is not trusted: it is sealed with the account's key, and only what was sealed here is
sent. Otherwise a forged history could carry text that is never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rivya_core.sessions.pointers import Origin
from rivya_core.types import SendBack

STATE_KEY = "provider_state"
"""Under which the metadata of a reply of chat completions keep its state."""
VERSION = 1
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Keys of a message that hold its reasoning as a text."""
REASONING_TYPES = frozenset(
    {"thinking", "redacted_thinking", "reasoning", "reasoning_text", "reasoning.text", "reasoning.summary", "summary"}
)
"""Types of parts of a content that are reasoning; they are state, because the message has only its text."""

MESSAGE_KEYS = frozenset(
    "role content name refusal annotations audio images tool_calls tool_call_id function_call usage error".split()
)
"""Keys of a message that have a place of their own; they are never part of its state."""
CALL_KEYS = frozenset("id index type function custom name arguments".split())
"""The same for a tool call."""
FUNCTION_KEYS = frozenset({"name", "arguments"})
"""The same for the `function` of a tool call."""


@dataclass(frozen=True, slots=True)
class ReplyState:
    """The state of one reply.

    Attributes:
        message: Further keys of the message.
        calls: Further keys of its tool calls, by the id of the call. Those of the call's `function` are under that key.
        parts: Parts of its content that are reasoning, as Mistral and Databricks send it.
    """

    message: Mapping[str, Any] = field(default_factory=dict)
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parts: Sequence[Mapping[str, Any]] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.message or self.calls or self.parts)


NO_STATE = ReplyState()


def seal_state(state: ReplyState, origin: Origin) -> dict[str, Any]:
    """Return the form that goes into a message's metadata."""
    value = {"message": dict(state.message), "calls": {id_: dict(keys) for id_, keys in state.calls.items()}}
    return {"v": VERSION, "origin": origin.fingerprint, **value, "seal": seal("state", value, origin)}


def state_to_send(kept: Any, origin: Origin, *rules: SendBack) -> ReplyState:
    """Return what of the state in a message's metadata goes to *origin*: none that it did not send.

    Args:
        kept: What the metadata hold, untrusted.
        origin: Where the request goes.
        rules: What all may be sent back; a key must be allowed by each of them.
    """
    if not is_own(kept, origin) or "none" in rules:
        return NO_STATE
    value = {"message": kept.get("message"), "calls": kept.get("calls")}
    if not is_sealed(kept, "state", value, origin):
        return NO_STATE
    message, calls = _allowed(value["message"], MESSAGE_KEYS, rules), value["calls"]
    listed = calls.items() if isinstance(calls, Mapping) else ()
    found = {id_: _allowed(keys, CALL_KEYS, rules) for id_, keys in listed}
    content = value["message"].get("content") if isinstance(value["message"], Mapping) else None
    parts = tuple(reasoning_parts(content)) if sends_back("content", *rules) else ()
    return ReplyState(message, {id_: keys for id_, keys in found.items() if keys}, parts)


def reasoning_parts(content: Any) -> list[Mapping[str, Any]]:
    """Return the parts of a message's content that are reasoning."""
    found = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    return [part for part in found if str(part.get("type")) in REASONING_TYPES]


def sends_back(name: str, *rules: SendBack) -> bool:
    """Whether the state called *name* may be sent back under each of *rules*."""
    return all(rule == "own" or (rule != "none" and name in rule) for rule in rules)


def is_own(kept: Any, origin: Origin) -> bool:
    """Whether *kept* names *origin* as where it came from."""
    return isinstance(kept, Mapping) and kept.get("v") == VERSION and kept.get("origin") == origin.fingerprint


def seal(kind: str, value: Any, origin: Origin) -> str:
    """Return the seal of a JSON value that *origin* sent."""
    facts = json.dumps([VERSION, value], sort_keys=True, default=str)
    return hmac.new(origin.secret, kind.encode() + facts.encode(), hashlib.sha256).hexdigest()


def is_sealed(kept: Mapping[str, Any], kind: str, value: Any, origin: Origin) -> bool:
    """Whether the seal in *kept* is the one of *value*."""
    try:
        made = seal(kind, value, origin)
    except (ValueError, TypeError, RecursionError):
        return False
    return hmac.compare_digest(str(kept.get("seal")).encode("utf-8", "replace"), made.encode())


def _allowed(keys: Any, standard: frozenset[str], rules: Sequence[SendBack]) -> dict[str, Any]:
    """Return the keys that may be sent; of a call's function its own keys decide."""
    found: dict[str, Any] = {}
    for name, value in keys.items() if isinstance(keys, Mapping) else ():
        if name == "function" and standard is CALL_KEYS:
            inner = _allowed(value, FUNCTION_KEYS, rules)
            found |= {"function": inner} if inner else {}
        elif name not in standard and sends_back(name, *rules):
            found[name] = value
    return found
