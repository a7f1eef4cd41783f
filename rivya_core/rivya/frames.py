"""Reading one frame of a Rivya chat stream, in any of the plausible formats.

This module decides whether a frame reports an error, whether it ends the reply, and which text and reasoning it holds.
A whole reply is read in the same way. The tables are in `vocabulary.py`; `metadata.py` reads ids, credits and usage;
`wire.py` joins the frames of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rivya_core.rivya.metadata import has_final_credits, objects_in, read_facts
from rivya_core.rivya.text_assembler import Form
from rivya_core.rivya.vocabulary import (
    ENDING,
    FAILING,
    FOREIGN_ROLES,
    LONGEST_LABEL,
    REASONING_FLAG,
    STARTING_PARTS,
    Meaning,
    is_container,
    is_end_flag,
    is_reasoning,
    is_unrelated,
    meaning,
    words_end_reply,
    words_of,
)
from rivya_core.types import NOTHING, Usage

Object = Mapping[str, Any]

LABEL_KEYS = ("type", "event", "kind")
ROLE_KEYS = ("role", "author", "sender")
FINISH_KEYS = ("finish_reason", "finishReason", "stop_reason", "stopReason")
ROLES, FINISHES = frozenset(ROLE_KEYS), frozenset(FINISH_KEYS)
ERRORS = ("error", "errors")
TEXT_KEYS = ("content", "text", "output_text", "answer", "reply", "output", "parts", "refusal", "summary")
STRING_KEYS = (
    "token",
    "value",
    "response",
    "completion",
    "chunk",
    "piece",
    "data",
    "payload",
    "body",
    "generated_text",
)
"""Keys whose string is text; an object there is something else."""
WORDED = frozenset((*TEXT_KEYS, *STRING_KEYS))
NOT_SPEECH = frozenset("status state progress code success ok level stage step".split())
"""With one of these keys in the same object, a string under `message` is a notice, not the assistant's text."""
NO_REASON = frozenset({"", "null", "none", "finish_reason_unspecified"})
ERROR_KEYS = frozenset("message code detail details msg content reason".split())
FAILURE_KEYS = frozenset({"status", "code", "success", "ok"})
UNNAMED_FAILURE: Object = {"message": "The provider reported an error without saying which."}
WHOLE = meaning(("completed",))
DEEPEST = 4
"""How deep a closing object may be nested."""
DOCUMENTED = frozenset("id object session_id model created_at message usage credits".split())
"""The keys of a whole reply as https://rivya.ai/docs/api-chat shows it; those of its objects follow."""
DOCUMENTED_MESSAGE = frozenset({"id", "role", "content"})
DOCUMENTED_USAGE = frozenset({"input_tokens", "output_tokens", "total_tokens"})
DOCUMENTED_CREDITS = frozenset({"reserved", "final"})
DOCUMENTED_FACTS = ("id", "session_id", "model", "created_at")
LARGEST_COUNT = 10**15


class Frame(NamedTuple):
    """The contents of one frame.

    Attributes:
        text: The assistant's text.
        reasoning: The assistant's reasoning.
        form: Whether `text` and `reasoning` are the next piece, the whole so far, either, or the whole of one part.
        ends: Whether the reply is complete with this frame.
        closes: Whether no further text can follow; after a finish reason, a closing object may follow.
        error: The frame, if it reports one.
        facts: Those of `id`, `session_id`, `model`, `created_at` and `credits` that the frame holds.
        usage: Token counts of the turn.
    """

    text: str = ""
    reasoning: str = ""
    form: Form = "piece"
    ends: bool = False
    closes: bool = False
    error: Any = None
    facts: Mapping[str, Any] = NOTHING
    usage: Usage | None = None


def read_frame(name: str, payload: Any) -> Frame:
    """Return the contents of the frame *name* with the JSON *payload*."""
    value = payload if isinstance(payload, dict) else {"content": payload}
    if isinstance(payload, str) and words_end_reply(words_of(name)) and words_end_reply(words_of(payload)):
        value = {}  # `event: done`, `data: done`
    layers = list(_layers(value))
    return _read(meaning((name, *map(_label, layers))), layers)


def read_reply(value: Object) -> Frame:
    """Return the contents of a whole reply, whatever its label is."""
    return _documented(value) or _read(WHOLE, list(_layers(value)))


