"""Images as opened files: checked, and identified by their content."""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from rivya_core.errors import InvalidInputError

LARGEST_IMAGE = 10 * 1024 * 1024
"""Bytes that an image may have unless a model says otherwise."""
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True)
class OpenImage:
    """An image that is opened and checked.

    Attributes:
        file: Its bytes, from the beginning.
        name: File name for the provider.
        mime_type: MIME type, from its first bytes.
        digest: SHA-256 of its bytes.
    """

    file: BinaryIO = field(repr=False)
    name: str
    mime_type: str
    digest: str


def opened(file: BinaryIO, name: str, largest: int) -> OpenImage:
    """Check an opened file and return it with its digest. It is read in pieces."""
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        mime_type = check_head(file.read(16), size, largest)
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem, flags=re.ASCII)[:60].strip("-.") or "image"
    return OpenImage(file, f"{stem}.{mime_type.rpartition('/')[2]}", mime_type, digest.hexdigest())


def bytes_of(source: Any) -> bytes | None:
    """Return the bytes of *source*: bytes, an open file or a PIL image; None for anything else."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if callable(getattr(source, "save", None)) and hasattr(source, "mode"):
        out = io.BytesIO()
        source.save(out, format="PNG")
        return out.getvalue()
    read = getattr(source, "read", None)
    data = read() if callable(read) else None
    return data if isinstance(data, bytes) else None


def short_id(image: bytes | str | os.PathLike[str]) -> str:
    """Return a short id for bytes, or for a path or URL as it is written."""
    data = image if isinstance(image, bytes) else os.fspath(image).encode("utf-8", "replace")
    return "img_" + hashlib.sha256(data).hexdigest()[:8]


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
            f"The image has {size:,} bytes; {largest:,} are allowed. Nothing was sent. Scale it down first."
        )
    found = image_type(head)
    if found is None:
        raise InvalidInputError(
            f"The image must be one of {', '.join(IMAGE_TYPES)}; its first bytes match none of them. Nothing was sent."
        )
    return found
