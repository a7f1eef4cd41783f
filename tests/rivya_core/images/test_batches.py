"""Batches of images: an outcome for each item, budgets, one progress bar, a thousand images with failures."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from image_tools import ImageTools, image_file

from langchain_rivya import RivyaImageTool
from rivya_core.errors import (
    BudgetExceededError,
    ConfigurationError,
    InvalidInputError,
    InvalidResponseError,
    RivyaError,
    TaskError,
    TaskFailedError,
)
from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.images import progress
from rivya_core.images.result import GeneratedImage
from rivya_core.providers import RIVYA
from rivya_core.rivya.credits import Budget, price_key, read_credits
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")


def kinds(outcomes: list[Any]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


def test_each_item_has_its_own_outcome(box: Sandbox, tools: ImageTools) -> None:
    """Errors are at the positions of their images; prompts may have their own options."""
    prompts = ["a", {"prompt": "b", "aspect_ratio": "16:9"}, {"prompt": "c", "aspect_ratio": "odd"}, " ", "e"]
    outcomes = tools.call(tools.tool(), "generate_many", prompts, resolution="2K", max_concurrency=3)

    image = "GeneratedImage"
    assert [image, image, "InvalidInputError", "InvalidInputError", image] == kinds(outcomes)
    assert {"aspect_ratio": "16:9", "resolution": "2K"} == outcomes[1]["params"]
    assert ["a", "b", "e"] == [one["prompt"] for one in outcomes if isinstance(one, GeneratedImage)]
    assert 3 == len(box.ledger())


def test_concurrency_is_limited(box: Sandbox, tools: ImageTools) -> None:
    under_way: list[int] = []
    box.tasks.ready_after = 3

    def count(_: progress.ImageProgress) -> None:
        under_way.append(sum(not task.ended for task in box.tasks.all))

    tools.call(tools.tool(progress=count), "generate_many", ["p"] * 12, max_concurrency=4)
    assert 1 < max(under_way) <= 4


def test_an_empty_batch_is_empty(box: Sandbox, tools: ImageTools) -> None:
    assert [] == tools.call(tools.tool(), "generate_many", [])


def test_a_shared_reference_is_uploaded_once(box: Sandbox, tools: ImageTools) -> None:
    outcomes = tools.call(
        tools.tool(images={"logo": image_file()}), "generate_many", ["p"] * 10, reference_images=["logo"]
    )

    assert ["GeneratedImage"] * 10 == kinds(outcomes)
    assert 1 == len(box.journal.to("/files"))


@pytest.mark.parametrize("resolution", ["1K", "4K"])
def test_a_budget_stops_before_overspending(box: Sandbox, tools: ImageTools, resolution: str) -> None:
    """Ten credits pay for three images of three credits; the others are refused before anything is sent."""
    outcomes = tools.call(tools.tool(), "generate_many", ["p"] * 20, max_credits=10, resolution=resolution)

    assert {"GeneratedImage": 3, "BudgetExceededError": 17} == Counter(kinds(outcomes))
    assert 3 == len(box.ledger())
    assert "Raise the budget" in str(next(one for one in outcomes if isinstance(one, BudgetExceededError)))


def test_a_budget_learns_the_price_of_options(box: Sandbox, tools: ImageTools, monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of 4K is not documented; the first image shows it before the others are sent."""
    from rivya_sandbox.accounts import Accounts

    reserve = Accounts.reserve

    def dearer(self: Accounts, account: str, kind: str, entry_id: str, amount: int) -> Any:
        return reserve(self, account, kind, entry_id, amount * 4)

    monkeypatch.setattr(Accounts, "reserve", dearer)
    outcomes = tools.call(tools.tool(), "generate_many", ["p"] * 20, max_credits=30, max_concurrency=20)

    assert {"GeneratedImage": 2, "BudgetExceededError": 18} == Counter(kinds(outcomes))
    assert 24 == sum(entry.final or 0 for entry in box.ledger())


