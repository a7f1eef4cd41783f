"""Reference images end to end: what agents may name, what the application may give, and that each goes up once."""

from __future__ import annotations

import base64
import io
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_generator import Slept, Studio, picture_file
from PIL import Image

from langchain_rivya import RivyaImageTool
from rivya_core.errors import APIError, ConfigurationError, InvalidInputError
from rivya_core.images.references import MOST_IN_MEMORY, MOST_ON_SHELF
from rivya_core.images.result import GeneratedImage
from rivya_core.media.fetch_url import FetchRules
from rivya_core.media.image_file import short_id
from rivya_core.media.local_files import open_below
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")


def sent_references(box: Sandbox) -> list[bytes]:
    """The bytes of the last task's references, as the provider has them."""
    names = [url.rpartition("/")[2] for url in box.tasks.all[-1].references]
    return [file.content for name in names if (file := box.files.by_media_name(name))]


def test_a_follow_up_names_the_earlier_picture_by_its_id(box: Sandbox, studio: Studio) -> None:
    """An agent that was told an id can have that picture changed; its bytes go up, and the result shows them."""
    tool = studio.tool()
    outcome_text = studio.ask(tool, prompt="A red fox")
    image_id = outcome_text.split()[1]
    wider = studio.ask(tool, prompt="make it wider", aspect_ratio="16:9", reference_images=[image_id])

    assert wider.startswith("Image img_")
    (reference,) = sent_references(box)
    assert reference == _result(box, 0)
    item = box.journal.to("/generations", method="POST")[-1].body["params"]["referenceMediaItems"][0]
    assert ("image", "image/png", f"{image_id}.png") == (item["kind"], item["mimeType"], item["name"])


def _result(box: Sandbox, number: int) -> bytes:
    from rivya_sandbox.rivya.images import render

    return render(box.tasks.all[number].image)


@pytest.mark.parametrize("name", ["fox.png", "deep/sea.jpg", "deep/../fox.png", "./fox.png"])
def test_an_agent_may_name_files_in_the_allowed_directory(
    box: Sandbox, studio: Studio, gallery: Path, name: str
) -> None:
    outcome_text = studio.ask(studio.tool(allowed_dir=gallery), prompt="p", reference_images=[name])

    assert outcome_text.startswith("Image img_")
    assert [(gallery / name).read_bytes()] == sent_references(box)


HOSTILE: dict[str, Callable[[Path], str]] = {
    "parent": lambda _: "../secret.png",
    "deep parent": lambda _: "deep/../../secret.png",
    "absolute": lambda root: str(root.parent / "secret.png"),
    "absolute system": lambda _: "/etc/passwd",
    "link": lambda root: _link(root / "link.png", root.parent / "secret.png"),
    "link to a directory": lambda root: _link(root / "out", root.parent) + "/secret.png",
    "link loop": lambda root: _link(root / "loop", root / "loop"),
    "device": lambda _: "/dev/zero",
    "link to a device": lambda root: _link(root / "zero.png", Path("/dev/zero")),
    "pipe": lambda root: _pipe(root / "pipe.png"),
    "socket": lambda root: _socket(root / "socket.png"),
    "directory": lambda _: "deep",
    "the directory itself": lambda _: ".",
    "nothing": lambda _: "",
    "missing": lambda _: "missing.png",
    "missing outside": lambda _: "../missing.png",
    "zero byte": lambda _: "fox.png\0.txt",
    "surrogate": lambda _: "fox\udc80.png",
    "long": lambda _: "x" * 5000,
    "huge": lambda root: _huge(root / "huge.png"),
    "not an image": lambda root: _text(root / "notes.png"),
    "empty": lambda root: _text(root / "empty.png", b""),
    "home": lambda _: "~/secret.png",
    "unknown id": lambda _: "img_00000000",
    "file url": lambda _: "file:///etc/passwd",
    "url": lambda _: "https://example.com/x.png",
    "metadata url": lambda _: "http://169.254.169.254/latest/meta-data",
    "data url": lambda _: "data:image/png;base64," + base64.b64encode(picture_file()).decode(),
}


def _link(path: Path, target: Path) -> str:
    path.symlink_to(target)
    return path.name


def _pipe(path: Path) -> str:
    os.mkfifo(path)
    return path.name


def _socket(path: Path) -> str:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)
    return path.name


