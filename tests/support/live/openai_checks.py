"""The checks of OpenAI-compatible providers: section E of their contract, as far as a client can see."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

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
from rivya_core.model_facts import AS_OF, IMAGES_ONLY, facts_for
from rivya_core.models import list_models
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.openai.responses.stream import ResponseReading, read_response
from rivya_core.sessions.pointers import origin_of

PATH = "/chat/completions"
BAD_REQUEST = 400
EITHER = "accepted, or 400 with JSON"
CHAT_KEYS = frozenset("id object created model choices usage system_fingerprint service_tier metadata".split())
"""The keys of OpenAI's replies."""
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


def body(probe: Probe, text: str = "Reply with the one word: pong", **more: Any) -> dict[str, Any]:
    return {"model": probe.provider.default_model, "messages": [{"role": "user", "content": text}], **more}


def models(probe: Probe) -> list[Finding]:
    listed = probe.run(list_models(probe.where, ONCE))
    ids = [model.id for model in listed]
    wanted = probe.provider.default_model
    chats = [name for name in ids if name.rpartition("/")[2].startswith("gpt-") and not IMAGES_ONLY.match(name)]
    new = [name for name in chats if facts_for(name) is None]
    return [
        judged(
            "models: facts", f"sizes of all GPT models, as of {AS_OF}", f"unknown: {', '.join(new) or 'none'}", not new
        ),
        judged("models: default model", f"`{wanted}` is listed", f"{len(ids)} models", wanted in ids),
        judged(
            "models: entry",
            "`id`, further keys are ignored",
            keys_of(listed[0].raw) if listed else "none",
            bool(listed),
        ),
    ]


