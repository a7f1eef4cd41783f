"""The account's chat sessions as the server records them: listed, read, and taken as proof of where a session ends.

https://rivya.ai/docs/api-chat names `GET /chat/sessions` and `GET /chat/sessions/{id}` and shows neither response.
What is assumed of their shape is in the tables below. Reading is tolerant, proving is not: whatever cannot be read
proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rivya_core.errors import InvalidInputError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries

log = logging.getLogger("rivya")
PATH = "/chat/sessions"
CONTAINERS = ("data", "session", "chat_session", "chatSession", "chat", "result")
LIST_KEYS = ("data", "sessions", "items", "chat_sessions", "chatSessions", "results")
MESSAGE_KEYS = ("messages", "items", "history", "turns", "conversation", "entries")
ROLE_KEYS = ("role", "author", "sender", "type")
TEXT_KEYS = ("content", "text", "message", "body")
ID_KEYS = ("id", "message_id", "messageId")
MORE_KEYS = ("has_more", "hasMore", "next_cursor", "nextCursor", "next", "next_page")
PAGING = ("pagination", "paging", "meta", "page_info", "pageInfo")
ASSISTANT = frozenset({"assistant", "model", "ai", "bot"})
USER = frozenset({"user", "human"})
SHORTEST_ID = 8
"""Characters that a message id must have to count as part of a reply's id."""


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """One message of a session.

    Attributes:
        role: `user`, `assistant` or what else the server says.
        text: Its text.
        id: The server's id, empty if there is none.
    """

    role: str
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A chat session as the server records it.

    Attributes:
        id: For `session_id=`.
        title: Its title, empty if there is none.
        model: Model id, empty if the server does not say.
        messages: Its messages, oldest first; empty in a list of sessions.
        complete: Whether these are all messages.
        raw: Everything that the server says about it.
    """

    id: str
    title: str = ""
    model: str = ""
    messages: tuple[SessionMessage, ...] = ()
    complete: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def list_sessions(endpoint: Endpoint, retry: RetryPolicy) -> Plan[list[SessionRecord]]:
    """Return the account's sessions, as the server orders them.

    Raises:
        InvalidResponseError: The response is not a list of sessions.
    """
    response = yield from send_with_retries(endpoint.request("GET", PATH), retry)
    value = parse_json(response)
    listed = value if isinstance(value, list) else _first_list(value, LIST_KEYS)
    records = [_record(item) for item in listed or () if isinstance(item, Mapping)]
    if listed is None or (listed and not records):
        raise invalid_response(response, "is not a list of sessions")
    if isinstance(value, Mapping) and _has_more(value):
        log.warning("The server lists %d sessions and has more; how to ask for them is not documented.", len(records))
    return records


def read_session(endpoint: Endpoint, session_id: str, retry: RetryPolicy) -> Plan[SessionRecord]:
    """Return one session with its messages; reading it costs nothing.

    Raises:
        InvalidInputError: *session_id* is not text; nothing was sent.
        NotFoundError: The account has no such session.
        InvalidResponseError: The response is not a session.
    """
    if not isinstance(session_id, str) or not session_id:
        raise InvalidInputError(f"`session_id` must be the id of a session as text, not {session_id!r}.")
    response = yield from _fetch(endpoint, session_id, retry)
    value = parse_json(response)
    record = _record(value) if isinstance(value, Mapping) else None
    if record is None or not (record.id or record.messages):
        raise invalid_response(response, "is not a session")
    return record


def ends_with_reply(record: SessionRecord, reply: str, turn: int, reply_id: str) -> bool:
    """Return whether the server's record proves that a session ends with a reply.

    Proof is the reply's id as that of the newest message, or its text together with the number of messages, two per
    turn.

    Args:
        record: What the server says about the session.
        reply: Text of the reply.
        turn: Number of the reply in the session, from 1.
        reply_id: Id of the reply, empty if it is not known.
    """
    messages = record.messages
    if not messages or messages[-1].role not in ASSISTANT:
        return False
    if len(messages[-1].id) >= SHORTEST_ID and reply_id.endswith(messages[-1].id):
        return True
    return messages[-1].text.strip() == reply.strip() and _has_turns(record, turn)


def _has_turns(record: SessionRecord, turn: int) -> bool:
    return record.complete and len(record.messages) == 2 * turn and _alternates(record.messages)


def _alternates(messages: Sequence[SessionMessage]) -> bool:
    return all(message.role in (ASSISTANT if place % 2 else USER) for place, message in enumerate(messages))


def _fetch(endpoint: Endpoint, session_id: str, retry: RetryPolicy) -> Plan[httpx.Response]:
    request = endpoint.request("GET", f"{PATH}/{quote(session_id, safe='')}")
    return (yield from send_with_retries(request, retry))


def _record(value: Mapping[str, Any]) -> SessionRecord:
    inner = next((value[key] for key in CONTAINERS if isinstance(value.get(key), Mapping)), value)
    listed = _first_list(inner, MESSAGE_KEYS) or _first_list(value, MESSAGE_KEYS) or []
    messages = [_message(item) for item in listed]
    readable = all(message is not None for message in messages)
    return SessionRecord(
        id=_text(inner, (*ID_KEYS, "session_id", "sessionId")),
        title=_text(inner, ("title", "name")),
        model=_text(inner, ("model", "model_id", "modelId")),
        messages=_oldest_first([message for message in messages if message is not None]),
        complete=readable and not _has_more(value),
        raw=value,
    )


def _has_more(value: Mapping[str, Any]) -> bool:
    """Whether the server says that it has more than it sent."""
    layers = [value, *(value[key] for key in (*CONTAINERS, *PAGING) if isinstance(value.get(key), Mapping))]
    return any(layer.get(key) for layer in layers for key in MORE_KEYS)


def _message(item: Any) -> SessionMessage | None:
    if not isinstance(item, Mapping):
        return None
    inner = item["message"] if isinstance(item.get("message"), Mapping) else item
    role = next((role for key in ROLE_KEYS if (role := _role(inner.get(key)))), "")
    text = next((found for key in TEXT_KEYS if (found := _content(inner.get(key))) is not None), None)
    if not role or text is None:
        return None
    return SessionMessage(role, text, _text(inner, ID_KEYS) or _text(item, ID_KEYS))


def _role(value: Any) -> str:
    name = value.get("role") if isinstance(value, Mapping) else value
    return name.lower() if isinstance(name, str) else ""


def _content(value: Any) -> str | None:
    """Text, or a list of parts with text; anything else is not read."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    return "".join(_parts(value))


def _parts(value: Sequence[Any]) -> Iterator[str]:
    for part in value:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield text


def _oldest_first(messages: Sequence[SessionMessage]) -> tuple[SessionMessage, ...]:
    """A conversation starts with the user; a list that starts with the newest reply is reversed."""
    newest_first = len(messages) > 1 and messages[0].role in ASSISTANT and messages[-1].role in USER
    return tuple(reversed(messages)) if newest_first else tuple(messages)


def _first_list(value: Any, keys: Sequence[str]) -> list[Any] | None:
    if not isinstance(value, Mapping):
        return None
    layers = [value, *(value[key] for key in CONTAINERS if isinstance(value.get(key), Mapping))]
    return next((layer[key] for layer in layers for key in keys if isinstance(layer.get(key), list)), None)


def _text(value: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The first text among some keys; a number as a text."""
    found = (value.get(key) for key in keys)
    return next((str(one) for one in found if isinstance(one, (str, int)) and not isinstance(one, bool)), "")
