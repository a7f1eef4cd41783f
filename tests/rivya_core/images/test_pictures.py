"""What people and notebooks see of a picture, and what becomes of it when it travels."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from image_generator import picture_file

from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.images.api import ImageTask
from rivya_core.images.downloads import Downloaded
from rivya_core.images.result import LARGEST_SHOWN, GeneratedImage, generated, image_id

PNG, JPEG = picture_file("red"), picture_file("blue", kind="JPEG")
TASK = ImageTask("task_1", "succeeded", "m", ("https://m.test/1?signature=s", "https://m.test/2"), 3, 3, "then", "now")
BODY = {"model": "gpt-image-2", "prompt": "<b>fox</b>", "params": {"resolution": "2K", "referenceMediaItems": [{}]}}


def made(*files: Downloaded) -> GeneratedImage:
    return generated(TASK, BODY, [*files], seconds=12.3456, polls=2)


def in_memory(data: bytes = PNG, kind: str = "image/png") -> GeneratedImage:
    return made(Downloaded(kind, len(data), data=data))


def test_it_tells_all_about_itself() -> None:
    """Ids, options, credits and times; every key is an attribute too."""
    picture = in_memory()

    assert ("task_1", "gpt-image-2", {"resolution": "2K"}) == (picture.task_id, picture.model, picture.params)
    assert {"reserved": 3, "final": 3} == picture.credits
    assert {"created_at": "then", "updated_at": "now", "seconds": 12.346, "polls": 2} == picture.timings
    assert f"GeneratedImage('{picture.id}', model='gpt-image-2')" == repr(picture)
    with pytest.raises(AttributeError, match="nothing"):
        _ = picture.nothing


def test_its_id_is_short_and_always_the_same() -> None:
    assert image_id("task_1") == in_memory().id == image_id("task_1", 0) != image_id("task_1", 1)
    assert len("img_") + 8 == len(image_id("task_1"))


def test_the_text_for_a_model_is_short_and_holds_no_url() -> None:
    text = str(in_memory())

    assert f"Image {image_id('task_1')} is ready (gpt-image-2, 2K). Refer to it by the id {image_id('task_1')}." == text


def test_several_pictures_of_one_task_are_all_told(tmp_path: Path) -> None:
    """None of them is dropped."""
    saved = tmp_path / "two.jpg"
    saved.write_bytes(JPEG)
    picture = made(Downloaded("image/png", len(PNG), data=PNG), Downloaded("image/jpeg", len(JPEG), path=saved))
    first, second = picture.images

    assert first is picture
    assert (image_id("task_1", 1), str(saved), JPEG) == (second.id, second.path, second.content)
    assert second.id in str(picture)
    assert f"saved as {saved}" in str(picture)
    again = GeneratedImage(json.loads(json.dumps(picture)))
    assert JPEG == again.images[1].content


def test_a_saved_picture_becomes_whole_again_after_a_journey(tmp_path: Path) -> None:
    """Through JSON, pickles and copies; bytes that were saved nowhere stay with the copy of the same process."""
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

    with pytest.raises(InvalidInputError, match=r"not here any more.*`output_dir`.*task task_1"):
        _ = GeneratedImage(json.loads(json.dumps(in_memory()))).content
    path.unlink()
    with pytest.raises(InvalidInputError, match="not here any more"):
        _ = saved.content


def test_it_is_saved_where_one_likes(tmp_path: Path) -> None:
    picture = in_memory()

    assert tmp_path / "fox.png" == picture.save(tmp_path / "fox.png")
    assert tmp_path / f"{picture.id}.png" == picture.save(tmp_path)
    assert PNG == (tmp_path / "fox.png").read_bytes() == (tmp_path / f"{picture.id}.png").read_bytes()
    assert in_memory(JPEG, "image/jpeg").save(tmp_path).name.endswith(".jpg")


def test_it_is_a_pillow_image_where_pillow_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (8, 6) == in_memory().pil().size
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigurationError, match=r"rivya-integrations\[notebooks\]"):
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
    picture = in_memory()
    picture.update(changes)

    assert None is picture._repr_png_()
    assert None is picture._repr_html_()


def test_a_notebook_shows_nothing_that_is_gone() -> None:
    assert None is GeneratedImage(in_memory())._repr_png_()
