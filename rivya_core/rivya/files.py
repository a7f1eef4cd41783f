"""Uploads to the Files API, checked before anything is sent.

https://rivya.ai/docs/api-files. An upload is not charged, so it can be repeated after a lost response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.media.image_file import LARGEST_IMAGE, check_image
from rivya_core.types import Media

PATH = "/files"
ID_KEYS = ("id", "file_id", "fileId")
"""Likely keys of the id, at the top level or in `data` or `file`; the response is not documented."""
URL_KEYS = ("url", "file_url", "public_url")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file at the provider.

    Attributes:
        id: For `attachments` of a chat.
        url: For `referenceMediaItems` of a generation; None if the response has no URL.
        mime_type: MIME type of the bytes that were sent.
        name: File name that was sent.
    """

    id: str
    url: str | None
    mime_type: str
    name: str


def upload_image(
    endpoint: Endpoint, image: Media, retry: RetryPolicy, *, largest: int = LARGEST_IMAGE
) -> Plan[UploadedFile]:
    """Upload the bytes of *image*.

    Raises:
        InvalidInputError: The bytes are not an image that the API takes; nothing was sent.
        APIError: The provider refused the file.
    """
    data = image.data or b""
    kind = check_image(data, largest)
    name = image.name or f"image.{kind.rpartition('/')[2]}"
    return (yield from upload_file(endpoint, data, name, kind, retry))


def upload_file(
    endpoint: Endpoint,
    file: bytes | BinaryIO,
    name: str,
    mime_type: str,
    retry: RetryPolicy,
    *,
    model: str | None = None,
) -> Plan[UploadedFile]:
    """Upload an image that was checked before.

    Args:
        endpoint: Endpoint and credentials.
        file: The bytes, or a file that they are read from while they are sent, from its beginning.
        name: File name for the provider.
        mime_type: What the first bytes prove.
        retry: How often requests are repeated, and after which delays.
        model: Model whose limits apply instead of the API's.

    Raises:
        APIError: The provider refused the file.
    """
    fields = {"kind": "image", **({"model": model} if model else {})}
    request = endpoint.request("POST", PATH, files={"file": (name, file, mime_type)}, fields=fields)
    response = yield from send_with_retries(request, retry, idempotent=True)
    value = parse_json(response)
    found = _file(value) if isinstance(value, Mapping) else None
    if found is None:
        raise invalid_response(response, "has no file id")
    return UploadedFile(found[0], found[1], mime_type, name)


def _file(value: Mapping[str, Any]) -> tuple[str, str | None] | None:
    for layer in (value, value.get("data"), value.get("file")):
        if isinstance(layer, Mapping):
            found = next((layer[key] for key in ID_KEYS if isinstance(layer.get(key), str) and layer[key]), None)
            url = next((layer[key] for key in URL_KEYS if isinstance(layer.get(key), str)), None)
            if found:
                return found, url
    return None
