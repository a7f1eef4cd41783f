"""The checks of Rivya's API: section 12 of its contract, point by point, as far as a client can see."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx

from live.probe import (
    ONCE,
    Check,
    Finding,
    Probe,
    attempted,
    error_seen,
    fields_seen,
    json_of,
    judged,
    keys_of,
    rate_headers,
)
from rivya_core.chat_stream import join
from rivya_core.http.error_detail import parse_error_detail, parse_text
from rivya_core.http.error_responses import parse_json
from rivya_core.images.api import create_task, get_task
from rivya_core.images.catalogue import image_model
from rivya_core.models import list_models
from rivya_core.providers import RIVYA
from rivya_core.rivya.credits import read_credits
from rivya_core.rivya.files import ID_KEYS, upload_file
from rivya_core.rivya.session_records import ASSISTANT, ends_with_reply, list_sessions, read_session
from rivya_core.rivya.vocabulary import END_MARK
from rivya_core.rivya.wire import STREAM_PATH, WHOLE_PATH, RivyaStreamDecoder, read_whole

ASKED = "Reply with the one word: pong"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
IMAGE_MODEL = "z-image"
IMAGE_CREDITS = image_model(IMAGE_MODEL).credits or 5
TURN = 3
LATER, HOUR, YEARS = 5, 3600, 10**9
"""Seconds: after which a result is read again, for which it should be readable, and from which a number is a date."""
MOST_FAILURES = 3
EVENTS = ("message.started", "message.delta", "message.completed")
STATES = ("queued", "processing", "succeeded", "failed")
CHAT_KEYS = frozenset("id object session_id model message usage credits created_at client_request_id".split())
CREDIT_KEYS = frozenset({"current_credits"})
MODEL_KEYS = frozenset(
    "api_input_status api_status base_credits billing_type category chat_capabilities display_name file_kinds id "
    "max_prompt_length notices params reference_media requires_files_api requires_upload_for_modes runtime "
    "supported_api_inputs supported_modes url_input_supported".split()
)
UPLOAD_KEYS = frozenset(
    "client_request_id created_at duration_seconds duration_token id kind mime_type name object size_bytes url".split()
)
TASK_KEYS = frozenset("created_at error final_credits id model reserved_credits result status updated_at".split())
"""The keys that the provider's pages show, and those that the sandbox adds to them."""


def body(text: str = ASKED, **more: Any) -> dict[str, Any]:
    return {"model": RIVYA.default_model, "message": text, **more}


def new_key() -> dict[str, str]:
    return {"idempotency-key": f"live-{uuid.uuid4().hex}"}


def models(probe: Probe) -> Iterator[Finding]:
    listed = probe.run(list_models(probe.where, ONCE))
    chats = [model for model in listed if model.raw.get("category", "chat") == "chat"]
    images = [model for model in listed if model.raw.get("category") == "image"]
    names = ", ".join(model.id for model in chats)
    yield judged(
        "models: default model", f"`{RIVYA.default_model}` is listed", names, RIVYA.default_model in names.split(", ")
    )
    marks = "`image` marks image models, chat models are the others"
    words = Counter(str(model.raw.get("category")) for model in listed)
    seen = ", ".join(f"{count} {word}" for word, count in words.items())
    yield judged("models: category", marks, seen or "no models", bool(images and chats))
    if chats:
        yield fields_seen("models: chat entry", chats[0].raw, MODEL_KEYS)
    params = next((model.raw.get("params") for model in images if model.raw.get("params")), None)
    shape = keys_of(params[0]) if isinstance(params, list) and params else "no params"
    named = isinstance(params, list) and all(isinstance(one, dict) and ({"key", "name"} & set(one)) for one in params)
    yield judged("models: params", "a list of objects with `key` or `name`", shape, named)


def credits(probe: Probe) -> Iterator[Finding]:
    value = json_of(probe.send("GET", "/credits"))
    yield fields_seen("credits: keys", value, CREDIT_KEYS)
    balance = probe.run(read_credits(probe.where, ONCE))
    yield judged("credits", f"a number under `{'.'.join(RIVYA.balance_at)}`", f"{balance:g}", True)