def _documented(value: Object) -> Frame | None:
    """Return a reply that has exactly the documented form; None for any other, whose values must be searched for."""
    message, usage = _object(value, "message", DOCUMENTED_MESSAGE), _object(value, "usage", DOCUMENTED_USAGE)
    spent, text = _object(value, "credits", DOCUMENTED_CREDITS), message.get("content")
    counts = (*usage.values(), *spent.values())
    if len(counts) < len(DOCUMENTED_USAGE) + len(DOCUMENTED_CREDITS) or not all(map(_is_count, counts)):
        return None
    facts: dict[str, Any] = {key: value.get(key) for key in DOCUMENTED_FACTS}
    others = (message.get("id", "-"), value.get("object", "-"))
    if not all(map(_is_plain, (*facts.values(), *others))) or not DOCUMENTED.issuperset(value):
        return None
    tokens = Usage(**usage)
    adds_up = tokens.total_tokens == tokens.input_tokens + tokens.output_tokens
    if not adds_up or message.get("role") != "assistant" or not isinstance(text, str):
        return None
    return Frame(text, "", "whole", True, True, None, {**facts, "credits": dict(spent)}, tokens)


def _object(value: Object, key: str, keys: frozenset[str]) -> Object:
    """The object under *key*, if it has none but these *keys*."""
    found = value.get(key)
    return found if isinstance(found, dict) and keys.issuperset(found) else {}


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST_COUNT


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isascii()


def _read(label: Meaning, layers: list[Object]) -> Frame:
    objects = list(objects_in(layers[0]))
    error = _error(label, layers, objects)
    if error is not None:
        return Frame(error=error)
    ends, closes = _end(label, layers, objects)
    form = _form(label, layers, ends=ends)
    first = "delta" if form == "piece" else "message"
    text, reasoning = ("", "") if label.silent else _text_and_reasoning(layers, first=first, ends=ends)
    if label.reasons:
        text, reasoning = "", text or reasoning
    facts, usage = read_facts(label.words, objects, ends=ends)
    return Frame(text, reasoning, form, ends, closes, None, facts, usage)


def _layers(value: Object, depth: int = 0) -> Iterator[Object]:
    """Yield *value* and the objects that only wrap its contents."""
    yield value
    for key, inner in value.items() if depth < DEEPEST and not _is_foreign(value) else ():
        if isinstance(inner, dict) and is_container(key):
            yield from _layers(inner, depth + 1)


def _label(layer: Object) -> str:
    found = [value[:LONGEST_LABEL] for key in LABEL_KEYS if isinstance(value := layer.get(key), str)]
    return " ".join(found)


def _choice(layer: Object) -> Object:
    choices = layer.get("choices") or layer.get("candidates")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _is_one_of(value: Any, words: frozenset[str]) -> bool:
    return isinstance(value, str) and value.lower() in words


# --- errors and ends


def _error(label: Meaning, layers: list[Object], objects: list[Object]) -> Any:
    for value in objects:
        for key in ERRORS if "error" in value or "errors" in value else ():
            if key in value and _holds_error(value[key]):
                return {**value, "error": value[key]}
    if not (label.fails or any(map(_fails, layers))):
        return None
    told = next((layer for layer in layers if not ERROR_KEYS.isdisjoint(layer)), UNNAMED_FAILURE)
    return {"error": told if "content" not in told else told["content"] or UNNAMED_FAILURE}