def _huge(path: Path) -> str:
    with path.open("wb") as file:
        file.write(picture_file())
        file.truncate(11 * 1024 * 1024)
    return path.name


def _text(path: Path, content: bytes = b"rvya_sk_secret") -> str:
    path.write_bytes(content)
    return path.name


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_agent_reaches_nothing_else(box: Sandbox, gallery: Path, hostile: str) -> None:
    """It is told what is allowed; nothing is opened, uploaded or paid, and nothing of the file is told."""
    studio = Studio("langchain", "sync")
    tool = studio.tool(allowed_dir=gallery, images={"logo": picture_file()})
    outcome_text = studio.ask(tool, prompt="p", reference_images=[HOSTILE[hostile](gallery)])

    assert "Nothing was sent" in outcome_text or "nothing was sent" in outcome_text
    assert "Allowed are the image ids logo; files in the allowed directory" in outcome_text
    assert "rvya_sk" not in outcome_text
    assert not box.journal.to("/files")
    assert not box.ledger()


def test_outside_of_the_directory_existence_is_not_told(gallery: Path) -> None:
    """What is there and what is not are refused in the same words."""
    for name in ("../secret.png", "../missing.png"):
        with pytest.raises(InvalidInputError) as caught:
            open_below(gallery, name)
        assert f"{name!r} is not inside the allowed directory." == str(caught.value)


def test_a_directory_that_becomes_a_link_after_the_check_is_not_followed(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path that was resolved is walked without following anything."""
    resolve = Path.resolve

    def swap_after(self: Path, strict: bool = False) -> Path:
        found = resolve(self, strict=strict)
        if self.name == "sea.jpg":
            (gallery / "deep").rename(gallery / "gone")
            (gallery / "deep").symlink_to(gallery / "gone")
        return found

    monkeypatch.setattr(Path, "resolve", swap_after)
    with pytest.raises(InvalidInputError, match="no readable file"):
        open_below(gallery, "deep/sea.jpg")


def test_systems_that_cannot_walk_open_without_following_the_last_link(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rivya_core.media import local_files as safe_files

    monkeypatch.setattr(safe_files, "_WALKS", False)
    with open_below(gallery, "deep/sea.jpg") as file:
        assert b"\xff\xd8\xff" == file.read(3)


@pytest.mark.parametrize("names", [[5], [{"path": "/etc/passwd", "id": "x"}], [None], [["fox.png"]], {"id": "x"}, 7])
def test_what_json_can_carry_beside_text_is_no_reference(box: Sandbox, studio: Studio, names: Any) -> None:
    """A model cannot pass for the application by writing a result's dictionary."""
    outcome_text = studio.ask(studio.tool(), prompt="p", reference_images=names)

    assert "must be a list of image ids" in outcome_text
    assert not box.ledger()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"prompt": 5}, "`prompt` must be text"), ({"prompt": "p", "params": [1]}, "`params` must be an object")],
)
def test_arguments_of_the_wrong_type_are_refused(arguments: dict[str, Any], said: str) -> None:
    kit = RivyaImageTool(api_key="rvya_sk_x", model="brand-new")._backend
    prompt = arguments.pop("prompt")
    with pytest.raises(InvalidInputError, match=said):
        kit.request(prompt, arguments, trusted=False)


def test_one_name_alone_is_understood(box: Sandbox, studio: Studio) -> None:
    tool = studio.tool(images={"logo": picture_file("green")})

    assert studio.ask(tool, prompt="p", reference_images="logo").startswith("Image img_")
    assert [picture_file("green")] == sent_references(box)


def test_the_models_own_key_is_no_way_round(box: Sandbox) -> None:
    """An agent of a model that is not known cannot slip references into its free params."""
    studio = Studio("langchain", "sync")
    params = {"referenceMediaItems": [{"url": "https://evil.test", "kind": "image"}]}
    outcome_text = studio.ask(studio.tool(model="brand-new"), prompt="p", params=params)

    assert "reference_images" in outcome_text
    assert not box.journal.to("/generations")


