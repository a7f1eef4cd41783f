"""Reference images end to end: what agents may name, what the application may pass, and that each is uploaded once."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_tools import ImageTools, Slept, image_file
from PIL import Image

from langchain_rivya import RivyaImageTool
from rivya_core.errors import APIError, ConfigurationError, InvalidInputError
from rivya_core.images import task_store
from rivya_core.images.references import MOST_IMAGES, MOST_IN_MEMORY
from rivya_core.images.result import GeneratedImage
from rivya_core.media.fetch_url import FetchRules
from rivya_core.media.image_file import short_id
from rivya_core.media.local_files import open_below
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")


def sent_references(box: Sandbox) -> list[bytes]:
    """The bytes of the last task's references, as the provider received them."""
    names = [url.rpartition("/")[2] for url in box.tasks.all[-1].references]
    return [file.content for name in names if (file := box.files.by_media_name(name))]


def test_a_follow_up_names_the_earlier_image_by_its_id(box: Sandbox, tools: ImageTools) -> None:
    """An agent that knows an id can have that image changed: its bytes are uploaded."""
    tool = tools.tool()
    outcome_text = tools.ask(tool, prompt="A red fox")
    image_id = outcome_text.split()[1]
    wider = tools.ask(tool, prompt="make it wider", aspect_ratio="16:9", reference_images=[image_id])

    assert wider.startswith("Image img_")
    (reference,) = sent_references(box)
    assert reference == _result(box, 0)
    item = box.journal.to("/generations", method="POST")[-1].body["params"]["referenceMediaItems"][0]
    assert ("image", "image/png", f"{image_id}.png") == (item["kind"], item["mimeType"], item["name"])


def test_an_error_names_no_image_of_another_conversation(box: Sandbox, tools: ImageTools) -> None:
    """Many conversations share a tool. Only the images of its constructor are for all of them."""
    tool = tools.tool(images={"logo": image_file()})
    made = tools.ask(tool, prompt="A red fox").split()[1]
    added = tool.add_image(image_file("blue"), "upload-of-somebody")
    said = tools.ask(tool, prompt="p", reference_images=["img_unknown"])

    assert "There is no image 'img_unknown'. Use one of the ids logo. Nothing was sent." in said
    assert made not in said
    assert added not in said
    assert tools.ask(tool, prompt="p", reference_images=[added]).startswith("Image img_")


def _result(box: Sandbox, number: int) -> bytes:
    from rivya_sandbox.rivya.images import render

    return render(box.tasks.all[number].image)


@pytest.mark.parametrize("name", ["fox.png", "deep/sea.jpg", "deep/../fox.png", "./fox.png"])
def test_an_agent_may_name_files_in_the_allowed_directory(
    box: Sandbox, tools: ImageTools, gallery: Path, name: str
) -> None:
    outcome_text = tools.ask(tools.tool(allowed_dir=gallery), prompt="p", reference_images=[name])

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
    "data url": lambda _: "data:image/png;base64," + base64.b64encode(image_file()).decode(),
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
        file.write(image_file())
        file.truncate(11 * 1024 * 1024)
    return path.name


def _text(path: Path, content: bytes = b"rvya_sk_secret") -> str:
    path.write_bytes(content)
    return path.name


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_agent_reaches_nothing_else(box: Sandbox, gallery: Path, hostile: str) -> None:
    """The error lists what is allowed. Nothing is opened, uploaded or charged, and nothing about the file is revealed."""
    tools = ImageTools("langchain", "sync")
    tool = tools.tool(allowed_dir=gallery, images={"logo": image_file()})
    outcome_text = tools.ask(tool, prompt="p", reference_images=[HOSTILE[hostile](gallery)])

    assert "Nothing was sent" in outcome_text or "nothing was sent" in outcome_text
    assert "Use one of the ids logo, or the name of a file in the allowed directory" in outcome_text
    assert "rvya_sk" not in outcome_text
    assert not box.journal.to("/files")
    assert not box.ledger()


def test_errors_do_not_reveal_which_files_exist(gallery: Path) -> None:
    """Existing and missing files are refused with the same text."""
    for name in ("../secret.png", "../missing.png"):
        with pytest.raises(InvalidInputError) as caught:
            open_below(gallery, name)
        assert f"{name!r} is not inside the allowed directory." == str(caught.value)


