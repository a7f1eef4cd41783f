"""What one frame of a Rivya chat stream means, whichever of the plausible dialects it is written in.

https://rivya.ai/docs/api-chat says that the stream is server-sent events that carry the assistant's text in
pieces; names and shapes of the events are not on any page. So everything that is assumed about them stands in the
tables below, and one edit mends it when the service turns out otherwise. A whole reply is read by the same tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_core.chat import Usage
from rivya_core.usage import read_usage

CONTAINERS = ("data", "response", "completion", "result", "payload", "chat", "turn", "item", "body")
"""Keys whose object is looked through as if its content stood outside."""
ENDING = frozenset(
    "done completed complete end ended finished finish final stop stopped succeeded success closed close".split()
)
"""A label with one of these words ends something: the reply, or with a word of `PARTS` only a part of it."""
PARTS = frozenset("text content part item delta block chunk token step tool section summary".split())
TEXTUAL = frozenset(
    "delta message token chunk text content answer output completion assistant response chat data part update "
    "updated snapshot reply".split()
)
"""A named frame brings text only if its label has one of these words; other names are skipped."""
SNAPSHOT = frozenset("snapshot updated".split())
"""A label with one of these words brings the text so far, not the next piece."""
FOREIGN = frozenset(
    "citation citations source sources annotation annotations search tool title suggestion suggestions usage credits "
    "session status ping heartbeat keepalive keep alive queued started start created progress metadata user".split()
)
"""Text in a frame with one of these words in its label is not the assistant's."""
FAILING = frozenset("error failed failure".split())
FLAGS = ("done", "is_final", "isFinal", "finished", "completed", "final")
"""Keys that end the reply when they are true."""
THOUGHT = re.compile(r"thought|thinking|reasoning", re.IGNORECASE)
NO_THOUGHT = re.compile(r"effort|token|mode|enabled|_id$|signature|duration|time|count|level|status", re.IGNORECASE)
SESSION_KEYS = ("session_id", "sessionId", "chat_session_id", "chatSessionId")


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame says.

    Attributes:
        text: Assistant's text.
        thought: Assistant's reasoning.
        whole: Whether `text` and `thought` are all there is so far (True), the next piece (False), or either (None).
        ends: Whether the reply is complete with this frame.
        error: The frame, if it reports one.
        facts: `id`, `session_id`, `model`, `created_at`, `credits`, as far as they stand in it.
        usage: Tokens of the turn.
    """

    text: str = ""
    thought: str = ""
    whole: bool | None = False
    ends: bool = False
    error: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage | None = None


def read_frame(name: str, payload: Any) -> Frame:
    """Return what the frame *name* with JSON *payload* says."""
    if not isinstance(payload, Mapping):
        payload = {"text": payload} if isinstance(payload, str) else {}
    layers = list(_layers(payload))
    words = _words(name, *(_label(layer) for layer in layers))
    error = _error(words, layers, payload)
    if error is not None:
        return Frame(error=error)
    ends = _ends(words, layers)
    whole = _whole(words, layers, ends=ends)
    text, thought = _said(words, layers, whole=whole is not False)
    usages = [usage for layer in layers if (usage := read_usage(layer.get("usage")))]
    return Frame(text, thought, whole, ends, None, _facts(layers, ends=ends), usages[-1] if usages else None)


def read_reply(value: Mapping[str, Any]) -> Frame:
    """Return what a whole reply says."""
    return read_frame("completed", value)


def _layers(value: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    yield value
    for key in CONTAINERS if depth < 4 else ():  # noqa: PLR2004 - deeper than a closing object may be nested
        inner = value.get(key)
        if isinstance(inner, Mapping):
            yield from _layers(inner, depth + 1)


def _label(layer: Mapping[str, Any]) -> str:
    return " ".join(value for key in ("type", "event", "kind") if isinstance(value := layer.get(key), str))


def _words(*labels: str) -> frozenset[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", " ".join(labels))
    return frozenset(re.findall(r"[a-z]+", split.lower()))


def _error(words: frozenset[str], layers: list[Mapping[str, Any]], payload: Mapping[str, Any]) -> Any:
    if any(layer.get("error") for layer in layers):
        return next(layer for layer in layers if layer.get("error"))
    failed = words & FAILING or any(layer.get("status") in FAILING for layer in layers)
    return {"error": layers[-1]} if failed and payload else None


def _ends(words: frozenset[str], layers: list[Mapping[str, Any]]) -> bool:
    if any(layer.get(flag) is True for layer in layers for flag in FLAGS):
        return True
    if words & ENDING:
        return not (words & PARTS or any(THOUGHT.search(word) for word in words))
    if any(layer.get("status") in ENDING or layer.get("object") == "chat.completion" for layer in layers):
        return True
    closing = any(isinstance(layer.get("message"), Mapping) and layer.get("credits") for layer in layers)
    return closing or any(_finish_reason(layer) for layer in layers)


def _whole(words: frozenset[str], layers: list[Mapping[str, Any]], *, ends: bool) -> bool | None:
    if any(layer.get("delta") or _choice(layer).get("delta") for layer in layers):
        return False
    labelled = bool(words & (SNAPSHOT | ENDING)) or any(isinstance(layer.get("message"), Mapping) for layer in layers)
    return (True if labelled else None) if ends or words & (SNAPSHOT | ENDING) else False


def _finish_reason(layer: Mapping[str, Any]) -> bool:
    choice = _choice(layer)
    return isinstance(choice.get("finish_reason"), str) and bool(choice["finish_reason"])


def _said(words: frozenset[str], layers: list[Mapping[str, Any]], *, whole: bool) -> tuple[str, str]:
    """Text and thought of a frame; the first layer that says anything speaks for all."""
    silent = bool(words & FOREIGN) or not (words & (TEXTUAL | ENDING) or not words or _thinks(words))
    for layer in layers:
        text, thought = "", ""
        for speaker in _speakers(layer, whole=whole):
            more_text, more_thought = _speech(speaker)
            text, thought = text or more_text, thought or more_thought
        if _thinks(words):
            text, thought = "", thought or text
        if text or thought:
            return ("", "") if silent else (text, thought)
    return "", ""


def _thinks(words: frozenset[str]) -> bool:
    return any(THOUGHT.search(word) for word in words)


def _speakers(layer: Mapping[str, Any], *, whole: bool) -> Iterator[Any]:
    """The objects of a layer that may hold text, the likeliest first."""
    choice = _choice(layer)
    message = [layer.get("message"), choice.get("message")]
    delta = [layer.get("delta"), choice.get("delta")]
    for found in [*message, *delta, layer] if whole else [*delta, layer, *message]:
        foreign = isinstance(found, Mapping) and found.get("role") not in (None, "assistant", "model")
        if found and not foreign:
            yield found


def _choice(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = layer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _speech(value: Any, *, thinking: bool = False) -> tuple[str, str]:
    """Text and thought in a string, a content part, a list of parts or an object that has them."""
    if isinstance(value, str):
        return ("", value) if thinking else (value, "")
    if isinstance(value, list):
        spoken = [_speech(part, thinking=thinking) for part in value]
        return "".join(text for text, _ in spoken), "".join(thought for _, thought in spoken)
    if not isinstance(value, Mapping):
        return "", ""
    thinking = thinking or bool(THOUGHT.search(str(value.get("type") or "")))
    keys = ("content", "text", "token", "value", "output_text")
    found = next((value[key] for key in keys if value.get(key) and not isinstance(value[key], bool)), "")
    text, thought = _speech(found, thinking=thinking)
    return text, thought or _thought(value)


def _thought(value: Mapping[str, Any]) -> str:
    """What stands under a key that says thought, thinking or reasoning, and is words."""
    for key, inner in value.items():
        if inner and THOUGHT.search(key) and not NO_THOUGHT.search(key):
            words = _speech(inner, thinking=True)[1]
            if words:
                return words
    return ""


def _facts(layers: list[Mapping[str, Any]], *, ends: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for layer in layers:
        session = layer.get("session")
        ids = [layer.get(key) for key in SESSION_KEYS]
        ids += [session.get("id")] if isinstance(session, Mapping) else []
        found = {
            "session_id": next((value for value in ids if isinstance(value, str) and value), None),
            "model": _text_or_none(layer.get("model")),
            "created_at": _text_or_none(layer.get("created_at") or layer.get("createdAt")),
            "credits": _credits(layer),
            "id": _text_or_none(layer.get("id")) if ends or "choices" in layer else None,
        }
        facts.update({key: value for key, value in found.items() if value is not None})
    return facts


def _credits(layer: Mapping[str, Any]) -> dict[str, int | float] | None:
    """`{"reserved": n, "final": n}`, nested as the chat page shows it or flat as generations write it."""
    nested = layer.get("credits")
    named = nested if isinstance(nested, Mapping) else {"final": nested}
    pairs = {
        "reserved": named.get("reserved", layer.get("reserved_credits")),
        "final": named.get("final", layer.get("final_credits")),
    }
    counted = {k: v for k, v in pairs.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    return counted or None


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
