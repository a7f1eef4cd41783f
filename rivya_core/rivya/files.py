"""Uploads to the Files API, checked before anything is sent.

https://rivya.ai/docs/api-files. An upload creates nothing that is charged, so a lost answer may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from rivya_core.answers import invalid_answer, json_of
from rivya_core.chat import Media
from rivya_core.endpoints import Endpoint
from rivya_core.errors import InvalidInputError
from rivya_core.exchange import Retry, exchange
from rivya_core.plan import Plan

PATH = "/files"
LARGEST_IMAGE = 10 * 1024 * 1024
"""Bytes that an image may have unless a model says otherwise."""
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
ID_KEYS = ("id", "file_id", "fileId")
"""The page does not show the answer; the id stands under one of these, outside or in `data` or `file`."""
URL_KEYS = ("url", "file_url", "public_url")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file on the provider's side.

    Attributes:
        id: For `attachments` of a chat.
        url: For `referenceMediaItems` of a generation; None if the answer had none.
        mime_type: Of the bytes that were sent.
        name: File name that was sent.
    """

    id: str
    url: str | None
    mime_type: str
    name: str


def image_type(data: bytes) -> str | None:
    """Return the MIME type that the first bytes of *data* prove, or None for none of `IMAGE_TYPES`."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def check_image(data: bytes, largest: int = LARGEST_IMAGE) -> str:
    """Return the MIME type of an image that the Files API takes.

    Raises:
        InvalidInputError: It is too large or of another type; nothing was sent.
    """
    return check_head(data[:16], len(data), largest)


def check_head(head: bytes, size: int, largest: int = LARGEST_IMAGE) -> str:
    """Return the MIME type of an image of *size* bytes that begins with *head*.

    Raises:
        InvalidInputError: It is too large or of another type; nothing was sent.
    """
    if size > largest:
        raise InvalidInputError(
            f"The image has {size:,} bytes and may have {largest:,}; nothing was sent. Scale it down first."
        )
    found = image_type(head)
    if found is None:
        raise InvalidInputError(
            f"The image is none of {', '.join(IMAGE_TYPES)} (its first bytes say so, whatever its name); nothing was "
            "sent."
        )
    return found


def upload_image(endpoint: Endpoint, image: Media, retry: Retry, *, largest: int = LARGEST_IMAGE) -> Plan[UploadedFile]:
    """Upload the bytes of *image*.

    Raises:
        InvalidInputError: The bytes are not an image that the API takes; nothing was sent.
        APIError: The provider refused it.
    """
    data = image.data or b""
    kind = check_image(data, largest)
    name = image.name or f"image.{kind.rpartition('/')[2]}"
    return (yield from upload_file(endpoint, data, name, kind, retry))


def upload_file(
    endpoint: Endpoint, file: bytes | BinaryIO, name: str, mime_type: str, retry: Retry, *, model: str | None = None
) -> Plan[UploadedFile]:
    """Upload an image that was checked before.

    Args:
        endpoint: Where, and as whom.
        file: The bytes, or a file that they are read from while they are sent, from its beginning.
        name: File name for the provider.
        mime_type: What the first bytes prove.
        retry: How often and how patiently.
        model: Model whose own limits hold instead of the API's.

    Raises:
        APIError: The provider refused it.
    """
    fields = {"kind": "image", **({"model": model} if model else {})}
    request = endpoint.request("POST", PATH, files={"file": (name, file, mime_type)}, fields=fields)
    response = yield from exchange(request, retry, idempotent=True)
    value = json_of(response)
    found = _file(value) if isinstance(value, Mapping) else None
    if found is None:
        raise invalid_answer(response, "has no file id")
    return UploadedFile(found[0], found[1], mime_type, name)


def _file(value: Mapping[str, Any]) -> tuple[str, str | None] | None:
    for layer in (value, value.get("data"), value.get("file")):
        if isinstance(layer, Mapping):
            found = next((layer[key] for key in ID_KEYS if isinstance(layer.get(key), str) and layer[key]), None)
            url = next((layer[key] for key in URL_KEYS if isinstance(layer.get(key), str)), None)
            if found:
                return found, url
    return None
