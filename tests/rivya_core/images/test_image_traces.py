"""One span for each image, from the request to the download, in both frameworks; retries of polls and downloads are logged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from image_tools import ImageTools, image_file
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from rivya_core import errors
from rivya_sandbox import Fault, Sandbox

SECRET = "A fox, 8675309"

pytestmark = pytest.mark.usefixtures("slept")


def only(exporter: InMemorySpanExporter) -> Any:
    (span,) = exporter.get_finished_spans()
    exporter.clear()
    return span


def test_an_image_is_one_span_below_the_current_one(
    tools: ImageTools, box: Sandbox, exporter: InMemorySpanExporter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Failed requests, polls and downloads are retries of it, in the span and in the log."""
    caplog.set_level(logging.INFO, "rivya.http")
    box.fault(Fault(path="/generations", method="POST", status=503))
    box.fault(Fault(path="/generations/", method="GET", status=502))
    box.fault(Fault(path="/media/", method="GET", status=504))
    with trace.get_tracer("app").start_as_current_span("agent") as agent:
        image = tools.generate(tools.tool(output_dir=tmp_path), SECRET, reference_images=[image_file("red")])
    span = exporter.get_finished_spans()[0]
    facts = dict(span.attributes)

    assert len(exporter.get_finished_spans()) == 2
    assert (span.name, span.parent.span_id) == ("generate_content gpt-image-2", agent.get_span_context().span_id)
    assert (facts["gen_ai.operation.name"], facts["gen_ai.output.type"]) == ("generate_content", "image")
    assert (facts["rivya.task.id"], facts["rivya.task.state"]) == (image.task_id, "succeeded")
    assert facts["rivya.credits"] == box.ledger()[0].final
    assert facts["rivya.polls"] == image.timings["polls"]
    statuses = [event.attributes["http.response.status_code"] for event in span.events]
    assert (statuses, facts["rivya.retries"]) == ([503, 502, 504], 3)
    logged = [record.getMessage() for record in caplog.records if record.name == "rivya.http"]
    assert all(sum(f"({status}" in line for line in logged) == 1 for status in statuses), logged
    written = span.to_json() + caplog.text
    assert not [word for word in (box.api_key, SECRET, "?signature") if word in written]


def test_a_task_that_is_left_running_and_resumed_is_two_spans(
    tools: ImageTools, box: Sandbox, exporter: InMemorySpanExporter
) -> None:
    tool = tools.tool(wait=False)
    tools.ask(tool, prompt="A red fox")
    submitted = only(exporter)
    image = tools.call(tool, "resume", tool.pending()[0].id)
    resumed = only(exporter)

    assert submitted.attributes["rivya.task.state"] == "submitted"
    assert submitted.attributes["rivya.task.id"] == resumed.attributes["rivya.task.id"] == image.task_id
    assert resumed.attributes["rivya.credits"] == box.ledger()[0].final


def test_a_batch_is_a_span_for_each_image(tools: ImageTools, box: Sandbox, exporter: InMemorySpanExporter) -> None:
    """Also for the first image of a price, which is submitted before the others."""
    with trace.get_tracer("app").start_as_current_span("agent"):
        tools.call(tools.tool(), "generate_many", ["One", "Two", "Three"], max_credits=100)
    *images, agent = exporter.get_finished_spans()

    assert {span.name for span in images} == {"generate_content gpt-image-2"}
    assert {span.parent.span_id for span in images} == {agent.context.span_id}
    assert len({span.attributes["rivya.task.id"] for span in images}) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "task"),
    [
        (Fault(path="/generations", method="POST", status=401), errors.AuthenticationError, False),
        (Fault(task="fail"), errors.TaskFailedError, True),
        (Fault(path="/generations/", method="GET", status=404), errors.TaskInterruptedError, True),
    ],
    ids=["refused", "failed", "lost"],
)
def test_an_image_that_fails_is_an_error_with_its_task(
    fault: Fault, kind: type[Exception], task: bool, tools: ImageTools, box: Sandbox, exporter: InMemorySpanExporter
) -> None:
    box.fault(fault)
    with pytest.raises(kind):
        tools.generate(tools.tool(), SECRET)
    span = only(exporter)

    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == kind.__name__
    assert ("rivya.task.id" in span.attributes) == task
    assert SECRET not in span.to_json()
