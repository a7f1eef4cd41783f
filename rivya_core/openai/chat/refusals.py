"""What the refusal of a request says about the back end: one reader for each kind. Pure.

A refusal costs nothing, whatever its status is: gateways pass it on as a failure of the server, in a success, or in the
first event of a stream. Only one that names the thing counts, and what it repeats of the caller's own words names
nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rivya_core import errors
from rivya_core.openai.chat.echoes import without_echoes
from rivya_core.openai.chat.quirks import CONTENT_FORMS, Quirks
from rivya_core.openai.reply_state import CALL_KEYS, FUNCTION_KEYS, MESSAGE_KEYS, REASONING_KEYS, reasoning_parts

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
OPTIONAL = (
    "temperature top_p frequency_penalty presence_penalty parallel_tool_calls reasoning_effort verbosity user "
    "safety_identifier prompt_cache_key prompt_cache_retention"
).split()
"""Options whose loss does not change what a reply is: they are left out where they are refused."""
NESTED = {"reasoning_effort": ("reasoning", "effort"), "verbosity": ("text", "verbosity")}
"""Where the Responses API has some of them: a key of the body, and a key of the object in it."""

Body = Mapping[str, Any]
OTHER_CAUSES = (
    errors.AuthenticationError,
    errors.PermissionDeniedError,
    errors.InsufficientCreditsError,
    errors.RateLimitError,
    errors.ConflictError,
    errors.ContextTooLongError,
    errors.InvalidResponseError,
)
"""Errors that are about something else, whatever they name."""
FAILURE = 500
"""The lowest status of a failure."""
TRANSIENT = re.compile(
    r"overload|unavailable|temporar|try again (later|in\b|shortly|soon)|capacity|busy|time(d.?|.)?out", re.IGNORECASE
)
"""How a failure says that it will pass."""
REFUSING_CODE = re.compile(r"invalid|unsupported|unknown|bad.?request", re.IGNORECASE)
"""Codes with which a failure that was passed on is a refusal."""
NAMED_CODES = ("unsupported_parameter", "unknown_parameter")
REFUSAL = re.compile(
    r"unsupported(?!.value)|not support|n't support|unknown|unrecogni[sz]ed|unexpected|"
    r"extra.(inputs?|fields?|forbidden)|"
    r"(not|n't) (be )?(permitted|allowed|accepted|available|implemented|enabled)|additional propert|unavailable|"
    r"deprecated|no such|invalid (parameter|argument|field|key|option)|cannot be (set|used)|cannot find field|"
    r"(does not|doesn't) (accept|allow|take)|no longer|\u4e0d\u652f\u6301",
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
    r"at least (1|one) char|too.short|min_?length|\u4e0d\u80fd\u4e3a\u7a7a",
    re.IGNORECASE,
)
NULL = re.compile(
    r"<?nil>?\b|\bnull\b|\bnone(type)?\b|(valid|expected|a|type) string|missing|required|undefined|"
    r"invalid.{0,3}content",
    re.IGNORECASE,
)
TERMS = ("temperature", "verbosity", "developer")
"""Single words that name nothing else."""
AS_A_KEY = r"(^|['\"`.\]]|\b(parameter|argument|field|key|input|option|property|keyword|role)s?\W{1,3})"
"""What is in front of an ordinary word where it is the name of a key."""
ONLY_AUTO = re.compile(r"incompatible|only\W.{0,40}\bauto\b|must be\W.{0,10}\bauto\b", re.IGNORECASE)
"""How servers say that the model decides whether it calls a tool."""
DEMANDED = re.compile(r"missing|required|pass(ed)? back|must (be|include|contain|have)|not found", re.IGNORECASE)
"""How servers say that something is not there."""
REASONING_KEY = "reasoning_content"
CONTENT_OR_THINKING = re.compile(r"both content and thinking", re.IGNORECASE)
"""How the template of gpt-oss in llama.cpp refuses reasoning next to a text and calls."""
OF_A_SCHEMA = re.compile(r"\btools?\b|\bfunctions?\b|schema", re.IGNORECASE)
OF_A_MESSAGE = re.compile(r"messages?\W{0,4}\d+\W{0,4}name\b|property 'name'|\bname\b.{0,80}(pattern|character|match)")


def quirk_from_error(error: errors.APIError, body: Body, before: Quirks) -> Quirks | None:
    """Return what *error* says about the back end beyond *before*, or None if it is about something else."""
    refusal = _Refusal(error, body)
    failed = (error.status or 0) >= FAILURE and not REFUSING_CODE.search(error.code or "")
    passes = failed and TRANSIENT.search(refusal.words)
    if passes or isinstance(error, OTHER_CAUSES):
        return None
    found = (learnt for reader in READERS if (learnt := reader(refusal, before)) is not None and learnt != before)
    return next(found, None)


@dataclass(frozen=True)
class _Refusal:
    """An error, and the body of the request that it is about."""

    error: errors.APIError
    body: Body

    @cached_property
    def words(self) -> str:
        """What the server itself says."""
        message = str(self.error).rpartition(" [")[0] or str(self.error)
        return " ".join((self.error.param or "", self.error.code or "", without_echoes(message, self.body)))

    def names(self, name: str) -> bool:
        """Whether the error names the thing *name*, with underscores or in camel case."""
        first, *rest = name.split("_")
        spelled = "|".join(map(re.escape, (name, first + "".join(map(str.capitalize, rest)))))
        before = r"(?<!\w)" if rest or name in TERMS else AS_A_KEY
        return re.search(rf"{before}({spelled})(?!\w)", self.words) is not None

    def refuses(self, name: str) -> bool:
        """Whether the error refuses the thing *name* altogether, not its value."""
        if not self.names(name) or (self.error.param != name and self._may_mean_a_tool(name)):
            return False
        value = self.error.code not in NAMED_CODES and ABOUT_VALUE.search(self.words)
        return (self.error.code in NAMED_CODES or REFUSAL.search(self.words) is not None) and not value

    def _may_mean_a_tool(self, name: str) -> bool:
        """Whether the error is about a tool or schema of the request, which uses the same name."""
        if not OF_A_SCHEMA.search(self.words):
            return False
        schemas = [self.body.get(key) for key in ("tools", "response_format", "text")]
        return re.search(rf'"{re.escape(name)}"', json.dumps(schemas, default=str)) is not None

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


def _parallel(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """`parallel_tool_calls` without tools, as OpenAI refuses it; with tools it is still sent."""
    needless = "parallel_tool_calls" in refusal.body and not refusal.body.get("tools")
    named = refusal.names("parallel_tool_calls") and re.search(r"\btools\b", refusal.words)
    return replace(before, parallel_needs_tools=True) if needless and named else None


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
    if not re.search(r"content|text|message", refusal.words) or not (empty or null):
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
    keys = set(_state_keys(refusal.messages))
    found = {key for key in keys if refusal.refuses(key)}
    if CONTENT_OR_THINKING.search(refusal.words):
        found |= keys & {*REASONING_KEYS}
    if any(reasoning_parts(message.get("content")) for message in refusal.messages) and _refuses_parts(refusal):
        found.add("content")
    return replace(before, refused_state=before.refused_state | found) if found else None


def _refuses_parts(refusal: _Refusal) -> bool:
    """Whether a content that is a list with reasoning is refused."""
    named = re.search(r"content|thinking|reasoning", refusal.words)
    return named is not None and any(how.search(refusal.words) for how in (REFUSAL, ONE_OF, NULL))


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


def left_out(known: Quirks, body: Body) -> frozenset[str]:
    """Return the options of *body* that are not sent to a back end with these quirks."""
    needless = known.parallel_needs_tools and not body.get("tools")
    return known.refused | ({"parallel_tool_calls"} if needless else frozenset())


def _forced_tool(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """A tool that must be called, which models refuse while they reason."""
    named = is_forced(refusal.body.get("tool_choice")) and re.search(r"tool[_ ]choice", refusal.words, re.IGNORECASE)
    definite = REFUSAL.search(refusal.words) or ONLY_AUTO.search(refusal.words)
    return replace(before, no_forced_tool=True) if named and definite else None


def is_forced(choice: Any) -> bool:
    """Whether a `tool_choice` demands a call."""
    return choice in ("required", "any") or isinstance(choice, Mapping)


def _missing_reasoning(refusal: _Refusal, before: Quirks) -> Quirks | None:
    """Reasoning of earlier replies that is demanded, but is unknown: the replies came from elsewhere."""
    if not refusal.names(REASONING_KEY) or not DEMANDED.search(refusal.words):
        return None
    said = [message for message in refusal.messages if message.get("role") == "assistant"]
    if before.missing_reasoning == "absent" and any(REASONING_KEY not in message for message in said):
        return replace(before, missing_reasoning="empty")
    blank = before.missing_reasoning == "empty" and any(not message.get(REASONING_KEY) for message in said)
    return replace(before, missing_reasoning="words") if blank else None


READERS = (
    _stream_options,
    _labels,
    _limit,
    _parallel,
    _optional,
    _developer,
    _missing_reasoning,
    _content,
    _message_names,
    _state,
    _schema,
    _forced_tool,
)
"""What reads a refusal; a new kind is one function more."""
