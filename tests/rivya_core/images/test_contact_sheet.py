"""What `generate_many` returns: a list of outcomes that draws itself."""

from __future__ import annotations

import copy
import json
import pickle
import re
import sys
from typing import Any

import pytest
from image_tools import ImageTools, image_file

from rivya_core.errors import InvalidInputError, RivyaError
from rivya_core.images import contact_sheet
from rivya_core.images.contact_sheet import ImageBatch
from rivya_core.images.result import GeneratedImage
from rivya_sandbox import Sandbox

PNG = image_file("red")


def image(prompt: str | None = "A fox", **facts: Any) -> GeneratedImage:
    made = GeneratedImage(id="img_1", prompt=prompt, mime_type="image/png", size=len(PNG), more=[], model="m")
    made.update({"credits": {"final": 3}, **facts})
    made.data = PNG
    return made


def figures(batch: ImageBatch) -> list[str]:
    return re.findall(r"(?s)<figure.*?</figure>", batch._repr_html_())


@pytest.mark.usefixtures("slept")
def test_a_batch_draws_its_images_and_its_errors(box: Sandbox, tools: ImageTools) -> None:
    """One figure for each prompt, in order, with its cost or with what went wrong."""
    prompts = ["A fox", {"prompt": "A map", "aspect_ratio": "odd"}, "A boat"]
    batch = tools.call(tools.tool(), "generate_many", prompts)
    first, failed, last = figures(batch)

    assert isinstance(batch, list)
    assert ("A fox", "A map", "A boat") == batch.prompts
    assert (2, 1) == (len(batch.images), len(batch.errors))
    assert 'src="data:image/' in first
    assert "A fox" in first
    assert f"{batch[0].credits['final']:g} credits" in first
    assert "InvalidInputError" in failed
    assert "A map" in failed
    assert "<img" not in failed
    assert "A boat" in last
    assert f"2 images, 1 failed, {batch.credits:g} credits" in batch._repr_html_()
    assert batch.credits == sum(charge.final or 0 for charge in box.ledger())


def test_a_terminal_gets_a_line_for_each_prompt() -> None:
    batch = ImageBatch([image(), InvalidInputError("No.")], ["A fox", "A map"])

    assert [
        "1 image, 1 failed, 3 credits",
        "   1  GeneratedImage('img_1', model='m')  A fox",
        "   2  InvalidInputError: No.  A map",
    ] == str(batch).splitlines()


def test_it_is_a_list_like_any_other() -> None:
    """It is compared, copied, pickled and changed like a list; a changed one is still drawn."""
    batch = ImageBatch([image(), image("A boat")], ["A fox", "A boat"])

    assert [image(), image("A boat")] == batch
    for back in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert (batch, batch.prompts) == (back, back.prompts)
        assert 2 == len(figures(back))
    assert 2 == len(json.loads(json.dumps(batch)))
    batch.append(RivyaError("odd"))
    assert 3 == len(figures(batch))
    assert "0 images, 0 failed, 0 credits" == str(ImageBatch())


def test_further_images_of_a_task_are_drawn_too() -> None:
    batch = ImageBatch([image(more=[image("A second")])], ["Two"])

    assert 2 == len(figures(batch)) == len(batch.images)
    assert 3 == batch.credits


def test_nothing_on_a_sheet_is_trusted() -> None:
    """Prompts, ids, messages and types may be anybody's."""
    evil = '"><script>alert(1)</script>'
    batch = ImageBatch([image(evil, id=evil, mime_type="image/png" + evil), RivyaError(evil)], [evil, evil])
    alone = image(evil, mime_type="image/png" + evil)._repr_html_() or ""

    assert "<script" not in batch._repr_html_() + alone
    assert "&lt;script&gt;" in batch._repr_html_()


def test_images_are_made_small_where_pillow_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet of large images stays a page of moderate size; without Pillow it embeds the files themselves."""
    large = image()
    large.data = image_file("red", size=(2000, 1000))
    large["size"] = len(large.data)
    (drawn,) = figures(ImageBatch([large], ["A fox"]))
    assert large.data_url not in drawn
    assert 'src="data:image/' in drawn

    monkeypatch.setitem(sys.modules, "PIL", None)
    assert large.data_url in figures(ImageBatch([large], ["A fox"]))[0]
    monkeypatch.setattr(contact_sheet, "LARGEST_SHEET", 10)
    assert "<img" not in figures(ImageBatch([large], ["A fox"]))[0]


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\nnonsense"])
def test_a_broken_image_does_not_break_the_sheet(data: bytes) -> None:
    broken = image()
    broken.data = data

    assert 2 == len(figures(ImageBatch([broken, image()], ["A fox", "A boat"])))


def test_an_image_that_is_gone_leaves_its_caption() -> None:
    gone = GeneratedImage(json.loads(json.dumps(image())))
    (drawn,) = figures(ImageBatch([gone], ["A fox"]))

    assert "<img" not in drawn
    assert "A fox" in drawn
