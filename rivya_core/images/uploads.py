"""Uploads of reference images: each content once, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from rivya_core.errors import InvalidResponseError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, pause, together
from rivya_core.http.retry import RetryPolicy
from rivya_core.media.image_file import OpenImage
from rivya_core.rivya.files import UploadedFile, upload_file

AT_ONCE = 16
"""Number of uploads at a time."""
UPLOAD_LIFE = 3600.0
"""Seconds for which an upload is reused; how long the provider keeps it is not documented."""

MOST_KNOWN = 10_000
"""Number of uploads that are remembered; the oldest is dropped first."""

_lock = Lock()


@dataclass
class UploadCache:
    """Uploads reference images, each content once. Thread-safe.

    Attributes:
        endpoint: Endpoint and credentials.
        model: Model whose limits apply.
        clock: Returns the time in seconds.
    """

    endpoint: Endpoint
    model: str | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _known: dict[str, tuple[float, UploadedFile | None]] = field(default_factory=dict, repr=False)

    def items(self, images: Sequence[OpenImage], retry: RetryPolicy) -> Plan[list[dict[str, str]]]:
        """Upload *images* if needed and return them as `referenceMediaItems`, in the same order.

        Args:
            images: The images.
            retry: When requests are repeated.

        Raises:
            RivyaError: An upload failed; nothing was charged.
        """
        distinct = {image.digest: image for image in images}
        files = yield from together([self._upload(image, retry) for image in distinct.values()], AT_ONCE)
        by_digest = dict(zip(distinct, files, strict=True))
        return [_item(by_digest[image.digest]) for image in images]

    def _upload(self, image: OpenImage, retry: RetryPolicy) -> Plan[UploadedFile]:
        """Upload one image, or wait for an upload of the same content that is already running."""
        while not self._claim(image.digest):
            _, known = self._known.get(image.digest, (0.0, None))
            if known is not None:
                return known
            yield from pause(0.05)
        try:
            uploaded = yield from upload_file(
                self.endpoint, image.file, image.name, image.mime_type, retry, model=self.model
            )
        except BaseException:
            with _lock:
                self._known.pop(image.digest, None)
            raise
        with _lock:
            self._known[image.digest] = (self.clock(), uploaded)
        return uploaded

    def _claim(self, digest: str) -> bool:
        """Whether the caller must upload this content: no recent upload exists, and none is running."""
        with _lock:
            at, _ = self._known.get(digest, (float("-inf"), None))
            if self.clock() - at < UPLOAD_LIFE:
                return False
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = (self.clock(), None)
            return True


def _item(file: UploadedFile) -> dict[str, str]:
    """Return a reference with the keys of https://rivya.ai/docs/api-generations."""
    if not file.url:
        raise InvalidResponseError(
            f"The Files API returned no URL for {file.name}, so it cannot be used as a reference."
        )
    return {"url": file.url, "kind": "image", "name": file.name, "mimeType": file.mime_type}