def _holds_error(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _fails(layer: Object) -> bool:
    """Whether a frame without an error object still reports that the turn failed."""
    if FAILURE_KEYS.isdisjoint(layer) and not _finish_reason(layer):
        return False
    status, code = layer.get("status"), layer.get("code")
    if _is_one_of(status, FAILING) or _finish_reason(layer) in FAILING:
        return True
    if layer.get("success") is False or layer.get("ok") is False:
        return True
    if _is_failure_status(status) or _is_failure_status(code):
        return True
    worded = isinstance(code, str) and code.lower() not in {"", "ok", "success"} and not code.isdigit()
    return worded and isinstance(layer.get("message"), str) and not layer.get("delta")


def _is_failure_status(value: Any) -> bool:
    return isinstance(value, int) and 400 <= value < 600  # noqa: PLR2004 - HTTP's own boundaries


def _end(label: Meaning, layers: list[Object], objects: list[Object]) -> tuple[bool, bool]:
    """Whether the reply is complete, and whether no more text can come."""
    if label.parts or label.reasons or label.unrelated:
        return False, False
    if label.closes:
        return True, True
    if any(inner is True and is_end_flag(key) for layer in layers for key, inner in layer.items()):
        return True, not label.words & STARTING_PARTS
    told = any(map(_is_finished, layers)) or any(map(_finish_reason, layers))
    return told or (_has_message(layers) and has_final_credits(objects)), False


def _is_finished(layer: Object) -> bool:
    if layer.get("delta") or _choice(layer).get("delta"):
        return False
    return _is_one_of(layer.get("status"), ENDING) or layer.get("object") == "chat.completion"


def _finish_reason(layer: Object) -> str:
    """The finish reason in one of the usual places of the layer, or an empty string."""
    places: tuple[Any, ...] = (_choice(layer), layer, layer.get("delta"), layer.get("message"))
    for place in places:
        for key in FINISH_KEYS if isinstance(place, dict) and not FINISHES.isdisjoint(place) else ():
            reason = place.get(key)
            if isinstance(reason, str) and reason.lower() not in NO_REASON:
                return reason.lower()
    return ""


def _has_message(layers: list[Object]) -> bool:
    return any(isinstance(layer.get("message"), dict) for layer in layers)


def _form(label: Meaning, layers: list[Object], *, ends: bool) -> Form:
    if ends and _has_message(layers):
        return "whole" if label.closes or any(map(_is_finished, layers)) else "either"
    if any(layer.get("delta") or _choice(layer).get("delta") for layer in layers):
        return "piece"
    if label.closes or label.repeats:
        return "whole"
    return "part" if label.parts else ("either" if ends else "piece")


# --- text


def _text_and_reasoning(layers: list[Object], *, first: str, ends: bool) -> tuple[str, str]:
    """Text and reasoning of a frame: the first of each that is found, the likeliest place first."""
    text, reasoning = "", ""
    for layer in layers:
        for speaker in _speakers(layer, first=first):
            more_text, more_reasoning = _speech(speaker, flags=not ends)
            text, reasoning = text or more_text, reasoning or more_reasoning
    return text, reasoning


def _speakers(layer: Object, *, first: str) -> Iterator[Any]:
    """The objects of a layer that may hold text, the likeliest first."""
    if _is_foreign(layer):
        return
    choice, message = _choice(layer), layer.get("message")
    notice = isinstance(message, str) and not NOT_SPEECH.isdisjoint(layer)
    messages = [None if notice else message, choice.get("message")]
    deltas = [layer.get("delta"), choice.get("delta")]
    places = [*deltas, layer, choice, *messages] if first == "delta" else [*messages, *deltas, layer, choice]
    yield from (found for found in places if found and not _is_foreign(found))


def _is_foreign(value: Any) -> bool:
    """Whether the object has the role of another speaker than the assistant."""
    if not isinstance(value, dict) or ROLES.isdisjoint(value):
        return False
    for key in ROLE_KEYS:
        role = value.get(key)
        role = role.get("role") if isinstance(role, dict) else role
        if isinstance(role, str) and role.lower() in FOREIGN_ROLES:
            return True
    return False


def _speech(value: Any, *, thinking: bool = False, flags: bool = True) -> tuple[str, str]:
    """Text and reasoning in a string, a content part, a list of parts or an object that has them."""
    if isinstance(value, str):
        return ("", value) if thinking else (value, "")
    if isinstance(value, list):
        spoken = [_speech(part, thinking=thinking) for part in value]
        return "".join(text for text, _ in spoken), "".join(reasoning for _, reasoning in spoken)
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or _is_foreign(value) or (isinstance(kind, str) and is_unrelated(kind)):
        return "", ""
    flagged = flags and any(inner is True and REASONING_FLAG.fullmatch(key) for key, inner in value.items())
    thinking = thinking or flagged or (isinstance(kind, str) and is_reasoning(kind))
    text, reasoning = _worded(value, thinking=thinking)
    return text, reasoning or _reasoning(value)


def _worded(value: Object, *, thinking: bool) -> tuple[str, str]:
    """Text and reasoning under the keys that hold text."""
    if WORDED.isdisjoint(value):
        return "", ""
    for key in TEXT_KEYS:
        inner = value.get(key)
        if inner and (key != "summary" or (thinking and isinstance(inner, list))):
            text, reasoning = _speech(inner, thinking=thinking)
            if text or reasoning:
                return text, reasoning
    found = next((inner for key in STRING_KEYS if (inner := value.get(key)) and isinstance(inner, str)), "")
    return _speech(found, thinking=thinking)


def _reasoning(value: Object) -> str:
    """The text under a key whose name marks it as reasoning."""
    for key, inner in value.items():
        if inner and is_reasoning(key):
            words = _speech(inner, thinking=True)[1]
            if words:
                return words
    return ""
