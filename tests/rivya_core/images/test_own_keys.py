"""The application's own idempotency key: the same key and arguments give the same image, charged once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from image_generator import Studio, picture_file

from rivya_core.errors import InvalidInputError
from rivya_sandbox import Sandbox

KEY = "ticket-4711"


def make(studio: Studio, tool: Any, prompt: str, **options: Any) -> Any:
    return studio.generate(tool, prompt, **options)


@pytest.mark.parametrize("durable", [True, False])
def test_a_second_run_gets_the_same_image(box: Sandbox, studio: Studio, tmp_path: Path, durable: bool) -> None:
    """A workflow node that runs again after a crash; the provider keeps the key where the process kept nothing."""
    store = {"task_store": tmp_path / "tasks.db"} if durable else {}
    first = make(studio, studio.tool(**store), "A fox", idempotency_key=KEY)
    again = make(studio, studio.tool(**store), "A fox", idempotency_key=KEY)

    assert first["task_id"] == again["task_id"]
    assert len(box.ledger()) == 1


def test_another_key_is_another_image(box: Sandbox, studio: Studio) -> None:
    tool = studio.tool()
    found = {make(studio, tool, "A fox", idempotency_key=key)["task_id"] for key in ("a", "b")}

    assert len(found) == len(box.ledger()) == 2


def test_a_key_of_another_image_is_refused(box: Sandbox, studio: Studio, tmp_path: Path) -> None:
    """Nothing is sent; the provider would answer with a conflict."""
    tool = studio.tool(task_store=tmp_path / "tasks.db")
    make(studio, tool, "A fox", idempotency_key=KEY)

    with pytest.raises(InvalidInputError, match="used for another image"):
        make(studio, tool, "A hare", idempotency_key=KEY)


def test_references_may_be_uploaded_again(box: Sandbox, studio: Studio, tmp_path: Path) -> None:
    """An upload has another URL every time; it is the same request."""
    image = picture_file("orange")
    store = {"task_store": tmp_path / "tasks.db"}
    first = make(studio, studio.tool(**store), "Bluer", reference_images=[image], idempotency_key=KEY)
    again = make(studio, studio.tool(**store), "Bluer", reference_images=[image], idempotency_key=KEY)

    assert first["task_id"] == again["task_id"]


def test_a_batch_has_a_key_for_each_image(box: Sandbox, studio: Studio) -> None:
    """The batch key and the place of an image make its key; a prompt may bring its own."""
    prompts = ["A fox", {"prompt": "A hare", "idempotency_key": "own"}, "A fox"]
    first = studio.call(studio.tool(), "generate_many", prompts, idempotency_key=KEY)
    again = studio.call(studio.tool(), "generate_many", prompts, idempotency_key=KEY)

    assert [one["task_id"] for one in first] == [one["task_id"] for one in again]
    assert len(box.ledger()) == 3


@pytest.mark.parametrize("key", ["", "x" * 500, "a\nb", 5])
def test_a_key_that_cannot_be_one_is_refused(box: Sandbox, studio: Studio, key: Any) -> None:
    with pytest.raises(InvalidInputError, match="idempotency_key"):
        make(studio, studio.tool(), "A fox", idempotency_key=key)


def test_an_agent_cannot_choose_the_key(box: Sandbox, studio: Studio) -> None:
    """A model's argument of that name is an unknown option."""
    reply = str(studio.ask(studio.tool(), prompt="A fox", idempotency_key=KEY))

    assert not box.ledger(), reply
