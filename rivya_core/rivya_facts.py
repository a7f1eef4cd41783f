"""What a frame or a whole reply of Rivya's chat says beside its words: ids, session, credits, usage.

They count wherever they stand, whatever the object is called that holds them; only objects about something else (the
user's message, tools, citations) are left out. https://rivya.ai/docs/api-chat shows the whole reply's form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from rivya_core.chat import Usage
from rivya_core.rivya_words import STARTING, is_beside
from rivya_core.usage import read_usage

SESSION_KEYS = ("session_id", "sessionId", "chat_session_id", "chatSessionId", "conversation_id", "conversationId")
SESSION_OBJECTS = ("session", "chat_session", "chatSession", "conversation")
USAGE_KEYS = ("usage", "token_usage", "tokenUsage", "usage_metadata", "usageMetadata")
CREDIT_KEYS = {
    "reserved": ("reserved", "reserved_credits", "reservedCredits", "credits_reserved", "creditsReserved"),
    "final": ("final", "final_credits", "finalCredits", "credits_final", "creditsFinal", "used", "charged"),
}
CREATED_KEYS = ("created_at", "createdAt")
REPLY_ID_KEYS = ("completion_id", "completionId", "response_id", "responseId")
DEEPEST = 6
"""Levels of objects that are looked through."""


def objects_in(value: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield *value* and the objects in it that are about the reply, the outermost first."""
    yield value
    for key, inner in value.items() if depth < DEEPEST else ():
        found = inner[0] if isinstance(inner, list) and key in {"choices", "candidates"} and inner else inner
        if isinstance(found, Mapping) and not is_beside(key) and not _of_user(found):
            yield from objects_in(found, depth + 1)


def read_facts(words: frozenset[str], objects: list[Mapping[str, Any]], *, ends: bool) -> dict[str, Any]:
    """Return `id`, `session_id`, `model`, `created_at` and `credits`, as far as they stand in *objects*.

    Args:
        words: The words of the frame's labels.
        objects: What `objects_in` found in it.
        ends: Whether the reply is complete with it.
    """
    found = {
        "id": _reply_id(words, objects, ends=ends),
        "session_id": _session_id(words, objects),
        "model": _first(objects, ("model",)),
        "created_at": _first(objects, CREATED_KEYS),
        "credits": _credits(words, objects),
    }
    return {key: value for key, value in found.items() if value}


def usage_in(words: frozenset[str], objects: list[Mapping[str, Any]]) -> Usage | None:
    """Return the last token counts in *objects*; a frame labelled `usage` may be the counts itself."""
    counts = [value.get(key) for value in objects for key in USAGE_KEYS]
    if "usage" in words:
        counts += objects
    found = [usage for count in counts if count and (usage := read_usage(count))]
    return found[-1] if found else None


def merged_usage(before: Usage | None, now: Usage | None) -> Usage | None:
    """Return the counts of both: a later frame may count only what it adds, such as the output."""
    if before is None or now is None:
        return now or before
    kept = {name: getattr(before, name) for name in Usage.__slots__ if not getattr(now, name)}
    both = replace(now, **kept)
    return replace(both, total_tokens=max(both.total_tokens, both.input_tokens + both.output_tokens))


def merged_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of both, the later ones where they differ; credits are put together."""
    both = {**before, **now}
    if "credits" in before and "credits" in now:
        both["credits"] = {**before["credits"], **now["credits"]}
    return both


def has_final_credits(objects: list[Mapping[str, Any]]) -> bool:
    """Whether the turn has been charged, which happens at its end."""
    return "final" in (_credits(frozenset(), objects) or {})


def _of_user(value: Mapping[str, Any]) -> bool:
    return str(value.get("role")).lower() in {"user", "human"}


def _reply_id(words: frozenset[str], objects: list[Mapping[str, Any]], *, ends: bool) -> str | None:
    """The completion's id: other frames may carry ids of events, parts or messages."""
    named = _first(objects, REPLY_ID_KEYS)
    about = [value for value in objects if "choices" in value or "credits" in value or "usage" in value]
    if words & STARTING and words & {"message", "response", "chat", "completion"}:
        about += objects
    return named or _first(about or (objects if ends else ()), ("id",))


def _session_id(words: frozenset[str], objects: list[Mapping[str, Any]]) -> str | None:
    nested = [value[key] for value in objects for key in SESSION_OBJECTS if value.get(key)]
    own = _first([value for value in nested if isinstance(value, Mapping)], ("id",))
    bare = next((_text(value) for value in nested if isinstance(value, str)), None)
    labelled = _first(objects, ("id",)) if "session" in words else None
    return next((found for key in SESSION_KEYS if (found := _first(objects, (key,)))), own or bare or labelled)


def _credits(words: frozenset[str], objects: list[Mapping[str, Any]]) -> dict[str, int | float] | None:
    """`{"reserved": n, "final": n}`, nested as the chat page shows it or flat as generations write it."""
    counted: dict[str, int | float] = {}
    for value in objects:
        nested = value.get("credits")
        own = value if words & {"credits", "credit", "billing"} else {}
        places = (nested, own, _flat(value)) if isinstance(nested, Mapping) else ({"final": nested}, own, _flat(value))
        for name, keys in CREDIT_KEYS.items():
            said = next((n for place in places for key in keys if (n := _count(place.get(key))) is not None), None)
            if said is not None:
                counted[name] = said
    return counted or None


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say credits themselves; a bare `final` or `used` beside them may be anything."""
    return {key: inner for key, inner in value.items() if "credits" in key.lower() and key != "credits"}


def _count(value: Any) -> int | float | None:
    counts = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if counts else None


def _first(objects: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> str | None:
    return next((text for value in objects for key in keys if (text := _text(value.get(key)))), None)


def _text(value: Any) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and value else None
