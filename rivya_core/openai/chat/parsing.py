"""Reading the objects of a chat completion, whole or in chunks. Pure; any shape is accepted.

https://platform.openai.com/docs/api-reference/chat/object and, beyond it, what gateways add: reasoning under several
names, citations and search results, images, `stop_reason`, a `message` that is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rivya_core.chat_stream import further_usage, read_usage
from rivya_core.http.error_detail import ERROR_CODES, MESSAGES
from rivya_core.openai.reply_state import REASONING_KEYS, REASONING_TYPES
from rivya_core.openai.state_pieces import joined_state, message_state
from rivya_core.types import Usage

TOP_FACTS = ("id", "model", "created", "system_fingerprint", "service_tier", "provider")
CHOICE_FACTS = ("stop_reason", "native_finish_reason")
FAILED = frozenset({"error", "network_error", "insufficient_system_resource"})
"""Finish reasons that mean that the server failed; what came before is not a reply."""
SUCCESSES = frozenset({"0", "200", "ok", "success"})
"""Codes that are none of a failure."""
USAGE_KEYS = ("usageMetadata", "usage_metadata", "usage")
BARE_ERROR = frozenset(
    {*MESSAGES, *ERROR_CODES, *"id request_id requestId param success data status type object timestamp path".split()}
)
"""Keys of an object that is nothing but an error."""
SPOKEN_REASONING = (*REASONING_KEYS, "reasoning_details")
SOUND = frozenset({"data", "transcript"})
"""Keys of a sound whose values come in pieces."""
SOURCE_KEYS = ("search_results", "citations", "web_search")
"""Keys next to `choices` under which gateways put sources. The first one is used; the others repeat it."""
BLOCK_KEYS = ("annotations", "images")
"""Keys of a message that hold blocks."""


def first_choice(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first choice, or None."""
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def is_error(value: Any) -> bool:
    """Whether a JSON value is an error, in any of the forms that come with a success status."""
    if isinstance(value, list):
        return bool(value) and all(is_error(item) for item in value)
    if not isinstance(value, dict):
        return False
    base, vendors = value.get("base_resp"), _vendors(value)
    if value.get("error") or value.get("errors") or (base and _has_failed(base)):
        return True
    if vendors and any(isinstance(own, dict) and own.get("error") for own in vendors):
        return True
    if value.get("choices") or value.get("output"):
        return False
    named = value.get("object") == "error" or str(value.get("type")).endswith(("error", "failed"))
    spoken = any(isinstance(value.get(key), str) and value[key] for key in MESSAGES)
    return named or bool(value.get("detail")) or (spoken and (_has_failed(value) or value.keys() <= BARE_ERROR))


def _vendors(value: Mapping[str, Any]) -> list[Any]:
    """What vendors add under names of their own, such as Groq's `x_groq`."""
    return [found for key, found in value.items() if key.startswith("x_")]


def _has_failed(status: Any) -> bool:
    """Whether an object holds the code of a failure; successes may have a code, too."""
    codes = [status.get(key) for key in ERROR_CODES] if isinstance(status, dict) else []
    return any(code and str(code).lower() not in SUCCESSES for code in codes)


def failure_of(choice: Mapping[str, Any]) -> Any:
    """Return the error that a choice ends with, in the form of an error body, or None if it does not."""
    reason = str(choice.get("finish_reason")).lower()
    message = choice.get("delta") or choice.get("message")
    inner = message.get("error") if isinstance(message, dict) else None
    error = choice.get("error") or inner
    if error:
        return {"error": error}
    if reason not in FAILED:
        return None
    native = choice.get("native_finish_reason")
    words = said(message)[0] if isinstance(message, dict) else ""
    detail = f" ({native})" if native and native != reason else ""
    return {"error": {"message": f"The server ended the reply with `finish_reason: {reason}`{detail}. {words}".strip()}}


def said(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the reasoning in a message or delta."""
    text, reasoning = _spoken(message.get("content"))
    if not reasoning and any(map(message.get, SPOKEN_REASONING)):
        given = (message[key] for key in REASONING_KEYS if message.get(key))
        reasoning = next(filter(None, map(_words, given)), "") or _details(message.get("reasoning_details"))
    return text, reasoning


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "".join(_spoken(value))


def _spoken(content: Any) -> tuple[str, str]:
    """Text and reasoning in a string, a part or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, list):
        spoken = [_spoken(part) for part in content]
        return "".join(text for text, _ in spoken), "".join(reasoning for _, reasoning in spoken)
    if not isinstance(content, dict):
        return "", ""
    inner = next((content[key] for key in ("text", "thinking", "content", "summary") if content.get(key)), "")
    text, reasoning = _spoken(inner)
    return ("", reasoning or text) if str(content.get("type")) in REASONING_TYPES else (text, reasoning)