def test_a_failed_task_is_returned_to_the_budget(box: Sandbox, tools: ImageTools) -> None:
    """A failed task is not charged, so another image fits."""
    box.fault(Fault(task="fail", times=2))
    outcomes = tools.call(tools.tool(), "generate_many", ["p"] * 4, max_credits=6, max_concurrency=1)

    assert ["TaskFailedError", "TaskFailedError", "GeneratedImage", "GeneratedImage"] == kinds(outcomes)


def test_a_refused_request_is_returned_to_the_budget(box: Sandbox, tools: ImageTools) -> None:
    box.fault(Fault(path="/generations", code="validation_failed"))
    outcomes = tools.call(tools.tool(), "generate_many", ["p"] * 2, max_credits=3, max_concurrency=1)

    assert ["BadRequestError", "GeneratedImage"] == kinds(outcomes)


def test_a_tools_budget_counts_all_calls(box: Sandbox, tools: ImageTools) -> None:
    """An agent that keeps submitting is stopped, even if each batch alone fits."""
    tool = tools.tool(max_credits=7)
    assert tools.ask(tool, prompt="p").startswith("Image img_")
    assert ["GeneratedImage", "BudgetExceededError"] == kinds(
        tools.call(tool, "generate_many", ["p"] * 2, max_credits=100, max_concurrency=1)
    )
    assert "the budget of 7" in tools.ask(tool, prompt="p")
    assert 2 == len(box.ledger())


def test_a_batch_budget_that_refuses_leaves_the_tools_alone(box: Sandbox, tools: ImageTools) -> None:
    tool = tools.tool(max_credits=6)
    assert ["BudgetExceededError"] == kinds(tools.call(tool, "generate_many", ["p"], max_credits=1))
    assert ["GeneratedImage"] * 2 == kinds(tools.call(tool, "generate_many", ["p"] * 2))


def test_a_model_without_a_price_is_not_started_under_a_budget(box: Sandbox, tools: ImageTools) -> None:
    outcomes = tools.call(tools.tool(model="brand-new"), "generate_many", ["p"], max_credits=5)

    assert "price is not known" in str(outcomes[0])
    assert not box.journal.to("/generations")


@pytest.mark.parametrize("code", ["insufficient_credits", "api_key_revoked", "api_scope_denied"])
def test_a_fatal_error_ends_the_batch(box: Sandbox, tools: ImageTools, code: str) -> None:
    """An empty account or an invalid key is reported once, not a thousand times."""
    box.fault(Fault(path="/generations", code=code, times=None))
    outcomes = tools.call(tools.tool(), "generate_many", ["p"] * 50, max_concurrency=2)

    assert all(isinstance(one, RivyaError) for one in outcomes)
    assert 2 >= len(box.journal.to("/generations"))


@pytest.mark.parametrize("number", [0, -1])
def test_concurrency_must_be_at_least_one(box: Sandbox, tools: ImageTools, number: int) -> None:
    with pytest.raises(ConfigurationError, match="max_concurrency"):
        tools.call(tools.tool(), "generate_many", ["p"], max_concurrency=number)


@pytest.mark.parametrize("limit", [-1, float("nan"), "5"])
def test_a_budget_must_be_a_number(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="credit budget"):
        Budget(limit)


def test_prices_depend_on_options_not_content() -> None:
    one = {"model": "m", "prompt": "a", "params": {"resolution": "4K", "referenceMediaItems": [1]}}
    same = {"model": "m", "prompt": "b", "params": {"resolution": "4K", "referenceMediaItems": [2]}}
    other = {"model": "m", "prompt": "a", "params": {"resolution": "1K"}}

    assert price_key(one) == price_key(same) != price_key(other)
    budget = Budget(10)
    budget.learn(price_key(one), budget.hold(price_key(one), 3), 4)
    assert 4 == budget.hold(price_key(same), 3)
    assert 8 == budget.spent


def test_credits_are_read(box: Sandbox, tools: ImageTools) -> None:
    box.set_credits(12)

    assert 12 == tools.call(tools.tool(), "credits")


