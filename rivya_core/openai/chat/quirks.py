"""What a back end turned out not to take, remembered for the life of the process.

A request that is refused for one of these reasons costs nothing, is changed and sent again. If the changed request is
accepted, the finding is logged and remembered, and later requests to the same model are right at once. Only a refusal
that names the thing counts. Nothing else about a request is changed. `adjustments.py` changes the requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from rivya_core.errors import BadRequestError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.openai.reply_state import CALL_KEYS, FUNCTION_KEYS, MESSAGE_KEYS

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
OPTIONAL = (
    "temperature top_p frequency_penalty presence_penalty parallel_tool_calls reasoning_effort verbosity user "
    "safety_identifier prompt_cache_key prompt_cache_retention"
).split()
"""Options whose loss does not change what a reply is: they are left out where they are refused."""
NESTED = {"reasoning_effort": ("reasoning", "effort"), "verbosity": ("text", "verbosity")}
"""Where the Responses API has some of them: a key of the body, and a key of the object in it."""
MOST_MODELS = 1000

Body = Mapping[str, Any]
CallContent = Literal["null", "empty", "absent", "words"]
CONTENT_FORMS: tuple[CallContent, ...] = ("null", "empty", "absent", "words")

NAMED_CODES = ("unsupported_parameter", "unknown_parameter")
REFUSAL = re.compile(
    r"unsupported(?!.value)|not support|n't support|unknown|unrecogni[sz]ed|unexpected|"
    r"extra.(inputs?|fields?|forbidden)|"
    r"(not|n't) (be )?(permitted|allowed|accepted|available|implemented|enabled)|additional propert|unavailable|"
    r"deprecated|no such|invalid (parameter|argument|field|key|option)|cannot be (set|used)|"
    r"(does not|doesn't) (accept|allow|take)|no longer",
    re.IGNORECASE,
)
"""How servers say that they do not take a thing at all."""
ABOUT_VALUE = re.compile(
    r"between|range|(less|greater|more) than|at (most|least)|too (large|high|big|small|low|long)|[<>]=|maximum|minimum|"
    r"exceed|both|same time|missing|required",
    re.IGNORECASE,
)
"""How they say that its value is wrong, or that it is missing."""
ONE_OF = re.compile(r"invalid|one of|should be|must be|discriminator", re.IGNORECASE)
EMPTY = re.compile(
    r"non-?empty|(not|n't) be empty|is empty|empty (content|text|string|message)|non-?whitespace|blank|"
    r"at least (1|one) char|too.short|min_?length",
    re.IGNORECASE,
)
NULL = re.compile(
    r"<?nil>?\b|\bnull\b|\bnone(type)?\b|(valid|expected|a|type) string|missing|required|undefined", re.IGNORECASE
)
OF_A_MESSAGE = re.compile(r"messages?\W{0,4}\d+\W{0,4}name\b|property 'name'|\bname\b.{0,80}(pattern|character|match)")
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


NONE = Quirks()
_known: dict[tuple[str, str], Quirks] = {}


def known(base_url: str, model: str) -> Quirks:
    """Return what is known."""
    return _known.get((base_url, model), NONE)


def remember(base_url: str, model: str, found: Quirks) -> Quirks:
    """Keep what was found, and return it."""
    while len(_known) >= MOST_MODELS:
        _known.pop(next(iter(_known)), None)
    _known[base_url, model] = found
    return found


def forget() -> None:
    """Forget everything."""
    _known.clear()


def send_adjusted(
    place: tuple[str, str],
    write: Callable[[Quirks], Body],
    send: Callable[[Body], Plan[httpx.Response]],
    insists: Callable[[Quirks], bool],
) -> Plan[tuple[httpx.Response, Quirks]]:
    """Send a request and return the response, with what the request took into account.

    Args:
        place: Base URL and model.
        write: Returns the body for a back end with these quirks.
        send: Sends a body.
        insists: Whether the caller has asked by name for what would be left out.

    Raises:
        BadRequestError: The refusal is about something else.
    """
    before = found = known(*place)
    while True:
        body = write(found)
        try:
            response = yield from send(body)
        except BadRequestError as error:
            learnt = quirk_from_error(error, body, found)
            if learnt is None or insists(learnt):
                raise
            found = learnt
        else:
            if found != before:
                _log.warning(
                    "%s at %s refuses part of a request; further requests are changed: %s",
                    *place[::-1],
                    _news(before, found),
                )
                remember(*place, found)
            return response, found


def _news(before: Quirks, found: Quirks) -> str:
    pairs = [(field.name, getattr(before, field.name), getattr(found, field.name)) for field in fields(Quirks)]
    return ", ".join(
        f"{name}={sorted(new) if isinstance(new, frozenset) else new}" for name, old, new in pairs if old != new
    )


def quirk_from_error(error: BadRequestError, body: Body, before: Quirks) -> Quirks | None:
    """Return what *error* says about the back end beyond *before*, or None if it is about something else."""
    words = f"{error.param or ''} {error}"
    refusal = _Refusal(error, words, body)
    found = (learnt for reader in READERS if (learnt := reader(refusal, before)) is not None and learnt != before)
    return next(found, None)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error, its words, and the body of the request that it is about."""

    error: BadRequestError
    words: str
    body: Body

    def names(self, name: str) -> bool:
        """Whether the error names the thing *name*."""
        return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self.words) is not None

    def refuses(self, name: str) -> bool:
        """Whether the error refuses the thing *name* altogether, not its value."""
        if not self.names(name):
            return False
        value = self.error.code not in NAMED_CODES and ABOUT_VALUE.search(self.words)
        return (self.error.code in NAMED_CODES or REFUSAL.search(self.words) is not None) and not value

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The messages of the request, in either API."""
        listed = self.body.get("messages") or self.body.get("input")
        found = [message for message in listed if isinstance(message, Mapping)] if isinstance(listed, list) else []
        return [message for message in found if message.get("role")]


def _stream_options(refusal: _Refusal, before: Quirks) -> Quirks | None:
    named = "stream_options" in refusal.words or "include_usage" in refusal.words
    return replace(before, no_stream_options=True) if "stream_options" in refusal.body and named else None


def _labels(refusal: _Refusal, before: Quirks) -> Quirks | None:
    named = "metadata" in refusal.body and "metadata" in refusal.words
    return replace(before, no_labels=True) if named else None


def _limit(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """A limit that is refused by both names is not left out: without it a reply costs more than the caller allows."""
    for sent, other in (TOKEN_LIMITS, TOKEN_LIMITS[::-1]):
        if before.limit_key is None and sent in refusal.body and _is_renamed(refusal, sent, other):
            return replace(before, limit_key=other)
    return None


def _is_renamed(refusal: _Refusal, sent: str, other: str) -> bool:
    """Whether the name *sent* is refused, not its value."""
    error, words = refusal.error, refusal.words
    if refusal.refuses(sent):
        return True
    unknown = error.code in ("unsupported_parameter", "unknown_parameter") or other in words
    return unknown and (error.param == sent or sent in words.split("'") or f"`{sent}`" in words or other in words)


def _optional(refusal: _Refusal, before: Quirks) -> Quirks | None:
    found = {name for name in OPTIONAL if name in refusal.body and refusal.refuses(name)}
    for name, (key, inner) in NESTED.items():
        sent = refusal.body.get(key)
        if isinstance(sent, Mapping) and inner in sent and any(map(refusal.refuses, (f"{key}.{inner}", name))):
            found.add(name)
    return replace(before, refused=before.refused | found) if found else None


def _developer(refusal: _Refusal, before: Quirks) -> Quirks | None:
    said = any(message.get("role") == "developer" for message in refusal.messages)
    named = refusal.names("developer") or refusal.names("role")
    definite = REFUSAL.search(refusal.words) or ONE_OF.search(refusal.words)
    return replace(before, no_developer=True) if said and named and definite else None


def _content(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """No text: null, empty, or absent beside tool calls; an empty text in any other message."""
    empty, null = EMPTY.search(refusal.words), NULL.search(refusal.words)
    if not re.search(r"content|text", refusal.words) or not (empty or null):
        return None
    blank = [message for message in refusal.messages if is_blank(message.get("content"))]
    learnt = before
    if any(message.get("tool_calls") for message in blank):
        later = CONTENT_FORMS[CONTENT_FORMS.index(before.call_content) + 1 :]
        forms = [form for form in later if not (empty and form == "empty")]
        learnt = replace(learnt, call_content=forms[0]) if forms else learnt
    if empty and any(not message.get("tool_calls") for message in blank):
        learnt = replace(learnt, no_blanks=True)
    return learnt


def is_blank(content: Any) -> bool:
    """Whether the content of a message says nothing."""
    if isinstance(content, list):
        return all(
            isinstance(part, Mapping) and part.get("type") == "text" and is_blank(part.get("text")) for part in content
        )
    return content is None or (isinstance(content, str) and not content.strip())


def _message_names(refusal: _Refusal, before: Quirks) -> Quirks | None:
    names = [str(message["name"]) for message in refusal.messages if message.get("name")]
    if not names or not OF_A_MESSAGE.search(refusal.words):
        return None
    refused = REFUSAL.search(refusal.words) or all(name.isascii() for name in names)
    return replace(before, names="none" if refused or before.names == "ascii" else "ascii")


def _state(refusal: _Refusal, before: Quirks) -> Quirks | None:
    if "messages" not in refusal.body:  # items of the Responses API hold no state of this kind
        return None
    found = {key for key in _state_keys(refusal.messages) if refusal.refuses(key)}
    return replace(before, refused_state=before.refused_state | found) if found else None


def _state_keys(messages: list[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        yield from message.keys() - MESSAGE_KEYS
        for call in message.get("tool_calls") or ():
            yield from call.keys() - CALL_KEYS
            yield from (call.get("function") or {}).keys() - FUNCTION_KEYS


def _schema(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """A JSON schema as a response format, then as a tool, then in words."""
    if before.schema_by == "tool" and "tools" in refusal.body and REFUSAL.search(refusal.words):
        named = re.search(r"\btools?\b|tool_choice|function", refusal.words)
        return replace(before, schema_by="words") if named else None
    text = refusal.body.get("text")
    form = refusal.body.get("response_format") or (text.get("format") if isinstance(text, Mapping) else None)
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind not in ("json_schema", "json_object") or "invalid schema" in refusal.words.lower():
        return None
    named = re.search(
        r"response.?format|text\.format|json.?schema|json.?object|structured.?output", refusal.words, re.IGNORECASE
    )
    if not named or not (REFUSAL.search(refusal.words) or ONE_OF.search(refusal.words)):
        return None
    return replace(before, schema_by="tool") if kind == "json_schema" else replace(before, no_json_object=True)


READERS = (_stream_options, _labels, _limit, _optional, _developer, _content, _message_names, _state, _schema)
"""What reads a refusal; a new kind is one function more."""