def whole_chat(probe: Probe) -> Iterator[Finding]:
    response = probe.send("POST", WHOLE_PATH, body(), new_key())
    yield judged("chat: status", "200", str(response.status_code), response.status_code == 200)
    yield rate_headers("chat: rate headers", response)
    yield fields_seen("chat: keys", json_of(response), CHAT_KEYS)
    reply = read_whole(response)
    facts = reply.metadata
    yield judged("chat: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip()))
    yield _session_named("chat: session", facts)
    tokens = reply.usage and reply.usage.total_tokens
    yield judged("chat: usage", "tokens in the reply", str(tokens), reply.usage is not None)
    yield judged("chat: credits", "reserved and final", str(facts.get("credits")), _has_final(facts.get("credits")))


def stream(probe: Probe) -> Iterator[Finding]:
    response = probe.send("POST", STREAM_PATH, body(), {**new_key(), "accept": "text/event-stream"})
    kind = response.headers.get("content-type", "")
    yield judged("stream: content type", "text/event-stream", kind, "text/event-stream" in kind)
    events = probe.events(response)
    names = list(dict.fromkeys(name or "(no name)" for name, _ in events))
    yield judged(
        "stream: events",
        f"{', '.join(EVENTS)}; others are read by their words",
        ", ".join(names) or "none",
        bool(names) and set(names) <= set(EVENTS),
    )
    reply = join(RivyaStreamDecoder(response), response.content)
    marked = bool(events and END_MARK.fullmatch(events[-1][1].encode()))
    last = events[-2 if marked and len(events) > 1 else -1][0] if events else ""
    seen = "an end mark" if marked else f"event {last or '(no name)'}"
    yield judged("stream: end", "an end mark or a closing event", seen, True)
    yield judged("stream: text", "readable, not empty, once", repr(reply.text[:60]), _says_pong_once(reply.text))
    facts, tokens = reply.metadata, reply.usage and reply.usage.total_tokens
    yield judged("stream: usage", "in the closing event", str(tokens), reply.usage is not None)
    yield judged("stream: credits", "in the closing event", str(facts.get("credits")), _has_final(facts.get("credits")))
    yield _session_named("stream: session", facts)


def sessions(probe: Probe) -> Iterator[Finding]:
    reply = read_whole(probe.send("POST", WHOLE_PATH, body(), new_key()))
    session = str(reply.metadata.get("session_id") or "")
    record, failure = attempted(lambda: probe.run(read_session(probe.where, session, ONCE)))
    roles = [message.role for message in record.messages] if record else []
    seen = failure or ", ".join(roles) or "unreadable"
    yield judged(
        "session: messages", "user and assistant, oldest first", seen, [r in ASSISTANT for r in roles] == [False, True]
    )
    proven = record is not None and ends_with_reply(record, reply.text, 1, str(reply.metadata.get("id") or ""))
    seen = "proven" if proven else failure or f"not proven; keys {keys_of(record.raw)}"
    yield judged("session: proof", "the record proves where the session ends", seen, proven)
    listed, failure = attempted(lambda: [one.id for one in probe.run(list_sessions(probe.where, ONCE))])
    named = session in (listed or [])
    yield judged("session: list", "names the session", failure or f"{len(listed)} sessions", named)
    second = read_whole(probe.send("POST", WHOLE_PATH, body("Which word was that?", session_id=session), new_key()))
    answered = second.metadata.get("session_id")
    yield judged("session: continued", "the same session answers", str(answered)[:60], answered == session)


def unknown_session(probe: Probe) -> list[Finding]:
    response = probe.send("POST", WHOLE_PATH, body(session_id="live-check-no-such-session"), new_key())
    return [judged("session: unknown id", "404 or 409", error_seen(response), response.status_code in {404, 409})]


def idempotency(probe: Probe) -> Iterator[Finding]:
    key = new_key()
    before, _ = attempted(lambda: probe.run(read_credits(probe.where, ONCE)))
    replies = [read_whole(probe.send("POST", WHOLE_PATH, body(), key)) for _ in range(2)]
    after, failure = attempted(lambda: probe.run(read_credits(probe.where, ONCE)))
    same = replies[0].metadata.get("id") == replies[1].metadata.get("id") is not None
    seen = "the same reply" if same else "another reply"
    yield judged("idempotency: same key", "the first reply again", seen, same)
    final = _final(replies[0].metadata.get("credits"))
    countable = before is not None and after is not None and final > 0
    seen = (
        f"{before - after:g} for two, {final:g} for one" if countable else failure or "the reply does not say its price"
    )
    yield judged("idempotency: charge", "once", seen, before - after <= final if countable else None)
    conflict = probe.send("POST", WHOLE_PATH, body("Reply with the one word: ping"), key)
    yield _refusal("idempotency: other body", 409, "idempotency_conflict", conflict)


def stream_idempotency(probe: Probe) -> list[Finding]:
    key = {**new_key(), "accept": "text/event-stream"}
    assumed = "not honoured, so a lost stream is not repeated"
    ids = []
    for _ in range(2):
        response = probe.send("POST", STREAM_PATH, body(), key)
        if not response.is_success:
            return [judged("idempotency: stream", assumed, error_seen(response), False)]
        ids.append(join(RivyaStreamDecoder(response), response.content).metadata.get("id"))
    if None in ids:
        return [judged("idempotency: stream", assumed, "replies without an id", None)]
    same = ids[0] == ids[1]
    return [judged("idempotency: stream", assumed, "the first reply again" if same else "another reply", not same)]


def errors(probe: Probe) -> Iterator[Finding]:
    other = {"model": "no-such-model", "message": "x"}
    tries: list[tuple[str, int, str, Callable[[], httpx.Response]]] = [
        ("wrong key", 401, "api_key_invalid", lambda: probe.send_as("rvya_sk_wrong", "GET", "/credits")),
        ("empty message", 400, "validation_failed", lambda: probe.send("POST", WHOLE_PATH, body(""), new_key())),
        ("unknown model", 400, "chat_model_not_supported", lambda: probe.send("POST", WHOLE_PATH, other, new_key())),
        ("unknown path", 404, "not_found", lambda: probe.send("GET", "/no-such-path")),
        ("unknown task", 404, "not_found", lambda: probe.send("GET", "/generations/live-check-no-such-task")),
    ]
    for name, status, code, send in tries:
        yield _refusal(f"error: {name}", status, code, send())


def server_errors(probe: Probe) -> list[Finding]:
    """What the service failed with while the other checks ran."""
    seen = sorted({f"{one.status} {_code(one.body)!r}" for one in probe.records if one.status >= 500})
    assumed = "none, or 503 'public_api_disabled'"
    return [judged("error: 5xx codes", assumed, ", ".join(seen) or "none", set(seen) <= {"503 'public_api_disabled'"})]


def upload(probe: Probe) -> Iterator[Finding]:
    response = probe.send("POST", "/files", files={"file": ("dot.png", PNG, "image/png"), "kind": (None, "image")})
    yield judged("upload: status", "200 or 201", str(response.status_code), response.status_code in {200, 201})
    value = json_of(response)
    yield fields_seen("upload: keys", value, UPLOAD_KEYS)
    key = next((key for layer in _layers(value) for key in ID_KEYS if isinstance(layer.get(key), str)), None)
    seen = key or f"under none of them: {keys_of(value)}"
    yield judged("upload: id", f"under one of {', '.join(ID_KEYS)}", seen, key is not None)
    file, failure = attempted(lambda: probe.run(upload_file(probe.where, PNG, "dot.png", "image/png", ONCE)))
    given = bool(file and file.url)
    yield judged("upload: url", "given, for reference images", failure or ("given" if given else "none"), given)


def attachments(probe: Probe) -> list[Finding]:
    file = probe.run(upload_file(probe.where, PNG, "dot.png", "image/png", ONCE))
    response = probe.send("POST", WHOLE_PATH, body(attachments=[{"file_id": file.id}]), new_key())
    seen = str(response.status_code) if response.is_success else error_seen(response)
    return [judged("attachments", "`[{file_id}]` is accepted", seen, response.is_success)]


def image(probe: Probe) -> Iterator[Finding]:
    order = {"model": IMAGE_MODEL, "prompt": "A grey square"}
    key = f"live-{uuid.uuid4().hex}"
    task = probe.run(create_task(probe.where, order, key, ONCE))
    again, failure = attempted(lambda: probe.run(create_task(probe.where, order, key, ONCE)))
    same = again is not None and again.id == task.id
    yield judged("image: same key", "the same task", failure or ("the same" if same else "another"), same)
    ends, failure, failures = time.monotonic() + 300, "", 0
    while not task.ended and failures < MOST_FAILURES and time.monotonic() < ends:
        time.sleep(min(task.retry_after or 2, 10))
        found, failure = attempted(partial(probe.run, get_task(probe.where, task.id, ONCE)))
        task, failures = found or task, failures + bool(failure)
    raw = [json_of_text(one.body) for one in probe.records if one.check == probe.check]
    layers = [layer for value in raw for layer in _layers(value) if layer.get("status")]
    words = {str(layer["status"]) for layer in layers}
    yield judged("image: states", ", ".join(STATES), ", ".join(sorted(words)), words <= set(STATES))
    yield fields_seen("image: keys", {key: 0 for layer in layers for key in layer}, TASK_KEYS)
    seen = failure or f"{task.status}, {len(task.urls)} URLs"
    yield judged("image: result", "at least one URL", seen, bool(task.urls))
    price = task.final_credits
    yield judged("image: price", f"{IMAGE_CREDITS} credits", f"{price}", price == IMAGE_CREDITS)
    if task.urls:
        yield from _result_url(task.urls[0])


def _result_url(url: str) -> Iterator[Finding]:
    """What a result's URL allows without credentials, at once and a little later."""
    seen = httpx.get(url, timeout=60)
    yield judged("image: URL without key", "can be read", str(seen.status_code), seen.is_success)
    kind = seen.headers.get("content-type", "none")
    yield judged("image: content type", "image/*", kind, kind.startswith("image/"))
    time.sleep(LATER)
    later = httpx.get(url, timeout=60)
    life = _life(url, seen)
    ok = later.is_success and (life is None or life >= HOUR)
    said = "the URL does not say how long" if life is None else f"says {life:g} s"
    yield judged("image: lifetime", "an hour or more, or not said", f"{later.status_code} after {LATER} s; {said}", ok)


def _life(url: str, response: httpx.Response) -> float | None:
    """Seconds for which a result can be read, as far as its URL or its headers say so."""
    found = re.search(r"[?&](?:X-(?:Amz|Goog)-Expires|Expires|expires|exp|se)=([^&]+)", url)
    age = re.search(r"max-age=(\d+)", response.headers.get("cache-control", ""))
    said = found[1] if found else age[1] if age else ""
    if said.isdecimal():
        return float(said) - (time.time() if int(said) > YEARS else 0)
    ends, _ = attempted(lambda: datetime.fromisoformat(unquote(said).replace("Z", "+00:00")).timestamp())
    return None if ends is None else ends - time.time()


def _session_named(check: str, facts: Mapping[str, Any]) -> Finding:
    session = facts.get("session_id")
    return judged(check, "`session_id` in the reply", str(session)[:60], bool(session))


def _refusal(check: str, status: int, code: str, response: httpx.Response) -> Finding:
    seen = error_seen(response)
    return judged(check, f"{status} {code!r}", seen, seen == f"{status} {code!r}")


def _code(text: str) -> Any:
    return parse_error_detail(parse_text(text), text).code


def json_of_text(text: str) -> Any:
    try:
        return parse_json(httpx.Response(200, text=text, request=httpx.Request("GET", "http://local/")))
    except Exception:  # noqa: BLE001 - a transcript that is not JSON has no status
        return None


def _layers(value: Any) -> list[dict[str, Any]]:
    every = [value, *(value.get(key) for key in ("data", "file", "generation"))] if isinstance(value, dict) else []
    return [layer for layer in every if isinstance(layer, dict)]


def _final(credits: Any) -> float:
    final = credits.get("final") if isinstance(credits, dict) else credits
    return float(final) if isinstance(final, (int, float)) else 0.0


def _has_final(credits: Any) -> bool:
    return isinstance(credits, dict) and {"reserved", "final"} <= set(credits)


def _says_pong_once(text: str) -> bool:
    words = re.findall(r"pong", text, re.IGNORECASE)
    return bool(text.strip()) and len(words) <= 1 and len(text) < 200


CHECKS = [
    Check("models", 0, models),
    Check("credits", 0, credits),
    Check("errors", 2 * TURN, errors),
    Check("whole-chat", TURN, whole_chat),
    Check("stream", TURN, stream),
    Check("sessions", 2 * TURN, sessions),
    Check("unknown-session", TURN, unknown_session),
    Check("idempotency", 3 * TURN, idempotency),
    Check("stream-idempotency", 2 * TURN, stream_idempotency),
    Check("upload", 0, upload),
    Check("attachments", TURN, attachments),
    Check("image", 2 * IMAGE_CREDITS, image),
    Check("server-errors", 0, server_errors),
]