def test_a_directory_that_becomes_a_link_after_the_check_is_not_followed(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolved path is opened without following links."""
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


def test_systems_without_directory_handles_do_not_follow_the_last_link(
    gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rivya_core.media import local_files as safe_files

    monkeypatch.setattr(safe_files, "_WALKS", False)
    with open_below(gallery, "deep/sea.jpg") as file:
        assert b"\xff\xd8\xff" == file.read(3)


@pytest.mark.parametrize("names", [[5], [{"path": "/etc/passwd"}], [None], [["fox.png"]], {"id": 5}, 7])
def test_json_other_than_text_is_not_a_reference(box: Sandbox, tools: ImageTools, names: Any) -> None:
    """A model cannot pass for the application by writing a result's dictionary."""
    outcome_text = tools.ask(tools.tool(), prompt="p", reference_images=names)

    assert "must be a list of image ids" in outcome_text
    assert not box.ledger()


@pytest.mark.parametrize("written", [{"path": "/etc/passwd"}, {"url": "https://127.0.0.1/secret"}, {"data": "x"}])
def test_of_a_result_that_a_model_may_have_written_only_the_id_counts(
    box: Sandbox, tools: ImageTools, written: dict[str, Any]
) -> None:
    """A file or a URL in it is never opened; the id is found among the images within reach, or not at all."""
    outcome_text = tools.ask(tools.tool(), prompt="p", reference_images=[{"id": "x", **written}])
    assert "There is no image 'x'" in outcome_text
    assert not box.ledger()

    tool = tools.tool()
    image = tools.generate(tool)
    tools.ask(tool, prompt="p", reference_images=[{**image, **written}])
    assert [image.content] == sent_references(box)


@pytest.mark.parametrize("store", ["none", "memory", "file"])
@pytest.mark.parametrize("form", ["id", "dict", "object", "json"])
def test_images_outlive_the_tool_that_made_them(
    box: Sandbox, tools: ImageTools, store: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new tool takes them by id or as the artifact, in this process, and with a shared store in another one."""
    if store != "none":
        monkeypatch.setenv("RIVYA_TASK_STORE", "memory" if store == "memory" else str(tmp_path / "tasks.db"))
    image = tools.generate(tools.tool())
    content, facts = image.content, json.loads(json.dumps(image.to_json()))
    forms: dict[str, Any] = {"id": image.id, "dict": dict(image), "object": GeneratedImage(facts), "json": facts}
    del image
    if store == "file":
        task_store._records_by_image.clear()  # as in another process
    outcome_text = tools.ask(tools.tool(), prompt="p", reference_images=[forms[form]])

    assert outcome_text.startswith("Image img_")
    assert [content] == sent_references(box)


def test_images_of_another_account_are_out_of_reach(box: Sandbox, tools: ImageTools) -> None:
    """What a process remembers of images is bound to the account that made them."""
    image = tools.generate(tools.tool())
    other = tools.tool(api_key="rvya_sk_other")
    assert "There is no image" in tools.ask(other, prompt="p", reference_images=[image.id])
    assert len(box.tasks.all) == 1


def test_a_task_store_is_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVYA_TASK_STORE", "redis://somewhere:6379/0")
    with pytest.raises(ConfigurationError, match="path of a SQLite file"):
        RivyaImageTool(api_key="rvya_sk_x")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"prompt": 5}, "`prompt` must be text"), ({"prompt": "p", "params": [1]}, "`params` must be an object")],
)
def test_arguments_of_the_wrong_type_are_refused(arguments: dict[str, Any], said: str) -> None:
    kit = RivyaImageTool(api_key="rvya_sk_x", model="brand-new")._backend
    prompt = arguments.pop("prompt")
    with pytest.raises(InvalidInputError, match=said):
        kit.request(prompt, arguments, trusted=False)


def test_a_single_name_is_accepted(box: Sandbox, tools: ImageTools) -> None:
    tool = tools.tool(images={"logo": image_file("green")})

    assert tools.ask(tool, prompt="p", reference_images="logo").startswith("Image img_")
    assert [image_file("green")] == sent_references(box)


def test_the_wire_key_for_references_is_refused(box: Sandbox) -> None:
    """An agent of an unknown model cannot pass references in its unchecked params."""
    tools = ImageTools("langchain", "sync")
    params = {"referenceMediaItems": [{"url": "https://evil.test", "kind": "image"}]}
    outcome_text = tools.ask(tools.tool(model="brand-new"), prompt="p", params=params)

    assert "reference_images" in outcome_text
    assert not box.journal.to("/generations")


@pytest.mark.parametrize("kind", ["bytes", "path", "text path", "pil", "data url", "file", "result", "artifact", "id"])
def test_the_application_may_pass_any_kind_of_image(box: Sandbox, tmp_path: Path, kind: str) -> None:
    """Bytes, files, PIL images, `data:` URLs, and earlier results in every form."""
    tools, data = ImageTools("langchain", "sync"), image_file("purple")
    path = tmp_path / "a b.png"
    path.write_bytes(data)
    tool = tools.tool()
    earlier = tools.generate(tool)
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
    tools.generate(tool, "p", reference_images=[given[kind]])

    expected = earlier.content if kind in {"result", "artifact", "id"} else data
    if kind == "pil":
        assert (128, 0, 128) == Image.open(io.BytesIO(sent_references(box)[0])).convert("RGB").getpixel((0, 0))
    else:
        assert [expected] == sent_references(box)


def test_paths_and_bytes_of_the_application_need_no_permission(box: Sandbox, gallery: Path) -> None:
    """LlamaIndex's function also takes values that JSON cannot carry."""
    for way in ("sync", "async"):
        tools = ImageTools("llamaindex", way)
        tools.generate(tools.tool(), reference_images=[gallery / "fox.png", image_file("red")])
        assert [(gallery / "fox.png").read_bytes(), image_file("red")] == sent_references(box)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (object(), "cannot be a object"),
        (Path("/nowhere/x.png"), "cannot be read: No such file"),
        (Path("/dev/zero"), "not a regular file"),
        (b"no image", "one of image/jpeg"),
        ("data:image/png;base64,!", "valid base64"),
        ("https://example.com/x.png", "by URL"),
    ],
)
def test_an_unusable_reference_is_a_clear_error(box: Sandbox, source: Any, said: str) -> None:
    tools = ImageTools("langchain", "sync")
    with pytest.raises(InvalidInputError, match=said):
        tools.generate(tools.tool(), reference_images=[source])

    assert not box.ledger()