@pytest.mark.parametrize("answer", [b"[]", b'{"current_credits": "12"}', b'{"current_credits": true}', b"{}"])
def test_a_response_without_credits_is_a_typed_error(box: Sandbox, answer: bytes) -> None:
    import httpx

    box.fault(Fault(path="/credits", status=200, body=answer))
    with httpx.Client() as client, pytest.raises(InvalidResponseError, match="current_credits"):
        Driver(lambda: client).run(read_credits(Endpoint(RIVYA, box.rivya_url), RetryPolicy()))


def test_langchains_batch_returns_one_result_per_item(box: Sandbox) -> None:
    """`batch` and `abatch` run the tool as an agent does: a failure is the text of its item."""
    import asyncio

    tool = RivyaImageTool()
    inputs: list[Any] = [{"prompt": "a"}, {"prompt": "b", "aspect_ratio": "odd"}, "c"]
    for answers in (tool.batch(inputs), asyncio.run(tool.abatch(inputs, config={"max_concurrency": 2}))):
        assert ["Image", "`aspect_ratio`", "Image"] == [answer.split()[0] for answer in answers]

    strict = RivyaImageTool(handle_tool_error=False)
    outcomes = strict.batch(inputs, return_exceptions=True)
    assert isinstance(outcomes[1], InvalidInputError)


TROUBLE = (
    Fault(task="fail", times=20, after=11),
    Fault(task="fail_null", times=10, after=60),
    Fault(task="expired", times=5, after=100),
    Fault(task="slow", times=10, after=120),
    Fault(path="/generations", method="POST", status=429, headers={"retry-after": "1"}, times=20, after=50),
    Fault(path="/generations", method="POST", drop="after", times=20, after=200),
    Fault(path="/generations", method="POST", drop="before", times=20, after=150),
    Fault(path=re.compile("/generations/"), method="GET", status=503, times=50, after=30),
    Fault(path=re.compile("/generations/"), method="GET", drop="after", times=20, after=130),
    Fault(path="/media", cut=700, times=30, after=40),
    Fault(path="/media", status=500, times=30, after=90),
)


@pytest.mark.parametrize(("way", "count"), [("sync", 1000), ("async", 200)])
def test_a_thousand_images_with_failures(box: Sandbox, tmp_path: Path, way: str, count: int) -> None:
    """Each item ends as a file or a typed error; interrupted tasks are resumed; the ledger is exact."""
    box.tasks.ready_after = 1
    for fault in TROUBLE:
        box.fault(fault)
    tools = ImageTools("langchain", way)
    tool = tools.tool(output_dir=tmp_path, model="z-image", max_retries=20)
    prompts = [f"image {number}" for number in range(count)]
    outcomes = tools.call(tool, "generate_many", prompts, max_concurrency=16)
    box.faults.clear()

    assert prompts == [
        one["prompt"] if isinstance(one, GeneratedImage) else p for p, one in zip(prompts, outcomes, strict=True)
    ]
    images = [one for one in outcomes if isinstance(one, GeneratedImage)]
    failures = [one for one in outcomes if isinstance(one, TaskError)]
    assert count == len(images) + len(failures)
    failed = [one for one in failures if isinstance(one, TaskFailedError)]
    assert 30 == len(failed)

    for task in box.tasks.all:  # the expired tasks exist again, as if they were only late
        task.fault = None if task.fault == "expired" else task.fault
    pending = tools.call(tool, "pending")
    assert len(failures) - len(failed) == len(pending) >= 5
    images += [tools.call(tool, "resume", record.id) for record in pending]

    assert count - 30 == len(images)
    assert {image["path"] for image in images} == {str(path) for path in tmp_path.iterdir()}
    assert all(Path(image["path"]).stat().st_size == image["size"] for image in images)
    ledger = box.ledger()
    assert count == len(ledger), "each was ordered once"
    assert count - 30 == sum(entry.final or 0 for entry in ledger), "each image was charged once, no failure was"
    ids = {image["task_id"] for image in images} | {error.task_id for error in failed}
    assert {task.id for task in box.tasks.all} == ids
    assert not box.media_leaks
