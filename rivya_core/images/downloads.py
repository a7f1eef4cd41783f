"""Downloads of results: started at once, resumable, and never visible as a partial file.

The provider does not promise how long it keeps a result. A file gets its name only when it is complete and is an
image. Until then it is a hidden `.part` file in the same directory, from which a later attempt continues. Names are
made from the model and the image's id, never from a response.
"""

from __future__ import annotations

import contextlib
import filecmp
import importlib.util
import io
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from rivya_core.errors import ConfigurationError, InvalidResponseError, RivyaError
from rivya_core.http.plan import Plan, call
from rivya_core.http.retry import RetryPolicy
from rivya_core.media.download import DownloadTarget, download_to
from rivya_core.media.fetch_url import FetchRules, PinnedRequests
from rivya_core.media.image_file import image_type

LARGEST_RESULT = 128 * 1024 * 1024
"""Largest size of a result, in bytes."""
SECONDS = 600.0
"""Seconds that the download of one result may take, with all retries."""
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
HAS_LOCKS = importlib.util.find_spec("fcntl") is not None
DOWNLOAD_RETRY = RetryPolicy(max_retries=5, longest_wait=15.0)
"""Results have been charged, so a download is retried more often than other requests."""


PUBLIC_HOSTS = FetchRules()
"""By default, results are fetched from public hosts only."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A downloaded result: a file, or bytes if nothing is saved."""

    mime_type: str
    size: int
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)


def download(
    url: str,
    name: str,
    directory: Path | None,
    base_url: str,
    *,
    rules: FetchRules = PUBLIC_HOSTS,
    retry: RetryPolicy = DOWNLOAD_RETRY,
    clock: Callable[[], float] = time.monotonic,
) -> Plan[Downloaded]:
    """Download the result at *url* to *directory*, as *name* with the suffix of its type, or to memory.

    Args:
        url: URL that the provider gives.
        name: File name without suffix; see `safe_name`.
        directory: Where to save, or None for memory.
        base_url: URL of the API. Its host may serve results too, without TLS if the API uses none.
        rules: Further hosts that the application trusts, and how host names are resolved.
        retry: How often a download that makes no progress is retried.
        clock: Gives the time in seconds.

    Raises:
        InvalidResponseError: The URL or its content is not a result: wrong scheme, host, size or type.
        RivyaError: The download failed; the bytes received so far are kept for a later attempt.
        OSError: The disk failed.
    """
    part: _Part = (yield from call(lambda: _FilePart(directory, name))) if directory else _MemoryPart()
    with contextlib.closing(part):
        target = DownloadTarget(part.file, LARGEST_RESULT, clock() + SECONDS, clock)
        try:
            yield from download_to(url, _requests(url, base_url, rules).request, target, retry)
            return (yield from call(part.finish))
        except InvalidResponseError:
            part.discard()  # these bytes can never become an image
            raise


def make_usable(directory: Path) -> None:
    """Create *directory* if needed. This is called before anything is charged.

    Raises:
        ConfigurationError: The directory cannot be created or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(
            f"`output_dir` {str(directory)!r} cannot be created: {exc.strerror}. Nothing was sent."
        ) from exc
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(f"`output_dir` {str(directory)!r} is not writable. Nothing was sent.")


def safe_name(model: str, image_id: str) -> str:
    """Return a file name, without suffix, that is valid everywhere and different for every image."""
    words = re.sub(r"[^A-Za-z0-9.-]+", "-", model)[:60].strip("-.") or "image"
    return f"{words}-{re.sub(r'[^A-Za-z0-9]+', '-', image_id)[:40].strip('-')}"


def _requests(url: str, base_url: str, rules: FetchRules) -> PinnedRequests:
    """Return how to request a result: over https from a public host, or from the API's host with the API's scheme."""

    def refuse(why: str) -> RivyaError:
        host = re.sub(r"[^\w.:\[\]-]", "", url.partition("://")[2].partition("/")[0].rpartition("@")[2])[:100]
        return InvalidResponseError(
            f"The provider returned a disallowed result URL (host {host!r}): {why}. The image was charged. If you "
            "trust the host, name it in `fetch_image_urls=FetchRules(trusted_hosts=...)` and call `resume`."
        )

    return PinnedRequests(replace(rules, seconds=SECONDS), refuse, base_url)


def _type_of(head: bytes) -> str:
    found = image_type(head)
    if found is None:
        raise InvalidResponseError("The provider's media host returned a file that is not a PNG, JPEG or WebP image.")
    return found


class _MemoryPart:
    """A result in memory."""

    def __init__(self) -> None:
        self.file: BinaryIO = io.BytesIO()

    def finish(self) -> Downloaded:
        self.file.seek(0)
        data = self.file.read()
        return Downloaded(_type_of(data[:16]), len(data), data=data)

    def discard(self) -> None:
        """Do nothing: memory needs no clean-up."""

    def close(self) -> None:
        self.file.close()


class _FilePart:
    """A result that is being written to disk. Another download of the same result gets a part file of its own."""

    def __init__(self, directory: Path, name: str) -> None:
        make_usable(directory)
        self._directory, self._name = directory, name
        self._path = directory / f".{name}.part"
        self.file: BinaryIO = self._open()

    def finish(self) -> Downloaded:
        """Give the file its name in one step, without replacing another file."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)
        mime_type = _type_of(self.file.read(16))
        size = os.fstat(self.file.fileno()).st_size
        if not HAS_LOCKS:
            self.file.close()  # some systems cannot rename open files
        return Downloaded(mime_type, size, path=self._publish(SUFFIXES[mime_type]))

    def discard(self) -> None:
        """Remove the bytes received so far."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        self.file.close()

    def _open(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        while True:
            file = os.fdopen(os.open(self._path, flags, 0o666), "r+b")
            if not _lock(file):
                self._path = self._directory / f".{self._name}.{os.urandom(4).hex()}.part"
            elif _is_at(file, self._path):
                return file
            file.close()

    def _publish(self, suffix: str) -> Path:
        number, target = 1, self._directory / f"{self._name}{suffix}"
        while not self._settles(target):
            number += 1
            target = self._directory / f"{self._name}-{number}{suffix}"
        return target

    def _settles(self, target: Path) -> bool:
        """Whether the image is now at *target*: the name was free, or the file there is the same image."""
        if _claim(self._path, target):
            return True
        same = target.is_file() and not target.is_symlink() and filecmp.cmp(self._path, target, shallow=False)
        if same:
            self._path.unlink()
        return same


_Part = _MemoryPart | _FilePart


def _claim(part: Path, target: Path) -> bool:
    """Move *part* to *target* unless a file is already there."""
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        part.replace(target)
        return True
    part.unlink()
    return True


def _lock(file: BinaryIO) -> bool:
    """Whether this download has the part file to itself. Without file locks, the task's name separates writers."""
    if not HAS_LOCKS:
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether *path* is still *file*: another process may have renamed it before this one got the lock."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False
