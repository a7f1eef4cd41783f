"""Reference images on their way to the provider: each content once, several at a time."""

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
"""Uploads under way at a time."""
UPLOAD_LIFE = 3600.0
"""Seconds for which an upload is used again; how long the provider keeps one is not documented."""

MOST_KNOWN = 10_000
"""Contents whose uploads are remembered; the first is forgotten first."""

_lock = Lock()


@dataclass
class UploadCache:
    """Brings reference images to the provider, each content once. Safe to use from any thread.

    Attributes:
        endpoint: Where, and as whom.
        retry: How often and how patiently.
        model: Model whose limits hold.
        clock: Gives the time in seconds.
    """

    endpoint: Endpoint
    retry: RetryPolicy
    model: str | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _known: dict[str, tuple[float, UploadedFile | None]] = field(default_factory=dict, repr=False)

    def items(self, images: Sequence[OpenImage]) -> Plan[list[dict[str, str]]]:
        """Upload *images* where needed and return them as `referenceMediaItems`, in their order.

        Raises:
            RivyaError: An upload failed; nothing was paid.
        """
        distinct = {image.digest: image for image in images}
        files = yield from together([self._upload(image) for image in distinct.values()], AT_ONCE)
        by_digest = dict(zip(distinct, files, strict=True))
        return [_item(by_digest[image.digest]) for image in images]

    def _upload(self, image: OpenImage) -> Plan[UploadedFile]:
        """Upload one image, or wait for whoever is uploading it already."""
        while not self._claim(image.digest):
            _, known = self._known.get(image.digest, (0.0, None))
            if known is not None:
                return known
            yield from pause(0.05)
        try:
            uploaded = yield from upload_file(
                self.endpoint, image.file, image.name, image.mime_type, self.retry, model=self.model
            )
        except BaseException:
            with _lock:
                self._known.pop(image.digest, None)
            raise
        with _lock:
            self._known[image.digest] = (self.clock(), uploaded)
        return uploaded

    def _claim(self, digest: str) -> bool:
        """Whether the caller is to upload that content: nobody has, or too long ago, and nobody is about to."""
        with _lock:
            at, _ = self._known.get(digest, (float("-inf"), None))
            if self.clock() - at < UPLOAD_LIFE:
                return False
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = (self.clock(), None)
            return True


def _item(file: UploadedFile) -> dict[str, str]:
    """https://rivya.ai/docs/api-generations: the keys of a reference."""
    if not file.url:
        raise InvalidResponseError(f"The Files API gave no URL for {file.name}, so it cannot be a reference.")
    return {"url": file.url, "kind": "image", "name": file.name, "mimeType": file.mime_type}
