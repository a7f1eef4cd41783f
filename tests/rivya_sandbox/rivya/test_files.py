"""Uploads: signatures, limits, ownership, and their use in chat."""

import hashlib

import pytest

from rivya_sandbox.rivya.files import detect

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n....",
    "image/jpeg": b"\xff\xd8\xff\xe0..........",
    "image/webp": b"RIFF....WEBPVP8 ",
    "video/mp4": b"\x00\x00\x00\x18ftypisom....",
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  ....",
    "video/webm": b"\x1a\x45\xdf\xa3............",
    "audio/mpeg": b"ID3\x03\x00.........",
    "audio/mp4": b"\x00\x00\x00\x18ftypM4A ....",
    "audio/wav": b"RIFF....WAVEfmt ",
    "audio/aac": b"\xff\xf1\x50\x80........",
    "audio/ogg": b"OggS............",
}


def refused(response):
    return response.status_code == 400 and response.json()["error"]["code"] == "validation_failed"


@pytest.mark.parametrize("mime", HEADS)
def test_each_supported_type_is_known_by_its_first_bytes(upload, mime):
    """And accepted under its own kind only."""
    kind = mime.partition("/")[0]

    stored = upload(HEADS[mime], mime, kind=kind)

    assert (stored.status_code, stored.json()["mime_type"]) == (200, mime)
    assert refused(upload(HEADS[mime], mime, kind="audio" if kind != "audio" else "image"))


@pytest.mark.parametrize("content", [b"", b"x", b"GIF89a....", b"%PDF-1.7", b"RIFF....AVI ", b"\xff\xfb\x90", b"text"])
def test_what_is_no_supported_image_is_refused(upload, content):
    """Whatever it is declared as."""
    assert refused(upload(content))


def test_a_bare_mpeg_frame_is_audio():
    """Without an ID3 tag."""
    assert detect(b"\xff\xfb\x90\x00") == "audio/mpeg"


def test_the_name_and_the_declared_type_do_not_help_a_wrong_file(upload, png):
    """Only the bytes count; the declaration must agree with them."""
    assert refused(upload(png(), "image/jpeg"))
    assert upload(png(), "application/octet-stream", name="a.jpg").json()["mime_type"] == "image/png"
    assert upload(HEADS["audio/wav"], "audio/x-wav", kind="audio").json()["mime_type"] == "audio/wav"


def test_a_file_comes_back_with_what_is_known_of_it(sandbox, client, upload, png, web):
    """The same JSON at upload and later; the URL gives the bytes."""
    content = png()

    stored = upload(content, name="red.png", client_request_id="up-1").json()

    assert client.get(f"/files/{stored['id']}").json() == stored
    assert (stored["kind"], stored["name"], stored["size_bytes"], stored["client_request_id"]) == (
        "image",
        "red.png",
        len(content),
        "up-1",
    )
    assert web.get(stored["url"]).content == content
    assert [file.sha256 for file in sandbox.files.all] == [hashlib.sha256(content).hexdigest()]


def test_the_id_may_stand_under_another_key(sandbox, upload, png):
    """The documentation does not show which."""
    sandbox.file_id_key = "file_id"

    assert upload(png()).json()["file_id"].startswith("file_")


def test_only_the_owner_sees_a_file(sandbox, client, upload, png):
    """Another account finds nothing."""
    sandbox.add_key("rvya_sk_b", account="b")
    stored = upload(png()).json()

    response = client.get(f"/files/{stored['id']}", headers={"authorization": "Bearer rvya_sk_b"})

    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_sizes_are_limited_by_kind_and_by_model(upload, png):
    """10 MB for images, 30 for a model that takes as much, none for a model without references."""
    big = png() + b"\0" * 10 * 1024 * 1024

    assert refused(upload(big))
    assert upload(big, model="nano-banana-pro").status_code == 200
    assert refused(upload(png(), model="z-image"))
    assert refused(upload(png(), model="nothing"))


@pytest.mark.parametrize(
    "fields", [{"kind": ""}, {"kind": "document"}, {"client_request_id": "x" * 129}, {"purpose": "vision"}]
)
def test_fields_are_checked(client, png, fields):
    """Kind, trace id, unknown ones."""
    files = {"file": ("a.png", png(), "image/png")}

    assert refused(client.post("/files", files=files, data={"kind": "image", **fields}))


def test_an_upload_is_a_multipart_form_with_a_file(client):
    """JSON, or a form without one, is refused."""
    assert refused(client.post("/files", json={"kind": "image"}))
    assert refused(client.post("/files", files={"kind": (None, "image")}))
    assert refused(client.post("/files", files={"kind": (None, "image"), "file": (None, "text")}))


def test_attached_images_are_part_of_what_the_model_saw(sandbox, chat, upload, png):
    """By id and digest, in order, and still there in later turns."""
    red, blue = png("red"), png("blue")
    ids = [upload(content).json()["id"] for content in (red, blue)]

    reply = chat("What is this?", attachments=[{"file_id": file_id} for file_id in ids]).json()
    chat("And now?", session_id=reply["session_id"])

    seen = sandbox.journal.turns[-1].context[0].attachments
    assert [image.file_id for image in seen] == ids
    assert [image.sha256 for image in seen] == [hashlib.sha256(content).hexdigest() for content in (red, blue)]
    assert reply["usage"]["input_tokens"] == 4 + 2 * 85


def attachment_refused(response):
    return response.status_code == 400 and response.json()["error"]["code"] == "chat_attachment_not_supported"


def test_only_own_images_can_be_attached_and_only_where_the_model_sees(sandbox, chat, upload, png):
    """Unknown ids, other accounts' files, sounds, URLs and a model without image input are all rejected."""
    sandbox.add_key("rvya_sk_b", account="b")
    image = upload(png()).json()["id"]
    sound = upload(HEADS["audio/ogg"], "audio/ogg", kind="audio").json()["id"]

    assert attachment_refused(chat(attachments=[{"file_id": "file_none"}]))
    assert attachment_refused(chat(attachments=[{"file_id": sound}]))
    assert attachment_refused(chat(attachments=[{"url": "https://example.com/a.png"}]))
    assert attachment_refused(chat(attachments=["file_1"]))
    assert attachment_refused(chat(attachments=[{"file_id": image}], model="claude-sonnet-4-6-chat"))
    assert attachment_refused(chat(attachments=[{"file_id": image}], headers={"authorization": "Bearer rvya_sk_b"}))
    assert sandbox.journal.turns == []