def _details(value: Any) -> str:
    return "".join(_words(item) for item in value if isinstance(item, dict)) if isinstance(value, list) else ""


class Collected:
    """What a reply says beside text and tool calls, gathered from one object or from many chunks."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self._refusal: list[str] = []
        self._logprobs: dict[str, list[Any]] = {}
        self._blocks: dict[str, Mapping[str, Any]] = {}
        self._audio: dict[str, Any] = {}
        self._sound: dict[str, list[str]] = {}
        self.state_pieces: list[Mapping[str, Any]] = []
        self._further_usage: dict[str, Any] = {}

    def top(self, value: Mapping[str, Any]) -> None:
        """Read the keys next to `choices`. If the usage grows from chunk to chunk, the last one counts."""
        for key in TOP_FACTS:
            if (fact := value.get(key)) not in (None, ""):
                self.facts.setdefault(key, fact)
        for found in _usages(value):
            usage = read_usage(found)
            self._further_usage |= further_usage(found)
            if usage is not None and (usage.total_tokens or self.usage is None):
                self.usage = usage
        if not value.keys().isdisjoint(SOURCE_KEYS):
            self._keep(_sources(value))

    def choice(self, choice: Mapping[str, Any]) -> None:
        """Read the keys next to the message. A finish reason counts once; another reason replaces `stop`."""
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and self.finish_reason in (None, "stop"):
            self.finish_reason = reason
        for key in CHOICE_FACTS:
            if choice.get(key) not in (None, ""):
                self.facts[key] = choice[key]
        logprobs = choice.get("logprobs")
        for key, found in logprobs.items() if isinstance(logprobs, dict) else ():
            if isinstance(found, list):
                self._logprobs.setdefault(key, []).extend(found)

    def message(self, message: Mapping[str, Any]) -> None:
        """Read the keys of a message or delta other than text, reasoning and tool calls."""
        refusal = message.get("refusal")
        if isinstance(refusal, str):
            self._refusal.append(refusal)
        if isinstance(message.get("content"), list) or not message.keys().isdisjoint(BLOCK_KEYS):
            self._keep(_parts(message))
        state = message_state(message)
        if state:
            self.state_pieces.append(state)
        audio = message.get("audio")
        for key, value in audio.items() if isinstance(audio, dict) else ():
            if isinstance(value, str) and key in SOUND:
                self._sound.setdefault(key, []).append(value)
            else:
                self._audio[key] = value

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes into a message's metadata."""
        found = {
            **self.facts,
            "finish_reason": self.finish_reason,
            "logprobs": self._logprobs or None,
            "refusal": "".join(self._refusal) or None,
            "usage": self._further_usage or None,
        }
        return {key: value for key, value in found.items() if value is not None}

    @property
    def state(self) -> dict[str, Any]:
        """What the message has beyond the standard, to go back to where it came from."""
        return joined_state(self.state_pieces) if self.state_pieces else {}

    @property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        """Citations, images and sound, each once."""
        audio = {**self._audio, **{key: "".join(pieces) for key, pieces in self._sound.items()}}
        return (*self._blocks.values(), *([{"type": "audio", **audio}] if audio else []))

    def _keep(self, blocks: Iterator[Mapping[str, Any]]) -> None:
        for block in blocks:
            self._blocks.setdefault(json.dumps(block, sort_keys=True, default=str), block)


def _usages(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where servers put the usage: in a vendor's object, in a choice or its message; at the top it counts most."""
    choice = first_choice(value) or {}
    inner = (*_vendors(value), value.get("metadata"), choice.get("delta"), choice.get("message"), choice)
    found = [place.get("usage") for place in inner if isinstance(place, dict)]
    return [usage for usage in (*found, *map(value.get, USAGE_KEYS)) if isinstance(usage, dict)]


def _parts(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and str(part.get("type")) not in REASONING_TYPES and not any(_spoken(part)):
            yield part
    for key in BLOCK_KEYS:
        found = message.get(key)
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                yield _annotation(item) if key == "annotations" else {"type": "image_url", **item}


def _annotation(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The chat wire nests an annotation's facts under its type; the Responses API has them flat."""
    kind = item.get("type")
    inner = item.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **inner} if isinstance(inner, dict) else item


def _sources(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = next((listed for key in SOURCE_KEYS if isinstance(listed := value.get(key), list) and listed), [])
    for item in found:
        if isinstance(item, str):
            yield {"type": "url_citation", "url": item}
        elif isinstance(item, dict):
            url = item.get("url") or item.get("link")
            yield {**item, "type": "url_citation", **({"url": url} if url else {})}
