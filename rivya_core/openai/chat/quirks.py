"""What a back end turned out not to take, remembered for the life of the process.

`refusals.py` reads it from the words of a refusal, `adjustments.py` changes the requests, and `adjusted_request.py`
sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from threading import Lock
from typing import Any, Literal

MOST_MODELS = 1000

CallContent = Literal["null", "empty", "absent", "words"]
CONTENT_FORMS: tuple[CallContent, ...] = ("null", "empty", "absent", "words")
_log = logging.getLogger("rivya")


@dataclass(frozen=True, slots=True)
class Quirks:
    """What is known of a model behind a base URL.

    Attributes:
        no_stream_options: It refuses `stream_options`.
        no_labels: It refuses `metadata`.
        ignores_schemas: It ignores the JSON schema of a response format.
        limit_key: It wants this name for the limit of the reply's tokens.
        refused: Options that it refuses.
        no_developer: It refuses the role `developer`.
        call_content: How a message with tool calls and without text has its content.
        no_blanks: It refuses a message without text.
        names: Names of messages that it takes: those of the standard, ASCII only, or none.
        refused_state: Keys that it sends with a reply and refuses to take back.
        schema_by: How it is asked for an object instead of with `response_format`.
        no_stored_responses: The server ignores or refuses `previous_response_id`.
        no_json_object: It refuses the response format `json_object`.
        parallel_needs_tools: It refuses `parallel_tool_calls` in a request without tools.
        no_forced_tool: It refuses a `tool_choice` that demands a call.
        missing_reasoning: How an assistant's message whose reasoning is unknown has its `reasoning_content`.
    """

    no_stream_options: bool = False
    no_labels: bool = False
    ignores_schemas: bool = False
    limit_key: str | None = None
    refused: frozenset[str] = frozenset()
    no_developer: bool = False
    call_content: CallContent = "null"
    no_blanks: bool = False
    names: Literal["all", "ascii", "none"] = "all"
    refused_state: frozenset[str] = frozenset()
    schema_by: Literal["format", "tool", "words"] = "format"
    no_json_object: bool = False
    no_stored_responses: bool = False
    parallel_needs_tools: bool = False
    no_forced_tool: bool = False
    missing_reasoning: Literal["absent", "empty", "words"] = "absent"


NONE = Quirks()
_known: dict[tuple[str, str], Quirks] = {}
_learning = Lock()


def known(base_url: str, model: str) -> Quirks:
    """Return what is known."""
    return _known.get((base_url, model), NONE)


def remember(base_url: str, model: str, found: Quirks) -> Quirks:
    """Keep what was found, and return it."""
    while len(_known) >= MOST_MODELS:
        _known.pop(next(iter(_known)), None)
    _known[base_url, model] = found
    return found


def learn(base_url: str, model: str, before: Quirks, found: Quirks) -> None:
    """Remember what is new in *found* since *before*, and log what no other thread has learnt meanwhile."""
    with _learning:
        now = known(base_url, model)
        learnt = replace(now, **_merged(now, _news(before, found)))
        if learnt == now:
            return
        remember(base_url, model, learnt)
    news = ", ".join(f"{name}={sorted(v) if isinstance(v, frozenset) else v}" for name, v in _news(now, learnt).items())
    _log.warning("%s at %s refuses part of a request; further requests are changed: %s", model, base_url, news)


def forget() -> None:
    """Forget everything."""
    _known.clear()


def _news(before: Quirks, found: Quirks) -> dict[str, Any]:
    names = [field.name for field in fields(Quirks)]
    return {name: value for name in names if (value := getattr(found, name)) != getattr(before, name)}


def _merged(now: Quirks, news: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(now, name) | value if isinstance(value, frozenset) else value for name, value in news.items()}