def whole(probe: Probe) -> Iterator[Finding]:
    response = probe.send("POST", PATH, body(probe))
    yield rate_headers("chat: rate headers", response)
    yield fields_seen("chat: keys", json_of(response), CHAT_KEYS)
    reply = read_whole(response, Reading())
    yield judged("chat: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip()))
    reason, tokens = str(reply.metadata.get("finish_reason")), reply.usage and reply.usage.total_tokens
    yield judged("chat: finish reason", "stop", reason, reason == "stop")
    yield judged("chat: usage", "tokens in the reply", str(tokens), reply.usage is not None)


def stream(probe: Probe) -> Iterator[Finding]:
    asked = body(probe, stream=True, stream_options={"include_usage": True})
    response = probe.send("POST", PATH, asked, {"accept": "text/event-stream"})
    if not response.is_success:
        yield judged("stream", "`stream_options` is accepted", error_seen(response), False)
        return
    data = [text for _, text in probe.events(response)]
    frames = [frame for text in data if (frame := _json(text)) is not None]
    last = data[-1] if data else "nothing"
    yield judged("stream: end", "`[DONE]`", last[:40], last.strip() == "[DONE]")
    role = str(_role(frames[0])) if frames else "no JSON"
    yield judged("stream: first role", "assistant", role, role == "assistant")
    with_usage = [place for place, frame in enumerate(frames) if frame.get("usage")]
    seen = f"in {len(with_usage)} of {len(frames)} chunks"
    yield judged("stream: usage", "once, in the last chunk", seen, with_usage == [len(frames) - 1])
    reply = join(CompletionsStreamDecoder(response, Reading()), response.content)
    yield judged("stream: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip()))


def stream_without_asking(probe: Probe) -> list[Finding]:
    response = probe.send("POST", PATH, body(probe, stream=True), {"accept": "text/event-stream"})
    some = any((_json(text) or {}).get("usage") for _, text in probe.events(response))
    seen = ("given" if some else "none") if response.is_success else error_seen(response)
    return [judged("stream: usage unasked", "given or none; it is asked for", seen, response.is_success)]


def options(probe: Probe) -> Iterator[Finding]:
    profile = probe.provider.completions_profile(probe.provider.default_model)
    form = {"type": "json_schema", "json_schema": {"name": "word", "schema": SCHEMA, "strict": True}}
    schema = "accepted" if profile.json_schema else EITHER
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("limit", "accepted", {profile.limit_key: 200}),
        ("reasoning_effort", EITHER, {"reasoning_effort": "low"}),
        ("seed", "accepted", {"seed": 7}),
        ("json_schema", schema, {"response_format": form}),
        ("unknown", EITHER, {"live_check_no_such_option": 1}),
    ]
    for name, assumed, more in tries:
        response = probe.send("POST", PATH, body(probe, **more))
        seen = "accepted" if response.is_success else error_seen(response)
        refused = assumed == EITHER and response.status_code == BAD_REQUEST and json_of(response) is not None
        yield judged(f"option: {name}", assumed, seen, response.is_success or refused)


def tools(probe: Probe) -> Iterator[Finding]:
    asked = body(probe, "What is the weather in Paris?", tools=[TOOL], tool_choice="required")
    streamed = {**asked, "stream": True}
    tries: list[tuple[str, Callable[[], Any]]] = [
        ("whole", lambda: read_whole(probe.send("POST", PATH, asked), Reading())),
        ("streamed", lambda: _joined(probe.send("POST", PATH, streamed, {"accept": "text/event-stream"}))),
    ]
    for kind, send in tries:
        reply, failure = attempted(send)
        seen = failure or str([(call.name, call.arguments) for call in reply.tool_calls])[:120]
        yield judged(f"tools: {kind}", "one call of get_weather with JSON", seen, not failure and _is_call(reply))


def errors(probe: Probe) -> Iterator[Finding]:
    wrong = probe.send_as("sk-wrong", "POST", PATH, body(probe))
    yield judged("error: wrong key", "401", error_seen(wrong), wrong.status_code == 401)
    model = probe.send("POST", PATH, {**body(probe), "model": "no-such-model"})
    yield judged("error: unknown model", "400, 403 or 404", error_seen(model), model.status_code in {400, 403, 404})
    empty = probe.send("POST", PATH, {"model": probe.provider.default_model, "messages": []})
    ok = empty.status_code in {400, 422} and json_of(empty) is not None
    yield judged("error: no messages", "400 or 422, JSON", error_seen(empty), ok)


def idempotency(probe: Probe) -> list[Finding]:
    key = {"idempotency-key": f"live-{uuid.uuid4().hex}"}
    ids = [(json_of(probe.send("POST", PATH, body(probe), key)) or {}).get("id") for _ in range(2)]
    if None in ids:
        return [judged("idempotency", "not honoured", "replies without an id", None)]
    same = ids[0] == ids[1]
    return [judged("idempotency", "not honoured", "the first reply again" if same else "another reply", not same)]


def responses(probe: Probe) -> Iterator[Finding]:
    model = probe.provider.default_model
    asked = {"model": model, "input": "Reply with the one word: pong"}
    response = probe.send("POST", "/responses", asked)
    if not response.is_success:
        yield judged("responses", "the API is there", error_seen(response), False)
        return
    reading = ResponseReading(origin_of(probe.where.base_url, model, probe.where.account))
    reply, failure = attempted(lambda: read_response(response, reading))
    yield judged(
        "responses: text", "readable, not empty", failure or repr(reply.text[:60]), bool(reply and reply.text.strip())
    )
    first = (json_of(response) or {}).get("id")
    following = probe.send("POST", "/responses", {**asked, "input": "Which word?", "previous_response_id": first})
    seen = "accepted" if following.is_success else error_seen(following)
    yield judged("responses: previous_response_id", "accepted", seen, following.is_success)
    kept = probe.send("GET", f"/responses/{first}")
    seen, known = "read" if kept.is_success else error_seen(kept), kept.is_success or kept.status_code in {404, 405}
    yield judged("responses: stored", "read or 404; it is not relied on", seen, known)
    streamed = probe.send("POST", "/responses", {**asked, "stream": True}, {"accept": "text/event-stream"})
    names = [(_json(text) or {}).get("type") or name for name, text in probe.events(streamed)]
    last = str(names[-1]) if names else "none"
    yield judged("responses: last event", "response.completed", last, last == "response.completed")


def _joined(response: httpx.Response) -> Any:
    return join(CompletionsStreamDecoder(response, Reading()), response.content)


def _role(frame: dict[str, Any]) -> Any:
    choices = frame.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    return delta.get("role") if isinstance(delta, dict) else None


def _json(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_call(reply: Any) -> bool:
    calls: dict[int, list[str]] = {}
    for piece in reply.tool_calls:
        found = calls.setdefault(piece.index, ["", ""])
        found[0] += piece.name or ""
        found[1] += piece.arguments
    return [name for name, _ in calls.values()] == ["get_weather"] and all(
        _json(text) is not None for _, text in calls.values()
    )


CHECKS = [
    Check("models", 0, models),
    Check("errors", 2, errors),
    Check("whole", 1, whole),
    Check("stream", 1, stream),
    Check("stream-without-asking", 1, stream_without_asking),
    Check("options", 5, options),
    Check("tools", 2, tools),
    Check("idempotency", 2, idempotency),
    Check("responses", 3, responses),
]
