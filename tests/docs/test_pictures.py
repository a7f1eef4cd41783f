"""The pictures in the guides are what a notebook shows today; `python tests/support/pictures.py` draws them again."""

import re

import pictures
import pytest

import rivya_core
import rivya_sandbox


@pytest.fixture(scope="module")
def drawn():
    with rivya_sandbox.serve() as sandbox:
        return pictures.drawn(sandbox)


@pytest.mark.parametrize("name", ["timeline.html", "credits.html", "contact-sheet.html"])
def test_a_picture_is_up_to_date(drawn, name):
    """Images may be encoded differently elsewhere; everything else is the same."""

    def without_images(html):
        return re.sub(r'src="data:[^"]*"', "", html)

    kept = (pictures.FOLDER / name).read_text(encoding="utf-8")
    assert without_images(kept) == without_images(drawn[name])


def test_the_site_shows_pictures_of_moderate_size():
    """A page with pictures loads on a phone."""
    assert {path.name for path in pictures.FOLDER.iterdir()} >= {"lighthouse.jpg", "timeline.html"}
    assert all(path.stat().st_size < 200_000 for path in pictures.FOLDER.iterdir())


def test_the_header_of_the_site_has_the_version():
    """A reader sees which version the pages describe."""
    config = (pictures.FOLDER.parents[1] / "zensical.toml").read_text(encoding="utf-8")

    assert f'repo_name = "rivya-integrations {rivya_core.__version__}"' in config
