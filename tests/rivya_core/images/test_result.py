"""What people and notebooks see of an image, and how it survives serialization."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from image_tools import image_file

from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.images.api import ImageTask
from rivya_core.images.downloads import Downloaded
from rivya_core.images.result import LARGEST_SHOWN, GeneratedImage, generated, image_id

PNG, JPEG = image_file("red"), image_file("blue", kind="JPEG")
TASK = ImageTask("task_1", "succeeded", "m", ("https://m.test/1?signature=s", "https://m.test/2"), 3, 3, "then", "now")
BODY = {"model": "gpt-image-2", "prompt": "<b>fox</b>", "params": {"resolution": "2K", "referenceMediaItems": [{}]}}


def made(*files: Downloaded) -> GeneratedImage:
    return generated(TASK, BODY, [*files], seconds=12.3456, polls=2)


def in_memory(data: bytes = PNG, kind: str = "image/png") -> GeneratedImage:
    return made(Downloaded(kind, len(data), data=data))


def test_all_facts_are_keys_and_attributes() -> None:
    """Ids, options, credits and times."""
    image = in_memory()

    assert ("task_1", "gpt-image-2", {"resolution": "2K"}) == (image.task_id, image.model, image.params)
    assert {"reserved": 3, "final": 3} == image.credits
    assert {"created_at": "then", "updated_at": "now", "seconds": 12.346, "polls": 2} == image.timings
    assert f"GeneratedImage('{image.id}', model='gpt-image-2')" == repr(image)
    with pytest.raises(AttributeError, match="nothing"):
        _ = image.nothing


def test_its_id_is_short_and_stable() -> None:
    assert image_id("task_1") == in_memory().id == image_id("task_1", 0) != image_id("task_1", 1)
    assert len("img_") + 8 == len(image_id("task_1"))


def test_the_text_for_a_model_is_short_and_without_url() -> None:
    text = str(in_memory())

    assert f"Image {image_id('task_1')} is ready (gpt-image-2, 2K). Refer to it by the id {image_id('task_1')}." == text


def test_all_images_of_a_task_are_named(tmp_path: Path) -> None:
    """None of them is dropped."""
    saved = tmp_path / "two.jpg"
    saved.write_bytes(JPEG)
    image = made(Downloaded("image/png", len(PNG), data=PNG), Downloaded("image/jpeg", len(JPEG), path=saved))
    first, second = image.images

    assert first is image
    assert (image_id("task_1", 1), str(saved), JPEG) == (second.id, second.path, second.content)
    assert second.id in str(image)
    assert f"saved as {saved}" in str(image)
    again = GeneratedImage(json.loads(json.dumps(image)))
    assert JPEG == again.images[1].content


def test_a_saved_image_survives_serialization(tmp_path: Path) -> None:
    """Through JSON, pickles and copies. Unsaved bytes stay with a copy in the same process."""
    path = tmp_path / "one.png"
    path.write_bytes(PNG)
    saved = made(Downloaded("image/png", len(PNG), path=path))
    for back in (
        GeneratedImage(json.loads(json.dumps(saved))),
        pickle.loads(pickle.dumps(saved)),
        copy.deepcopy(saved),
    ):
        assert PNG == back.content
    assert PNG == pickle.loads(pickle.dumps(in_memory())).content

    with pytest.raises(InvalidInputError, match=r"no longer available.*`output_dir`.*task task_1"):
        _ = GeneratedImage(json.loads(json.dumps(in_memory()))).content
    path.unlink()
    with pytest.raises(InvalidInputError, match="no longer available"):
        _ = saved.content


def test_it_is_saved_at_a_given_path(tmp_path: Path) -> None:
    image = in_memory()

    assert tmp_path / "fox.png" == image.save(tmp_path / "fox.png")
    assert tmp_path / f"{image.id}.png" == image.save(tmp_path)
    assert PNG == (tmp_path / "fox.png").read_bytes() == (tmp_path / f"{image.id}.png").read_bytes()
    assert in_memory(JPEG, "image/jpeg").save(tmp_path).name.endswith(".jpg")


def test_it_converts_to_a_pillow_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (8, 6) == in_memory().pil().size
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigurationError, match="needs Pillow: pip install pillow"):
        in_memory().pil()


def test_a_notebook_shows_it_in_its_own_format() -> None:
    png, jpeg = in_memory(), in_memory(JPEG, "image/jpeg")

    assert (PNG, None) == (png._repr_png_(), png._repr_jpeg_())
    assert (None, JPEG) == (jpeg._repr_png_(), jpeg._repr_jpeg_())
    shown = png._repr_html_() or ""
    assert f'src="{png.data_url}"' in shown
    assert "&lt;b&gt;fox&lt;/b&gt;" in shown
    assert "<b>" not in shown
    assert "3 credits" in shown


@pytest.mark.parametrize("changes", [{"size": LARGEST_SHOWN + 1}, {"mime_type": None}])
def test_a_notebook_shows_nothing_that_is_too_large_or_unknown(changes: dict[str, Any]) -> None:
    image = in_memory()
    image.update(changes)

    assert None is image._repr_png_()
    assert None is image._repr_html_()


def test_a_notebook_shows_nothing_if_the_file_is_gone() -> None:
    image = in_memory()
    copy = GeneratedImage(image)
    assert PNG == copy._repr_png_(), "a copy finds the bytes of an image that is held"
    assert None is GeneratedImage({**copy, "task_id": "another"})._repr_png_()
    del image
    assert None is copy._repr_png_()
