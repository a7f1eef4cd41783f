"""The checks of Rivya's API: section 12 of its contract, point by point, as far as a client can see."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from live.probe import ONCE, Check, Finding, Probe, error_seen, json_of, judged, keys_of
from rivya_core.chat_stream import join
from rivya_core.http.error_responses import parse_json
from rivya_core.images.api import STATUSES, create_task, get_task
from rivya_core.images.catalogue import image_model
from rivya_core.models import list_models
from rivya_core.providers import RIVYA
from rivya_core.rivya.credits import read_credits
from rivya_core.rivya.files import ID_KEYS, upload_file
from rivya_core.rivya.session_records import ends_with_reply, list_sessions, read_session
from rivya_core.rivya.vocabulary import END_MARK
from rivya_core.rivya.wire import STREAM_PATH, WHOLE_PATH, RivyaStreamDecoder, read_whole

ASKED = "Reply with the one word: pong"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
IMAGE_MODEL = "z-image"
IMAGE_CREDITS = image_model(IMAGE_MODEL).credits or 5
TURN = 3


def body(text: str = ASKED, **more: Any) -> dict[str, Any]:
    return {"model": RIVYA.default_model, "message": text, **more}


def new_key() -> dict[str, str]:
    return {"idempotency-key": f"live-{uuid.uuid4().hex}"}


def models(probe: Probe) -> list[Finding]:
    listed = probe.run(list_models(probe.where, ONCE))
    chats = [model for model in listed if model.raw.get("category", "chat") == "chat"]
    images = [model for model in listed if model.raw.get("category") == "image"]
    known = RIVYA.default_model in {model.id for model in listed}
    found = [
        judged(
            "models: default model",
            f"`{RIVYA.default_model}` is listed",
            ", ".join(model.id for model in chats)[:200],
            known,
        ),
        judged(
            "models: category",
            "`image` marks image models, chat models are the others",
            f"{len(chats)} chat, {len(images)} image",
            bool(images),
        ),
    ]
    if chats:
        found.append(judged("models: chat entry", "keys are not known", keys_of(chats[0].raw), None))
    params = next((model.raw.get("params") for model in images if model.raw.get("params")), None)
    shape = keys_of(params[0]) if isinstance(params, list) and params else "no params"
    named = isinstance(params, list) and all(isinstance(one, dict) and ({"key", "name"} & set(one)) for one in params)
    found.append(judged("models: params", "a list of objects with `key` or `name`", shape, named if images else None))
    return found


def credits(probe: Probe) -> list[Finding]:
    balance = probe.run(read_credits(probe.where, ONCE))
    return [judged("credits", f"a number under `{'.'.join(RIVYA.balance_at)}`", f"{balance:g}", True)]


def whole_chat(probe: Probe) -> list[Finding]:
    response = probe.send("POST", WHOLE_PATH, body(), new_key())
    reply = read_whole(response)
    facts = reply.metadata
    limits = [name for name in response.headers if re.search("rate-?limit|retry-after", name, re.IGNORECASE)]
    return [
        judged("chat: status", "200", str(response.status_code), response.status_code == 200),
        judged("chat: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip())),
        judged(
            "chat: session",
            "`session_id` in the reply",
            str(facts.get("session_id"))[:60],
            bool(facts.get("session_id")),
        ),
        judged(
            "chat: usage", "tokens in the reply", str(reply.usage and reply.usage.total_tokens), reply.usage is not None
        ),
        judged("chat: credits", "reserved and final", str(facts.get("credits")), _has_final(facts.get("credits"))),
        judged("chat: keys", "keys beyond the example are ignored", keys_of(json_of(response)), True),
        judged("chat: rate headers", "none are known", ", ".join(limits) or "none", None if limits else True),
    ]


def stream(probe: Probe) -> Iterator[Finding]:
    response = probe.send("POST", STREAM_PATH, body(), {**new_key(), "accept": "text/event-stream"})
    kind = response.headers.get("content-type", "")
    events = probe.events(response)
    names = list(dict.fromkeys(name or "(no name)" for name, _ in events))
    yield from [
        judged("stream: content type", "text/event-stream", kind, "text/event-stream" in kind),
        judged(
            "stream: events", "any names; the tables of `vocabulary.py` read them", ", ".join(names)[:200], bool(events)
        ),
    ]
    reply = join(RivyaStreamDecoder(response), response.content)
    marked = bool(events and END_MARK.fullmatch(events[-1][1].encode()))
    last = events[-2 if marked and len(events) > 1 else -1][0] if events else ""
    facts = reply.metadata
    yield from [
        judged(
            "stream: end",
            "an end mark or a closing event",
            "an end mark" if marked else f"event {last or '(no name)'}",
            True,
        ),
        judged("stream: text", "readable, not empty, once", repr(reply.text[:60]), _says_pong_once(reply.text)),
        judged(
            "stream: usage",
            "in the closing event",
            str(reply.usage and reply.usage.total_tokens),
            reply.usage is not None,
        ),
        judged("stream: credits", "in the closing event", str(facts.get("credits")), _has_final(facts.get("credits"))),
        judged(
            "stream: session", "named in the stream", str(facts.get("session_id"))[:60], bool(facts.get("session_id"))
        ),
    ]


def sessions(probe: Probe) -> list[Finding]:
    reply = read_whole(probe.send("POST", WHOLE_PATH, body(), new_key()))
    session = str(reply.metadata.get("session_id") or "")
    record = probe.run(read_session(probe.where, session, ONCE))
    proven = ends_with_reply(record, reply.text, 1, str(reply.metadata.get("id") or ""))
    listed = [one.id for one in probe.run(list_sessions(probe.where, ONCE))]
    second = read_whole(probe.send("POST", WHOLE_PATH, body("Which word was that?", session_id=session), new_key()))
    return [
        judged(
            "session: messages",
            "user and assistant, oldest first",
            ", ".join(m.role for m in record.messages) or "unreadable",
            [m.role in {"assistant", "model", "ai", "bot"} for m in record.messages] == [False, True],
        ),
        judged(
            "session: proof",
            "the record proves where the session ends",
            "proven" if proven else f"not proven; keys {keys_of(record.raw)}",
            proven,
        ),
        judged("session: list", "names the session", f"{len(listed)} sessions", session in listed),
        judged(
            "session: continued",
            "the same session answers",
            str(second.metadata.get("session_id"))[:60],
            second.metadata.get("session_id") == session,
        ),
    ]


def unknown_session(probe: Probe) -> list[Finding]:
    response = probe.send("POST", WHOLE_PATH, body(session_id="live-check-no-such-session"), new_key())
    ok = response.status_code in {404, 409}
    return [judged("session: unknown id", "404 or 409", error_seen(response), ok)]


def idempotency(probe: Probe) -> list[Finding]:
    key = new_key()
    before = probe.run(read_credits(probe.where, ONCE))
    replies = [read_whole(probe.send("POST", WHOLE_PATH, body(), key)) for _ in range(2)]
    spent = before - probe.run(read_credits(probe.where, ONCE))
    final = _final(replies[0].metadata.get("credits"))
    same = replies[0].metadata.get("id") == replies[1].metadata.get("id")
    conflict = probe.send("POST", WHOLE_PATH, body("Reply with the one word: ping"), key)
    return [
        judged("idempotency: same key", "the first reply again", "the same reply" if same else "another reply", same),
        judged(
            "idempotency: charge", "once", f"{spent:g} for two, {final:g} for one", spent <= final if final else None
        ),
        judged(
            "idempotency: other body", "409 idempotency_conflict", error_seen(conflict), conflict.status_code == 409
        ),
    ]


def stream_idempotency(probe: Probe) -> list[Finding]:
    key = {**new_key(), "accept": "text/event-stream"}
    ids = []
    for _ in range(2):
        response = probe.send("POST", STREAM_PATH, body(), key)
        if not response.is_success:
            return [
                judged(
                    "idempotency: stream", "not honoured, so a lost stream is not repeated", error_seen(response), False
                )
            ]
        ids.append(join(RivyaStreamDecoder(response), response.content).metadata.get("id"))
    same = ids[0] is not None and ids[0] == ids[1]
    seen = "the first reply again" if same else "another reply"
    return [judged("idempotency: stream", "not honoured, so a lost stream is not repeated", seen, not same)]


def errors(probe: Probe) -> list[Finding]:
    tries = [
        ("error: wrong key", {401}, probe.send_as("rvya_sk_wrong", "GET", "/credits")),
        ("error: empty message", {400, 422}, probe.send("POST", WHOLE_PATH, body(""), new_key())),
        (
            "error: unknown model",
            {400, 403, 404, 422},
            probe.send("POST", WHOLE_PATH, {"model": "no-such-model", "message": "x"}, new_key()),
        ),
        ("error: unknown path", {404}, probe.send("GET", "/no-such-path")),
        ("error: unknown task", {404}, probe.send("GET", "/generations/live-check-no-such-task")),
    ]
    found = [
        judged(
            name,
            f"{' or '.join(map(str, sorted(statuses)))}, JSON",
            error_seen(response),
            response.status_code in statuses and json_of(response) is not None,
        )
        for name, statuses, response in tries
    ]
    found.append(
        judged(
            "error: 5xx codes", "`public_api_disabled` is the only known one", "cannot be brought about from here", None
        )
    )
    return found


def upload(probe: Probe) -> list[Finding]:
    response = probe.send("POST", "/files", files={"file": ("dot.png", PNG, "image/png"), "kind": (None, "image")})
    value = json_of(response)
    file = probe.run(upload_file(probe.where, PNG, "dot.png", "image/png", ONCE))
    key = next((key for layer in _layers(value) for key in ID_KEYS if layer.get(key) == file.id), None) or next(
        (key for layer in _layers(value) for key in ID_KEYS if isinstance(layer.get(key), str)), "none"
    )
    return [
        judged("upload: status", "200 or 201", str(response.status_code), response.status_code in {200, 201}),
        judged("upload: id", f"under one of {', '.join(ID_KEYS)}", key, key in ID_KEYS),
        judged("upload: url", "given, for reference images", "given" if file.url else "none", bool(file.url)),
        judged("upload: keys", "further keys are ignored", keys_of(value), True),
    ]


def attachments(probe: Probe) -> list[Finding]:
    file = probe.run(upload_file(probe.where, PNG, "dot.png", "image/png", ONCE))
    response = probe.send("POST", WHOLE_PATH, body(attachments=[{"file_id": file.id}]), new_key())
    return [
        judged(
            "attachments",
            "`[{file_id}]` is accepted",
            str(response.status_code) if response.is_success else error_seen(response),
            response.is_success,
        )
    ]


def image(probe: Probe) -> list[Finding]:
    order = {"model": IMAGE_MODEL, "prompt": "A grey square"}
    key = f"live-{uuid.uuid4().hex}"
    task = probe.run(create_task(probe.where, order, key, ONCE))
    again = probe.run(create_task(probe.where, order, key, ONCE))
    statuses, deadline = [task.status], time.monotonic() + 300
    while not task.ended and time.monotonic() < deadline:
        time.sleep(min(task.retry_after or 2, 10))
        task = probe.run(get_task(probe.where, task.id, ONCE))
        statuses.append(task.status)
    raw = [json_of_text(record.body) for record in probe.records if "/generations" in record.path]
    words = {str(layer.get("status")) for value in raw for layer in _layers(value) if layer.get("status")}
    found = [
        judged(
            "image: same key", "the same task", "the same" if again.id == task.id else "another", again.id == task.id
        ),
        judged(
            "image: states",
            f"{', '.join(STATUSES)}, processing",
            ", ".join(sorted(words)),
            words <= {*STATUSES, "processing"},
        ),
        judged("image: result", "at least one URL", f"{task.status}, {len(task.urls)} URLs", bool(task.urls)),
        judged(
            "image: price", f"{IMAGE_CREDITS} credits", f"{task.final_credits}", task.final_credits == IMAGE_CREDITS
        ),
    ]
    return found + (_result_url(task.urls[0]) if task.urls else [])


def _result_url(url: str) -> list[Finding]:
    """What a result's URL allows without credentials."""
    seen = httpx.get(url, timeout=60)
    limited = re.search(r"[?&](?:X-Amz-Expires|Expires|exp|se)=([^&]+)", url)
    return [
        judged("image: URL without key", "can be read", str(seen.status_code), seen.is_success),
        judged(
            "image: content type",
            "image/*",
            seen.headers.get("content-type", "none"),
            seen.headers.get("content-type", "").startswith("image/"),
        ),
        judged(
            "image: lifetime",
            "is not known; results are downloaded at once",
            limited[0].lstrip("?&") if limited else "the URL does not say",
            None,
        ),
    ]


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
    Check("errors", 0, errors),
    Check("whole-chat", TURN, whole_chat),
    Check("stream", TURN, stream),
    Check("sessions", 2 * TURN, sessions),
    Check("unknown-session", TURN, unknown_session),
    Check("idempotency", 2 * TURN, idempotency),
    Check("stream-idempotency", 2 * TURN, stream_idempotency),
    Check("upload", 0, upload),
    Check("attachments", TURN, attachments),
    Check("image", 2 * IMAGE_CREDITS, image),
]
