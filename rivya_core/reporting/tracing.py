"""OpenTelemetry spans of chat calls, named by the conventions for generative AI.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. A call gets a span if `opentelemetry-api` was imported
and its tracer records; nothing is imported for it. No message, no key and no header is in a span.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from rivya_core import __version__
from rivya_core.errors import RivyaError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.reporting.costs import cost_of, reserved_for
from rivya_core.types import ChatDelta

LONGEST = 300
"""Characters of a text in a span."""
SETTINGS = ("temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "seed")
"""Options that the conventions know, too, after `gen_ai.request.`."""
FACTS = {
    "model_name": "gen_ai.response.model",
    "id": "gen_ai.response.id",
    "session_id": "gen_ai.conversation.id",
    "session_route": "rivya.session.route",
}
"""Texts in a reply's metadata, and their attributes."""


class CallTrace:
    """The span of one call, a child of the span that is current when the call begins.

    Args:
        provider: Name of the provider.
        model: Model id of the request.
        base_url: URL of the API.
        settings: Options of the call by our names.
    """

    def __init__(self, provider: str, model: str, base_url: str, settings: Mapping[str, Any]) -> None:
        self._name = f"chat {model}"
        self._about = (provider, model, base_url, settings)
        self._retries = self._requests = 0
        self._span: Any = None

    def begins(self) -> None:
        """Begin the span."""
        from opentelemetry.trace import SpanKind, get_tracer

        self._span = get_tracer("rivya", __version__).start_span(self._name, kind=SpanKind.CLIENT)
        if self._span.is_recording():
            self._span.set_attributes(_call_attributes(*self._about))

    def sends(self, request: httpx.Request) -> Plan[None]:  # noqa: ARG002
        """Count a request."""
        self._requests += 1
        yield from ()

    def failed(self, error: RivyaError, wait: float | None) -> Plan[None]:
        """Note a failure that is followed by a retry."""
        if wait is not None:
            self._retries += 1
            facts = {"error.type": type(error).__name__, "rivya.retry.wait": wait}
            if error.status is not None:
                facts["http.response.status_code"] = error.status
            self._span.add_event("rivya.retry", facts)
        yield from ()

    def replied(self, reply: ChatDelta) -> Plan[None]:
        """End the span with what the reply says."""
        self._end(reply_attributes(reply))
        yield from ()

    def abandoned(self, error: BaseException | None) -> Plan[None]:
        """End the span with the error, or as a stream that was left."""
        if error is None:
            self._end({"rivya.stream.left": True})
        elif self._span.is_recording():
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, _short(str(error))))
            self._end({"error.type": type(error).__name__, **_error_attributes(error)})
        yield from ()

    def _end(self, attributes: Mapping[str, Any]) -> None:
        counts = {"rivya.requests": self._requests, "rivya.retries": self._retries}
        self._span.set_attributes({**attributes, **counts})
        self._span.end()


def tracing() -> bool:
    """Whether spans are taken: OpenTelemetry was imported, and its tracer records."""
    trace = sys.modules.get("opentelemetry.trace")
    return trace is not None and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def reply_attributes(reply: ChatDelta) -> dict[str, Any]:
    """Return what a reply says of itself, as attributes; nothing that a server sends is trusted."""
    facts = reply.metadata
    found: dict[str, Any] = {
        attribute: _short(facts[name]) for name, attribute in FACTS.items() if isinstance(facts.get(name), str)
    }
    if isinstance(facts.get("finish_reason"), str):
        found["gen_ai.response.finish_reasons"] = [_short(facts["finish_reason"])]
    if reply.usage is not None:
        found["gen_ai.usage.input_tokens"] = reply.usage.input_tokens
        found["gen_ai.usage.output_tokens"] = reply.usage.output_tokens
        if reply.usage.cached_tokens is not None:
            found["gen_ai.usage.cache_read.input_tokens"] = reply.usage.cached_tokens
    if facts.get("credits") is not None:
        found["rivya.credits"] = cost_of(facts["credits"], None).credits
        reserved = reserved_for(facts["credits"])
        found |= {} if reserved is None else {"rivya.credits.reserved": reserved}
    return found


def _error_attributes(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, RivyaError):
        return {}
    facts = {
        "http.response.status_code": error.status,
        "rivya.error.code": error.code,
        "rivya.request_id": error.request_id,
    }
    return {name: _short(fact) if isinstance(fact, str) else fact for name, fact in facts.items() if fact is not None}


def _call_attributes(provider: str, model: str, base_url: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        **_server(base_url),
        **_request_attributes(settings),
    }


def _request_attributes(settings: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: settings.get(name) for name in SETTINGS}
    numbers = {name: value for name, value in given.items() if isinstance(value, (int, float))}
    found: dict[str, Any] = {f"gen_ai.request.{name}": value for name, value in numbers.items()}
    stop = settings.get("stop")
    if stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else [str(text) for text in stop]
    return found


def _server(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return {"server.address": parts.hostname or "", **({"server.port": port} if port else {})}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