@pytest.mark.parametrize("kind", ["bytes", "path", "text path", "pil", "data url", "file", "result", "artifact", "id"])
def test_the_application_gives_what_it_has(box: Sandbox, tmp_path: Path, kind: str) -> None:
    """Bytes, files, PIL images, `data:` URLs, and earlier results in every form."""
    studio, data = Studio("langchain", "sync"), picture_file("purple")
    path = tmp_path / "a b.png"
    path.write_bytes(data)
    tool = studio.tool()
    earlier = studio.generate(tool)
    given: dict[str, Any] = {
        "bytes": bytearray(data),
        "path": path,
        "text path": str(path),
        "pil": Image.open(io.BytesIO(data)),
        "data url": "data:image/png;base64," + base64.b64encode(data).decode(),
        "file": io.BytesIO(data),
        "result": earlier,
        "artifact": dict(earlier),
        "id": earlier["id"],
    }
    studio.generate(tool, "p", reference_images=[given[kind]])

    expected = earlier.content if kind in {"result", "artifact", "id"} else data
    if kind == "pil":
        assert (128, 0, 128) == Image.open(io.BytesIO(sent_references(box)[0])).convert("RGB").getpixel((0, 0))
    else:
        assert [expected] == sent_references(box)


def test_paths_and_bytes_of_the_application_need_no_permission(box: Sandbox, gallery: Path) -> None:
    """Beside ids, LlamaIndex's one function takes what JSON cannot carry."""
    for way in ("sync", "async"):
        studio = Studio("llamaindex", way)
        studio.generate(studio.tool(), reference_images=[gallery / "fox.png", picture_file("red")])
        assert [(gallery / "fox.png").read_bytes(), picture_file("red")] == sent_references(box)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (object(), "cannot be a object"),
        (Path("/nowhere/x.png"), "cannot be read: No such file"),
        (Path("/dev/zero"), "not a regular file"),
        (b"no image", "none of image/jpeg"),
        ("data:image/png;base64,!", "valid base64"),
        ("https://example.com/x.png", "by URL"),
    ],
)
def test_what_the_application_cannot_give_is_a_clear_error(box: Sandbox, source: Any, said: str) -> None:
    studio = Studio("langchain", "sync")
    with pytest.raises(InvalidInputError, match=said):
        studio.generate(studio.tool(), reference_images=[source])

    assert not box.ledger()


def test_sixteen_references_go_up_together_each_content_once(box: Sandbox, studio: Studio) -> None:
    """Several uploads are under way at a time; a content that comes twice, or again later, goes up once."""
    pictures = [picture_file("red", (8, 8 + number)) for number in range(15)]
    tool = studio.tool(images={f"p{number}": data for number, data in enumerate([*pictures, pictures[3]])})
    names = [f"p{number}" for number in range(16)]
    outcome_text = studio.ask(tool, prompt="p", reference_images=names)
    again = studio.ask(tool, prompt="q", reference_images=names[:4])

    assert outcome_text.startswith("Image img_")
    assert again.startswith("Image img_")
    assert 15 == len(box.journal.to("/files"))
    assert pictures[:4] == sent_references(box)
    assert [*pictures, pictures[3]] == _references_of(box, 0)


def _references_of(box: Sandbox, number: int) -> list[bytes]:
    names = [url.rpartition("/")[2] for url in box.tasks.all[number].references]
    return [file.content for name in names if (file := box.files.by_media_name(name))]


