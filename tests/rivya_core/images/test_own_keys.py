"""Idempotency keys from the application: the same key and arguments give the same image, charged once."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from image_tools import ImageTools, image_file

from rivya_core.errors import IdempotencyConflictError, InvalidInputError
from rivya_sandbox import Sandbox

KEY = "ticket-4711"

pytestmark = pytest.mark.usefixtures("slept")


def make(tools: ImageTools, tool: Any, prompt: str, **options: Any) -> Any:
    return tools.generate(tool, prompt, **options)


@pytest.mark.parametrize("durable", [True, False])
def test_a_second_run_gets_the_same_image(box: Sandbox, tools: ImageTools, tmp_path: Path, durable: bool) -> None:
    """A workflow node that runs again after a crash, even if the process stored nothing."""
    store = {"task_store": tmp_path / "tasks.db"} if durable else {}
    first = make(tools, tools.tool(**store), "A fox", idempotency_key=KEY)
    again = make(tools, tools.tool(**store), "A fox", idempotency_key=KEY)

    assert first["task_id"] == again["task_id"]
    assert len(box.ledger()) == 1


@pytest.mark.parametrize("references", [False, True])
def test_a_limit_does_not_stop_an_image_that_is_paid(
    box: Sandbox, tools: ImageTools, tmp_path: Path, references: bool
) -> None:
    """It only stops new ones, and before anything is sent, references too."""
    package = import_module(f"{tools.framework}_rivya")
    tool = tools.tool(task_store=tmp_path / "tasks.db")
    options = {"reference_images": [image_file("orange")]} if references else {}
    with package.RivyaCreditsHandler(limit=3) as spent:
        first = make(tools, tool, "A fox", idempotency_key=KEY, **options)
        again = make(tools, tool, "A fox", idempotency_key=KEY, **options)
        before = len(box.journal.to("/files"))
        with pytest.raises(package.CreditLimitError, match="Nothing was sent"):
            make(tools, tool, "A hare", idempotency_key="other", reference_images=[image_file("blue")])

    assert first["task_id"] == again["task_id"]
    assert spent.credits == 3
    assert before == len(box.journal.to("/files")) == int(references)
    assert len(box.ledger()) == 1


def test_another_key_is_another_image(box: Sandbox, tools: ImageTools) -> None:
    tool = tools.tool()
    found = {make(tools, tool, "A fox", idempotency_key=key)["task_id"] for key in ("a", "b")}

    assert len(found) == len(box.ledger()) == 2


def test_a_key_of_another_image_is_refused(box: Sandbox, tools: ImageTools, tmp_path: Path) -> None:
    """Nothing is sent; the provider would return a conflict."""
    tool = tools.tool(task_store=tmp_path / "tasks.db")
    make(tools, tool, "A fox", idempotency_key=KEY)

    with pytest.raises(InvalidInputError, match="used for a different image"):
        make(tools, tool, "A hare", idempotency_key=KEY)


def test_references_may_be_uploaded_again(box: Sandbox, tools: ImageTools, tmp_path: Path) -> None:
    """Each upload has a new URL, but the request is the same."""
    image = image_file("orange")
    store = {"task_store": tmp_path / "tasks.db"}
    first = make(tools, tools.tool(**store), "Bluer", reference_images=[image], idempotency_key=KEY)
    again = make(tools, tools.tool(**store), "Bluer", reference_images=[image], idempotency_key=KEY)

    assert first["task_id"] == again["task_id"]


def test_without_a_store_references_need_one(box: Sandbox, tools: ImageTools) -> None:
    """Each upload has a new URL, so the provider sees another request. It charges nothing, and the error says what helps."""
    options = {"reference_images": [image_file("orange")], "idempotency_key": KEY}
    make(tools, tools.tool(), "Bluer", **options)

    with pytest.raises(IdempotencyConflictError, match="`task_store=`"):
        make(tools, tools.tool(), "Bluer", **options)
    assert len(box.ledger()) == 1


@pytest.mark.parametrize("other", [["blue"], [], ["orange", "blue"], ["blue", "orange"]])
def test_a_key_of_an_image_with_other_references_is_refused(
    box: Sandbox, tools: ImageTools, tmp_path: Path, other: list[str]
) -> None:
    """The earlier image shows something else; nothing is sent."""
    tool = tools.tool(task_store=tmp_path / "tasks.db", model="gpt-image-2")
    make(tools, tool, "Bluer", reference_images=[image_file("orange")], idempotency_key=KEY)
    before = len(box.journal.requests)

    with pytest.raises(InvalidInputError, match="used for a different image"):
        make(tools, tool, "Bluer", reference_images=[image_file(one) for one in other], idempotency_key=KEY)
    assert len(box.journal.requests) == before


def test_a_batch_has_a_key_for_each_image(box: Sandbox, tools: ImageTools) -> None:
    """The key of an image is made from the batch key and its position; a prompt may have its own."""
    prompts = ["A fox", {"prompt": "A hare", "idempotency_key": "own"}, "A fox"]
    first = tools.call(tools.tool(), "generate_many", prompts, idempotency_key=KEY)
    again = tools.call(tools.tool(), "generate_many", prompts, idempotency_key=KEY)

    assert [one["task_id"] for one in first] == [one["task_id"] for one in again]
    assert len(box.ledger()) == 3


@pytest.mark.parametrize("key", ["", "x" * 500, "a\nb", 5])
def test_an_invalid_key_is_refused(box: Sandbox, tools: ImageTools, key: Any) -> None:
    with pytest.raises(InvalidInputError, match="idempotency_key"):
        make(tools, tools.tool(), "A fox", idempotency_key=key)


def test_an_agent_cannot_choose_the_key(box: Sandbox, tools: ImageTools) -> None:
    """A model's argument of that name is an unknown option."""
    reply = str(tools.ask(tools.tool(), prompt="A fox", idempotency_key=KEY))

    assert not box.ledger(), reply
