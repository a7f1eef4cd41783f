"""Uploaded files: their media type, limits and owner."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from rivya_sandbox.errors import ApiError
from rivya_sandbox.rivya.catalogue import IMAGE_TYPES, MEGABYTE
from rivya_sandbox.values import Attachment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rivya_sandbox.ids import Ids

LIMITS: Mapping[str, tuple[int, tuple[str, ...]]] = MappingProxyType(
    {
        "image": (10 * MEGABYTE, IMAGE_TYPES),
        "video": (50 * MEGABYTE, ("video/mp4", "video/quicktime", "video/webm")),
        "audio": (
            10 * MEGABYTE,
            ("audio/mpeg", "audio/mp4", "audio/wav", "audio/x-wav", "audio/aac", "audio/ogg"),
        ),
    }
)

SAME_TYPE: Mapping[str, str] = MappingProxyType({"audio/x-wav": "audio/wav", "image/jpg": "image/jpeg"})
"""Other names of a type, to compare the declared type with the detected one."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "video/mp4": "mp4", "audio/mpeg": "mp3"}
)

SIGNATURES = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8", "image/gif"),
    (rb"\x1a\x45\xdf\xa3", "video/webm"),
    (rb"OggS", "audio/ogg"),
    (rb"....ftypqt  ", "video/quicktime"),
    (rb"....ftypM4[AB] ", "audio/mp4"),
    (rb"....ftyp", "video/mp4"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"ID3", "audio/mpeg"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
    (rb"\xff[\xe0-\xff]", "audio/mpeg"),
)
"""The first bytes of each media type, as regular expressions; the first that matches counts."""


def detect(content: bytes) -> str | None:
    """Return the media type of a file by its first bytes, or `None`."""
    return next((mime for signature, mime in SIGNATURES if re.match(signature, content[:16], re.DOTALL)), None)


@dataclass(frozen=True)
class Upload:
    """A file as it arrives.

    Attributes:
        content: The bytes.
        name: The declared file name.
        declared: The declared media type, or empty.
        kind: `image`, `video` or `audio`.
        limit: The maximum size in bytes.
        client_request_id: The caller's trace id.
    """

    content: bytes = field(repr=False)
    name: str
    declared: str
    kind: str
    limit: int
    client_request_id: str | None = None


@dataclass(frozen=True)
class StoredFile:
    """An accepted file."""

    id: str
    account: str
    kind: str
    name: str
    mime: str
    sha256: str
    at: float
    content: bytes = field(repr=False)
    client_request_id: str | None = None

    @property
    def media_name(self) -> str:
        """Its name on the media host."""
        return f"{self.id}.{SUFFIXES.get(self.mime, 'bin')}"

    @property
    def attachment(self) -> Attachment:
        """The file as an attachment of a message."""
        return Attachment(self.id, self.sha256)


def checked_mime(upload: Upload) -> str:
    """Return the media type of an upload, if kind, declaration, signature and size agree.

    Raises:
        ApiError: `validation_failed`.
    """
    if upload.kind not in LIMITS:
        raise ApiError("validation_failed", f"kind must be one of {', '.join(LIMITS)}.")
    if not upload.content:
        raise ApiError("validation_failed", "file is empty.")
    if len(upload.content) > upload.limit:
        raise ApiError("validation_failed", f"file is larger than {upload.limit // MEGABYTE} MB.")
    found = detect(upload.content)
    if found is None or found not in LIMITS[upload.kind][1]:
        raise ApiError("validation_failed", f"The file's content is not a supported {upload.kind} type.")
    declared = SAME_TYPE.get(upload.declared, upload.declared)
    if declared not in ("", "application/octet-stream", found):
        raise ApiError("validation_failed", f"The file is declared as {upload.declared} but contains {found}.")
    return found


class Files:
    """All uploaded files. Thread-safe."""

    def __init__(self, ids: Ids, lock: threading.RLock | None = None) -> None:
        self._ids = ids
        self._lock = lock or threading.RLock()
        self._files: dict[str, StoredFile] = {}

    def add(self, upload: Upload, account: str, now: float) -> StoredFile:
        """Check an upload and store it.

        Raises:
            ApiError: `validation_failed`.
        """
        mime = checked_mime(upload)
        digest = hashlib.sha256(upload.content).hexdigest()
        stored = StoredFile(
            self._ids.new("file"),
            account,
            upload.kind,
            upload.name,
            mime,
            digest,
            now,
            upload.content,
            upload.client_request_id,
        )
        with self._lock:
            self._files[stored.id] = stored
        return stored

    @property
    def all(self) -> list[StoredFile]:
        """Every file, in order of arrival."""
        with self._lock:
            return list(self._files.values())

    def find(self, file_id: str, account: str) -> StoredFile:
        """Return a file of the account.

        Raises:
            ApiError: `not_found`.
        """
        stored = self._files.get(file_id)
        if stored is None or stored.account != account:
            raise ApiError("not_found", "The file was not found.")
        return stored

    def by_media_name(self, name: str) -> StoredFile | None:
        """Return the file of a name on the media host."""
        return self._files.get(name.rpartition(".")[0])
