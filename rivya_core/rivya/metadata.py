"""Reading ids, session, credits and usage from a frame or a whole reply of Rivya's chat.

They are read from any object of the frame, whatever its key is. Only objects about something else (the user's message,
tools, citations) are skipped. https://rivya.ai/docs/api-chat shows the form of a whole reply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rivya_core.chat_stream import read_usage
from rivya_core.http.json_codec import finite_number
from rivya_core.rivya.vocabulary import STARTING, is_unrelated
from rivya_core.types import Usage

SESSION_KEYS = ("session_id", "sessionId", "chat_session_id", "chatSessionId", "conversation_id", "conversationId")
SESSION_OBJECTS = ("session", "chat_session", "chatSession", "conversation")
USAGE_KEYS = ("usage", "token_usage", "tokenUsage", "usage_metadata", "usageMetadata")
RESERVED_KEYS = ("reserved_credits", "reservedCredits", "credits_reserved", "creditsReserved")
FINAL_KEYS = ("final_credits", "finalCredits", "credits_final", "creditsFinal")
CREDIT_KEYS = {"reserved": ("reserved", *RESERVED_KEYS), "final": ("final", "used", "charged", *FINAL_KEYS)}
"""Keys in an object of credits; outside of one, only keys that name credits are read."""
CREATED_KEYS = ("created_at", "createdAt")
REPLY_ID_KEYS = ("completion_id", "completionId", "response_id", "responseId")
KNOWN = frozenset(
    (*SESSION_KEYS, *SESSION_OBJECTS, *USAGE_KEYS, *RESERVED_KEYS, *FINAL_KEYS, *CREATED_KEYS, *REPLY_ID_KEYS)
) | {"model", "credits", "choices"}
MENTIONS = STARTING | {"usage", "credits", "credit", "billing", "session"}
"""A frame with one of these words in its label may itself be the object with the values."""
NOTHING: tuple[Any, ...] = (None, "")
DEEPEST = 6
"""Number of nested levels that are searched."""

Object = Mapping[str, Any]


def objects_in(value: Object, depth: int = 0) -> Iterator[Object]:
    """Yield *value* and the objects in it that are about the reply, the outermost first."""
    yield value
    for key, inner in value.items() if depth < DEEPEST else ():
        found = inner[0] if isinstance(inner, list) and key in {"choices", "candidates"} and inner else inner
        if isinstance(found, dict) and not is_unrelated(key) and not _of_user(found):
            yield from objects_in(found, depth + 1)


def read_facts(words: frozenset[str], objects: list[Object], *, ends: bool) -> tuple[dict[str, Any], Usage | None]:
    """Return those of `id`, `session_id`, `model`, `created_at` and `credits` that exist, and the token counts.

    Args:
        words: The words of the frame's labels.
        objects: The objects that `objects_in` found in the frame.
        ends: Whether the reply is complete with it.
    """
    known = _known(objects)
    if not (known or ends) and words.isdisjoint(MENTIONS):
        return {}, None
    found = {
        "id": _reply_id(words, objects, known, ends=ends),
        "session_id": _session_id(words, objects, known),
        "model": _text(known.get("model")),
        "created_at": _first(known, CREATED_KEYS),
        "credits": _credits(words, objects, known),
    }
    return {key: value for key, value in found.items() if value}, _usage(words, objects, known)


def merged_usage(before: Usage | None, now: Usage | None) -> Usage | None:
    """Return the counts of both: a later frame may count only what it adds, such as the output."""
    if before is None or now is None:
        return now or before
    kept: dict[str, Any] = {name: old for name, old, new in zip(now._fields, before, now, strict=True) if not new}
    both = now._replace(**kept)
    return both._replace(total_tokens=max(both.total_tokens, both.input_tokens + both.output_tokens))


def merged_facts(before: Object, now: Object) -> dict[str, Any]:
    """Return the values of both; later values replace earlier ones, and credits are merged."""
    both = {**before, **now}
    if "credits" in before and "credits" in now:
        both["credits"] = {**before["credits"], **now["credits"]}
    return both


def has_final_credits(objects: list[Object]) -> bool:
    """Whether the turn has been charged, which happens at its end."""
    return "final" in (_credits(frozenset(), objects, _known(objects)) or {})


def _known(objects: list[Object]) -> dict[str, Any]:
    """The values under the known keys; if several objects have a key, the outermost one counts."""
    known: dict[str, Any] = {}
    for value in objects:
        for key, inner in value.items():
            if key in KNOWN and key not in known and inner not in NOTHING:
                known[key] = inner
    return known


def _of_user(value: Object) -> bool:
    return "role" in value and str(value["role"]).lower() in {"user", "human"}


def _reply_id(words: frozenset[str], objects: list[Object], known: Object, *, ends: bool) -> str | None:
    """The completion's id; other frames may hold ids of events, parts or messages."""
    told = ends or not known.keys().isdisjoint(("choices", "credits", "usage"))
    started = words & STARTING and words & {"message", "response", "chat", "completion"}
    if named := _first(known, REPLY_ID_KEYS):
        return named
    for value in objects if told or started else ():
        if found := _text(value.get("id")):
            return found
    return None


def _session_id(words: frozenset[str], objects: list[Object], known: Object) -> str | None:
    if named := _first(known, SESSION_KEYS):
        return named
    nested = next((known[key] for key in SESSION_OBJECTS if key in known), None)
    own = nested.get("id") if isinstance(nested, dict) else nested
    labelled = objects[0].get("id") if "session" in words else None
    return _text(own) or _text(labelled)


def _usage(words: frozenset[str], objects: list[Object], known: Object) -> Usage | None:
    """The token counts; a frame labelled `usage` may itself be the object with the counts."""
    for key in USAGE_KEYS:
        if key in known and (usage := read_usage(known[key])):
            return usage
    for value in objects if "usage" in words else ():
        if usage := read_usage(value):
            return usage
    return None


def _credits(words: frozenset[str], objects: list[Object], known: Object) -> dict[str, int | float] | None:
    """`{"reserved": n, "final": n}`, nested as the chat page shows it or flat as generations write it."""
    nested = known.get("credits")
    places = [nested if isinstance(nested, dict) else {"final": nested}, known]
    if words & {"credits", "credit", "billing"}:
        places += objects
    counted = {name: _counted(places, keys) for name, keys in CREDIT_KEYS.items()}
    return {name: count for name, count in counted.items() if count is not None} or None


def _counted(places: list[Object], keys: tuple[str, ...]) -> int | float | None:
    for place in places:
        for key in keys:
            if key in place and (count := finite_number(place[key])) is not None:
                return count
    return None


def _first(known: Object, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if key in known and (text := _text(known[key])):
            return text
    return None


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()
