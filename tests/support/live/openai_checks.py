"""The checks of OpenAI-compatible providers: section E of their contract, as far as a client can see."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from live.probe import ONCE, Check, Finding, Probe, error_seen, json_of, judged, keys_of
from rivya_core.chat_stream import join
from rivya_core.model_facts import AS_OF, IMAGES_ONLY, facts_for
from rivya_core.models import list_models
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.openai.responses.stream import ResponseReading, read_response
from rivya_core.sessions.pointers import origin_of

PATH = "/chat/completions"
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


def whole(probe: Probe) -> list[Finding]:
    response = probe.send("POST", PATH, body(probe))
    reply = read_whole(response, Reading())
    limits = [name for name in response.headers if re.search("rate-?limit|retry-after", name, re.IGNORECASE)]
    return [
        judged("chat: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip())),
        judged(
            "chat: finish reason",
            "stop",
            str(reply.metadata.get("finish_reason")),
            reply.metadata.get("finish_reason") == "stop",
        ),
        judged(
            "chat: usage", "tokens in the reply", str(reply.usage and reply.usage.total_tokens), reply.usage is not None
        ),
        judged("chat: rate headers", "none are known", ", ".join(limits) or "none", None if limits else True),
    ]


def stream(probe: Probe) -> list[Finding]:
    asked = body(probe, stream=True, stream_options={"include_usage": True})
    response = probe.send("POST", PATH, asked, {"accept": "text/event-stream"})
    if not response.is_success:
        return [judged("stream", "`stream_options` is accepted", error_seen(response), False)]
    data = [text for _, text in probe.events(response)]
    frames = [frame for text in data if (frame := _json(text)) is not None]
    reply = join(CompletionsStreamDecoder(response, Reading()), response.content)
    first = frames[0].get("choices") if frames else None
    role = (
        first[0].get("delta", {}).get("role")
        if isinstance(first, list) and first and isinstance(first[0], dict)
        else None
    )
    with_usage = [place for place, frame in enumerate(frames) if frame.get("usage")]
    return [
        judged(
            "stream: end", "`[DONE]`", data[-1][:40] if data else "nothing", bool(data) and data[-1].strip() == "[DONE]"
        ),
        judged("stream: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip())),
        judged("stream: first role", "assistant", str(role), role == "assistant"),
        judged(
            "stream: usage",
            "once, in the last chunk",
            f"in {len(with_usage)} of {len(frames)} chunks",
            with_usage == [len(frames) - 1],
        ),
    ]


def stream_without_asking(probe: Probe) -> list[Finding]:
    response = probe.send("POST", PATH, body(probe, stream=True), {"accept": "text/event-stream"})
    some = any((_json(text) or {}).get("usage") for _, text in probe.events(response))
    return [judged("stream: usage unasked", "is not known; it is asked for", "given" if some else "none", None)]


def options(probe: Probe) -> list[Finding]:
    tries: list[tuple[str, str, dict[str, Any]]] = [
        (
            "option: limit",
            "accepted",
            {probe.provider.completions_profile(probe.provider.default_model).limit_key: 200},
        ),
        ("option: reasoning_effort", "is not known; depends on the model", {"reasoning_effort": "low"}),
        ("option: seed", "accepted", {"seed": 7}),
        (
            "option: json_schema",
            "accepted",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "word", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        ("option: unknown", "is not known; none is sent", {"live_check_no_such_option": 1}),
    ]
    found = []
    for name, assumed, more in tries:
        response = probe.send("POST", PATH, body(probe, **more))
        seen = "accepted" if response.is_success else error_seen(response)
        found.append(judged(name, assumed, seen, response.is_success if assumed == "accepted" else None))
    return found


def tools(probe: Probe) -> list[Finding]:
    asked = body(probe, "What is the weather in Paris?", tools=[TOOL], tool_choice="required")
    reply = read_whole(probe.send("POST", PATH, asked), Reading())
    response = probe.send("POST", PATH, {**asked, "stream": True}, {"accept": "text/event-stream"})
    streamed = join(CompletionsStreamDecoder(response, Reading()), response.content)
    return [
        judged(
            f"tools: {kind}",
            "one call of get_weather with JSON",
            str([(c.name, c.arguments) for c in one.tool_calls])[:120],
            _is_call(one),
        )
        for kind, one in (("whole", reply), ("streamed", streamed))
    ]


def errors(probe: Probe) -> list[Finding]:
    wrong = probe.send_as("sk-wrong", "POST", PATH, body(probe))
    model = probe.send("POST", PATH, {**body(probe), "model": "no-such-model"})
    empty = probe.send("POST", PATH, {"model": probe.provider.default_model, "messages": []})
    return [
        judged("error: wrong key", "401", error_seen(wrong), wrong.status_code == 401),
        judged("error: unknown model", "400, 403 or 404", error_seen(model), model.status_code in {400, 403, 404}),
        judged(
            "error: no messages",
            "400 or 422, JSON",
            error_seen(empty),
            empty.status_code in {400, 422} and json_of(empty) is not None,
        ),
    ]


def idempotency(probe: Probe) -> list[Finding]:
    key = {"idempotency-key": f"live-{uuid.uuid4().hex}"}
    ids = [(json_of(probe.send("POST", PATH, body(probe), key)) or {}).get("id") for _ in range(2)]
    same = ids[0] is not None and ids[0] == ids[1]
    return [judged("idempotency", "not honoured", "the first reply again" if same else "another reply", not same)]


def responses(probe: Probe) -> list[Finding]:
    asked = {"model": probe.provider.default_model, "input": "Reply with the one word: pong"}
    response = probe.send("POST", "/responses", asked)
    if not response.is_success:
        return [judged("responses", "the API is there", error_seen(response), False)]
    reply = read_response(
        response, ResponseReading(origin_of(probe.where.base_url, probe.provider.default_model, probe.where.account))
    )
    first = json_of(response) or {}
    following = probe.send(
        "POST", "/responses", {**asked, "input": "Which word was that?", "previous_response_id": first.get("id")}
    )
    kept = probe.send("GET", f"/responses/{first.get('id')}")
    streamed = probe.send("POST", "/responses", {**asked, "stream": True}, {"accept": "text/event-stream"})
    names = [(_json(text) or {}).get("type") or name for name, text in probe.events(streamed)]
    return [
        judged("responses: text", "readable, not empty", repr(reply.text[:60]), bool(reply.text.strip())),
        judged(
            "responses: previous_response_id",
            "accepted",
            "accepted" if following.is_success else error_seen(following),
            following.is_success,
        ),
        judged(
            "responses: stored",
            "is not known; it is not relied on",
            "read" if kept.is_success else error_seen(kept),
            None,
        ),
        judged(
            "responses: last event",
            "response.completed",
            str(names[-1]) if names else "none",
            bool(names) and names[-1] == "response.completed",
        ),
    ]


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
    Check("errors", 0, errors),
    Check("whole", 1, whole),
    Check("stream", 1, stream),
    Check("stream-without-asking", 1, stream_without_asking),
    Check("options", 5, options),
    Check("tools", 2, tools),
    Check("idempotency", 2, idempotency),
    Check("responses", 3, responses),
]
