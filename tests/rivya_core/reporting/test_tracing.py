"""Spans of chat calls in both frameworks, in OpenTelemetry's in-memory exporter."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from both_frameworks import KEY, Backend, Way, every_framework, every_way, make, reply
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from rivya_core import errors
from rivya_sandbox import Fault, Sandbox


def rivya(way: Way, sandbox: Sandbox, **fields: Any) -> Any:
    return way.kind("Rivya")(api_key=sandbox.api_key, base_url=sandbox.rivya_url, **fields)


def only(exporter: InMemorySpanExporter) -> Any:
    (span,) = exporter.get_finished_spans()
    return span


@every_way
def test_a_call_on_rivya(way: Way, sandbox: Sandbox, exporter: InMemorySpanExporter) -> None:
    """Model, tokens, credits and the session's route."""
    with trace.get_tracer("app").start_as_current_span("request") as parent:
        way.ask(rivya(way, sandbox), "What is 2 + 2?")
    span, outer = exporter.get_finished_spans()
    facts = dict(span.attributes)

    assert (span.name, span.kind, outer.name) == ("chat gpt-5-2-chat", SpanKind.CLIENT, "request")
    assert span.parent.span_id == parent.get_span_context().span_id
    assert facts["gen_ai.operation.name"] == "chat"
    assert facts["gen_ai.provider.name"] == "rivya"
    assert facts["gen_ai.request.model"] == "gpt-5-2-chat"
    assert facts["gen_ai.usage.input_tokens"] > 0
    assert facts["gen_ai.usage.output_tokens"] > 0
    assert facts["rivya.credits"] == sandbox.ledger()[0].final
    assert facts["rivya.session.route"] == "new"
    assert facts["gen_ai.conversation.id"]
    assert facts["server.address"] == "127.0.0.1"
    assert (facts["rivya.requests"], facts["rivya.retries"]) == (1, 0)
    assert span.status.status_code is StatusCode.UNSET


@every_way
def test_retries_are_counted_and_told(way: Way, sandbox: Sandbox, exporter: InMemorySpanExporter) -> None:
    sandbox.fault(Fault(path="/chat/completions", status=429, headers={"retry-after": "0.01"}, times=2))
    way.ask(rivya(way, sandbox))
    span = only(exporter)

    assert span.attributes["rivya.retries"] == 2
    assert span.attributes["rivya.requests"] == 3
    assert [event.name for event in span.events] == ["rivya.retry"] * 2
    assert span.events[0].attributes["http.response.status_code"] == 429
    assert span.events[0].attributes["error.type"] == "RateLimitError"


@every_way
def test_a_failure_is_an_error_with_its_type(way: Way, exporter: InMemorySpanExporter) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}})

    with pytest.raises(errors.AuthenticationError):
        way.ask(make(way, "GMI", Backend(answer=answer)))
    span = only(exporter)

    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "AuthenticationError"
    assert span.attributes["http.response.status_code"] == 401
    assert KEY not in span.to_json()


@every_framework
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_stream_that_breaks_is_an_error(
    way: Way, asynchronous: bool, sandbox: Sandbox, exporter: InMemorySpanExporter
) -> None:
    sandbox.fault(Fault(path="/chat/completions/stream", cut=2))
    with pytest.raises(errors.ResponseLostError):
        Way(way.framework, asynchronous, streamed=True).ask(rivya(way, sandbox))

    assert only(exporter).status.status_code is StatusCode.ERROR
    assert only(exporter).attributes["error.type"] == "StreamBrokenError"


@every_framework
def test_a_stream_that_is_left_is_no_error(way: Way, sandbox: Sandbox, exporter: InMemorySpanExporter) -> None:
    model = rivya(way, sandbox)
    stream = model.stream("Count to ten") if way.framework == "langchain" else model.stream_complete("Count to ten")
    next(iter(stream))
    stream.close()

    assert only(exporter).status.status_code is StatusCode.UNSET
    assert only(exporter).attributes["rivya.stream.left"] is True


@every_way
def test_settings_and_finish_reason_of_other_providers(way: Way, exporter: InMemorySpanExporter) -> None:
    model = make(way, "GMI", Backend(), temperature=0.5, max_tokens=20, stop=["x"])
    way.ask(model, seed=7)
    facts = dict(only(exporter).attributes)

    assert facts["gen_ai.provider.name"] == "gmi"
    assert facts["gen_ai.request.temperature"] == 0.5
    assert facts["gen_ai.request.max_tokens"] == 20
    assert facts["gen_ai.request.seed"] == 7
    assert facts["gen_ai.request.stop_sequences"] == ("x",)
    assert facts["gen_ai.response.finish_reasons"] == ("stop",)
    assert facts["server.address"] == "backend.test"


@every_framework
@pytest.mark.parametrize("wrong", [{"id": 5}, {"id": "x" * 5000, "model": ["m"]}, {"usage": {"prompt_tokens": "many"}}])
def test_what_a_server_makes_up_does_no_harm(way: Way, wrong: dict[str, Any], exporter: InMemorySpanExporter) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**reply(request).json(), **wrong})

    way.ask(make(way, "GMI", Backend(answer=answer)))

    assert all(len(str(value)) < 400 for value in only(exporter).attributes.values())


@every_framework
def test_no_message_is_in_a_span(way: Way, sandbox: Sandbox, exporter: InMemorySpanExporter) -> None:
    way.ask(rivya(way, sandbox), "My secret is 8675309")

    assert "8675309" not in only(exporter).to_json()


@every_framework
def test_a_model_with_a_limiter_is_traced_too(way: Way, sandbox: Sandbox, exporter: InMemorySpanExporter) -> None:
    import langchain_rivya
    import llamaindex_rivya

    package = {"langchain": langchain_rivya, "llamaindex": llamaindex_rivya}[way.framework]
    way.ask(rivya(way, sandbox, rate_limiter=package.SharedRateLimiter(6000)))

    assert only(exporter).attributes["rivya.retries"] == 0


def test_without_a_provider_of_spans_nothing_is_done() -> None:
    """`opentelemetry-api` alone, which other packages bring, records nothing."""
    script = "import opentelemetry.trace, rivya_core.reporting.tracing as own; print(own.tracing())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_opentelemetry_is_not_imported_for_it() -> None:
    script = "import sys, rivya_core.adapters.rivya_fields; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