def test_references_are_uploaded_together_and_each_content_once(box: Sandbox, tools: ImageTools) -> None:
    """Several uploads run at a time; a content that occurs twice, or again later, is uploaded once."""
    images = [image_file("red", (8, 8 + number)) for number in range(15)]
    tool = tools.tool(images={f"p{number}": data for number, data in enumerate([*images, images[3]])})
    names = [f"p{number}" for number in range(16)]
    outcome_text = tools.ask(tool, prompt="p", reference_images=names)
    again = tools.ask(tool, prompt="q", reference_images=names[:4])

    assert outcome_text.startswith("Image img_")
    assert again.startswith("Image img_")
    assert 15 == len(box.journal.to("/files"))
    assert images[:4] == sent_references(box)
    assert [*images, images[3]] == _references_of(box, 0)


def _references_of(box: Sandbox, number: int) -> list[bytes]:
    names = [url.rpartition("/")[2] for url in box.tasks.all[number].references]
    return [file.content for name in names if (file := box.files.by_media_name(name))]


def test_uploads_are_remembered_for_an_hour_and_limited_in_number(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long the provider keeps them is not documented, and memory is bounded."""
    tool, tools = (
        RivyaImageTool(images={"a": image_file("red"), "b": image_file("blue")}),
        ImageTools("langchain", "sync"),
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
        tools.generate(tool, reference_images=names)
        assert count == len(box.journal.to("/files"))


def test_too_many_references_are_refused_before_any_upload(box: Sandbox, tools: ImageTools) -> None:
    tool = tools.tool(images={"logo": image_file()})
    outcome_text = tools.ask(tool, prompt="p", reference_images=["logo"] * 17)

    assert "at most 16 reference images, not 17" in outcome_text
    assert not box.journal.to("/files")


def test_a_refused_upload_costs_nothing_and_can_be_repeated(box: Sandbox, tools: ImageTools) -> None:
    tool = tools.tool(images={"logo": image_file()})
    box.fault(Fault(path="/files", code="validation_failed", message="Not today."))

    assert "Not today." in tools.ask(tool, prompt="p", reference_images=["logo"])
    assert not box.ledger()
    assert tools.ask(tool, prompt="p", reference_images=["logo"]).startswith("Image img_")


def test_an_upload_without_a_url_is_a_clear_error(box: Sandbox) -> None:
    tools = ImageTools("langchain", "sync")
    box.fault(Fault(path="/files", status=200, body=b'{"id": "file_1"}'))
    with pytest.raises(APIError, match="no URL"):
        tools.generate(tools.tool(), reference_images=[image_file()])


def test_a_models_own_limits_apply(box: Sandbox, tmp_path: Path) -> None:
    """A larger file is sent for a model that takes it, and the upload names the model."""
    tools, large = ImageTools("langchain", "sync"), tmp_path / _huge(tmp_path / "huge.png")
    with pytest.raises(InvalidInputError, match="10,485,760 are allowed"):
        tools.generate(tools.tool(), reference_images=[large])
    tools.generate(tools.tool(model="nano-banana-pro"), reference_images=[large])

    assert [large.read_bytes()] == sent_references(box)


def test_urls_are_accepted_only_if_enabled(box: Sandbox, tools: ImageTools) -> None:
    """Then the rules apply: trusted hosts and public hosts."""
    box.fault(Fault(path="/media", status=200, body=image_file("pink"), headers={"content-type": "image/png"}))
    rules = FetchRules(allowed=True, trusted_hosts=frozenset({"127.0.0.1"}))
    tool = tools.tool(fetch_image_urls=rules)
    assert tools.ask(tool, prompt="p", reference_images=[f"{box.media_url}/media/x"]).startswith("Image img_")
    assert [image_file("pink")] == sent_references(box)

    outcome_text = tools.ask(tool, prompt="p", reference_images=["https://10.0.0.1/x.png"])
    assert "not a public one" in outcome_text
    assert "https URLs of public hosts" in outcome_text


def test_an_unsaved_image_is_downloaded_again(box: Sandbox, slept: Slept) -> None:
    """Memory is bounded; an old image is downloaded as long as the provider has it."""
    tools = ImageTools("langchain", "sync")
    tool = tools.tool()
    first = tools.generate(tool)
    for number in range(MOST_IN_MEMORY):
        tool._backend._config.registry.put(_kept(number))
    assert first.data is not None, "what the caller holds stays whole"
    name, content = first["id"], first.content
    del first
    outcome_text = tools.ask(tool, prompt="p", reference_images=[name])

    assert outcome_text.startswith("Image img_")
    assert [content] == sent_references(box)

    box.tasks.all[0].fault = "expired"
    outcome_text = tools.ask(tool, prompt="p", reference_images=[name])
    assert "no longer available" in outcome_text
    assert "output_dir" in outcome_text


def _kept(number: int) -> GeneratedImage:
    image = GeneratedImage(id=f"img_{number:08x}")
    image.data = b"x"
    return image


def test_the_registry_is_bounded_and_drops_the_oldest() -> None:
    registry = RivyaImageTool(api_key="rvya_sk_x")._backend._config.registry
    for number in range(MOST_IMAGES + 5):
        registry.put(b"%d" % number, f"n{number}")

    assert MOST_IMAGES == len(registry.ids())
    assert f"n{MOST_IMAGES + 4}" == registry.ids()[0]


def test_an_added_image_gets_an_id(box: Sandbox, tools: ImageTools, gallery: Path) -> None:
    """From its content or its spelling; the same image gets the same id."""
    tool = tools.tool()
    image_id = tool.add_image(image_file("blue"))

    assert short_id(image_file("blue")) == image_id == tool.add_image(Image.open(io.BytesIO(image_file("blue"))).copy())
    assert "fox" == tool.add_image(gallery / "fox.png", "fox")
    assert tools.ask(tool, prompt="p", reference_images=[image_id, "fox"]).startswith("Image img_")
    with pytest.raises(InvalidInputError, match="cannot be a int"):
        tool.add_image(5)


def test_an_allowed_directory_must_exist(tools: ImageTools, tmp_path: Path, box: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="not a directory"):
        tools.tool(allowed_dir=tmp_path / "missing")