def test_uploads_are_remembered_for_an_hour_and_not_without_end(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the provider keeps them is not documented, and memory is bounded."""
    tool, studio = (
        RivyaImageTool(images={"a": picture_file("red"), "b": picture_file("blue")}),
        Studio("langchain", "sync"),
    )
    uploads = tool._backend._generator.uploads
    monkeypatch.setattr("rivya_core.images.uploads.MOST_KNOWN", 1)
    now = 0.0
    uploads.clock = lambda: now
    for names, seconds, count in (
        (["a"], 0, 1),
        (["a"], 3500, 1),
        (["a"], 3700, 2),
        (["b"], 3700, 3),
        (["a"], 3700, 4),
    ):
        now = seconds
        studio.generate(tool, reference_images=names)
        assert count == len(box.journal.to("/files"))


def test_too_many_references_are_refused_before_one_goes_up(box: Sandbox, studio: Studio) -> None:
    tool = studio.tool(images={"logo": picture_file()})
    outcome_text = studio.ask(tool, prompt="p", reference_images=["logo"] * 17)

    assert "at most 16 reference images, not 17" in outcome_text
    assert not box.journal.to("/files")


def test_a_refused_upload_costs_nothing_and_is_tried_anew(box: Sandbox, studio: Studio) -> None:
    tool = studio.tool(images={"logo": picture_file()})
    box.fault(Fault(path="/files", code="validation_failed", message="Not today."))

    assert "Not today." in studio.ask(tool, prompt="p", reference_images=["logo"])
    assert not box.ledger()
    assert studio.ask(tool, prompt="p", reference_images=["logo"]).startswith("Image img_")


def test_an_upload_without_a_url_is_a_clear_error(box: Sandbox) -> None:
    studio = Studio("langchain", "sync")
    box.fault(Fault(path="/files", status=200, body=b'{"id": "file_1"}'))
    with pytest.raises(APIError, match="no URL"):
        studio.generate(studio.tool(), reference_images=[picture_file()])


def test_a_models_own_limits_hold(box: Sandbox, tmp_path: Path) -> None:
    """A larger file goes to a model that takes it, and the provider is told which model it is for."""
    studio, large = Studio("langchain", "sync"), tmp_path / _huge(tmp_path / "huge.png")
    with pytest.raises(InvalidInputError, match="10,485,760 are allowed"):
        studio.generate(studio.tool(), reference_images=[large])
    studio.generate(studio.tool(model="nano-banana-pro"), reference_images=[large])

    assert [large.read_bytes()] == sent_references(box)


def test_urls_are_named_only_where_they_are_switched_on(box: Sandbox, studio: Studio) -> None:
    """Then by the rules: the application's own hosts, and public ones."""
    box.fault(Fault(path="/media", status=200, body=picture_file("pink"), headers={"content-type": "image/png"}))
    rules = FetchRules(allowed=True, trusted_hosts=frozenset({"127.0.0.1"}))
    tool = studio.tool(fetch_image_urls=rules)
    assert studio.ask(tool, prompt="p", reference_images=[f"{box.media_url}/media/x"]).startswith("Image img_")
    assert [picture_file("pink")] == sent_references(box)

    outcome_text = studio.ask(tool, prompt="p", reference_images=["https://10.0.0.1/x.png"])
    assert "not a public one" in outcome_text
    assert "https URLs of public hosts" in outcome_text


def test_a_picture_that_was_kept_nowhere_is_fetched_again(box: Sandbox, slept: Slept) -> None:
    """Memory is bounded; an old picture is taken from the provider as long as it is there."""
    studio = Studio("langchain", "sync")
    tool = studio.tool()
    first = studio.generate(tool)
    for number in range(MOST_IN_MEMORY):
        tool._backend._config.registry.put(_kept(number))
    assert first.data is not None, "what the caller holds stays whole"
    outcome_text = studio.ask(tool, prompt="p", reference_images=[first["id"]])

    assert outcome_text.startswith("Image img_")
    assert [first.content] == sent_references(box)

    box.tasks.all[0].fault = "expired"
    outcome_text = studio.ask(tool, prompt="p", reference_images=[first["id"]])
    assert "not at hand any more" in outcome_text
    assert "output_dir" in outcome_text


def _kept(number: int) -> GeneratedImage:
    picture = GeneratedImage(id=f"img_{number:08x}")
    picture.data = b"x"
    return picture


def test_the_shelf_is_bounded_and_forgets_the_oldest() -> None:
    registry = RivyaImageTool(api_key="rvya_sk_x")._backend._config.registry
    for number in range(MOST_ON_SHELF + 5):
        registry.put(b"%d" % number, f"n{number}")

    assert MOST_ON_SHELF == len(registry.ids())
    assert f"n{MOST_ON_SHELF + 4}" == registry.ids()[0]


def test_what_is_put_within_reach_gets_an_id(box: Sandbox, studio: Studio, gallery: Path) -> None:
    """From its content, or from how it is written; the same again is the same id."""
    tool = studio.tool()
    image_id = tool.add_image(picture_file("blue"))

    assert (
        short_id(picture_file("blue"))
        == image_id
        == tool.add_image(Image.open(io.BytesIO(picture_file("blue"))).copy())
    )
    assert "fox" == tool.add_image(gallery / "fox.png", "fox")
    assert studio.ask(tool, prompt="p", reference_images=[image_id, "fox"]).startswith("Image img_")
    with pytest.raises(InvalidInputError, match="cannot be a int"):
        tool.add_image(5)


def test_an_allowed_directory_must_be_one(studio: Studio, tmp_path: Path, box: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="not a directory"):
        studio.tool(allowed_dir=tmp_path / "missing")
