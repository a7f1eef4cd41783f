"""OpenTelemetry spans of chat calls and images, named by the conventions for generative AI.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. A call gets a span if `opentelemetry-api` was imported
and its tracer records; nothing is imported for it. No message, no key and no header is in a span.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


class Trace:
    """A span, a child of the span that is current when it begins; counts the requests and retries.

    Args:
        operation: Name of the operation by the conventions.
        provider: Name of the provider.
        model: Model id of the request.
        base_url: URL of the API.
    """

    def __init__(self, operation: str, provider: str, model: str, base_url: str) -> None:
        self._about = (operation, provider, model, base_url)
        self._retries = self._requests = 0
        self._span: Any = None

    def begins(self) -> None:
        """Begin the span."""
        from opentelemetry.trace import SpanKind, get_tracer

        operation, provider, model, base_url = self._about
        self._span = get_tracer("rivya", __version__).start_span(f"{operation} {model}", kind=SpanKind.CLIENT)
        if self._span.is_recording():
            facts = {"operation.name": operation, "provider.name": provider, "request.model": model}
            self._span.set_attributes({f"gen_ai.{name}": fact for name, fact in facts.items()})
            self._span.set_attributes({**_server(base_url), **self._details()})

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

    def _details(self) -> dict[str, Any]:
        return {}

    def fails(self, error: BaseException) -> None:
        """End the span with *error*."""
        if self._span.is_recording():
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, _short(str(error))))
            self._end({"error.type": type(error).__name__, **_error_attributes(error)})

    def _end(self, attributes: Mapping[str, Any]) -> None:
        counts = {"rivya.requests": self._requests, "rivya.retries": self._retries}
        self._span.set_attributes({**attributes, **counts})
        self._span.end()


class CallTrace(Trace):
    """The span of one chat call.

    Args:
        provider: Name of the provider.
        model: Model id of the request.
        base_url: URL of the API.
        settings: Options of the call by our names.
    """

    def __init__(self, provider: str, model: str, base_url: str, settings: Mapping[str, Any]) -> None:
        super().__init__("chat", provider, model, base_url)
        self._settings = settings

    def replied(self, reply: ChatDelta) -> Plan[None]:
        """End the span with what the reply says."""
        self._end(reply_attributes(reply))
        yield from ()

    def abandoned(self, error: BaseException | None) -> Plan[None]:
        """End the span with the error, or as a stream that was left."""
        if error is None:
            self._end({"rivya.stream.left": True})
        else:
            self.fails(error)
        yield from ()

    def _details(self) -> dict[str, Any]:
        return _request_attributes(self._settings)


class ImageTrace(Trace):
    """The span of one image: its uploads, the request, every poll and the download.

    Args:
        provider: Name of the provider.
        model: Model id of the request.
        base_url: URL of the API.
    """

    def __init__(self, provider: str, model: str, base_url: str) -> None:
        super().__init__("generate_content", provider, model, base_url)

    def submitted(self, task_id: str | None) -> None:
        """End the span of a task that runs on."""
        self._end({"rivya.task.id": _short(task_id or ""), "rivya.task.state": "submitted"})

    def made(self, task_id: str, credits_: Mapping[str, float | None], polls: int) -> None:
        """End the span of a task whose image is downloaded."""
        amounts = {"rivya.credits": credits_.get("final"), "rivya.credits.reserved": credits_.get("reserved")}
        known = {name: amount for name, amount in amounts.items() if amount is not None}
        self._end({"rivya.task.id": _short(task_id), "rivya.task.state": "succeeded", "rivya.polls": polls, **known})

    def _details(self) -> dict[str, Any]:
        return {"gen_ai.output.type": "image"}


@contextmanager
def until_failure(trace: Trace | None) -> Iterator[None]:
    """End the span of *trace* with the error that leaves this context."""
    try:
        yield
    except BaseException as error:
        if trace is not None:
            trace.fails(error)
        raise


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
        "rivya.task.id": getattr(error, "task_id", None),
    }
    return {name: _short(fact) if isinstance(fact, str) else fact for name, fact in facts.items() if fact is not None}


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
