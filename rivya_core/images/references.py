"""Reference images: what the application and a model may name.

The application may pass bytes, files, PIL images, results and URLs. A model passes text, and that text is hostile. It
can name only the images in the registry, files below `allowed_dir`, and https URLs if they are enabled.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from rivya_core.errors import InvalidInputError, RivyaError
from rivya_core.http.plan import Plan, call
from rivya_core.http.retry import RetryPolicy
from rivya_core.images.result import GeneratedImage
from rivya_core.media.fetch_url import FetchRules, data_url, fetch_image
from rivya_core.media.image_file import OpenImage, bytes_of, opened, short_id
from rivya_core.media.local_files import open_below, open_file

MOST_IMAGES = 512
MOST_IN_MEMORY = 32
"""Number of unsaved images whose bytes are kept; older ones are downloaded again when needed."""
MOST_NAMED = 12
"""Number of ids that an error message lists."""

_lock = Lock()


@dataclass
class ReferenceRegistry:
    """The images that a model may name, by short id. Thread-safe.

    Attributes:
        allowed_dir: Directory whose files a model may name, or None.
        fetching: Rules for fetching URLs.
        recall: Returns an image of another process by its id, or None; may read from disk.
        refetch: Plan that downloads a result from the provider again.
    """

    allowed_dir: Path | None
    fetching: FetchRules
    recall: Callable[[str], GeneratedImage | None] = field(repr=False)
    refetch: Callable[[GeneratedImage], Plan[bytes]] = field(repr=False)
    _images: OrderedDict[str, Any] = field(default_factory=OrderedDict, repr=False)
    _listed: set[str] = field(default_factory=set, repr=False)

    def put(self, image: Any, name: str | None = None, *, listed: bool = False) -> str:
        """Add an image and return its id. When the registry is full, the oldest image is removed.

        Args:
            image: The image.
            name: Its id; by default one is made.
            listed: Whether errors name it to every model. Results and images that are added later may belong to one
                conversation, so errors do not name them.

        Raises:
            InvalidInputError: The value is not usable as a reference image.
        """
        kept = image if isinstance(image, (str, os.PathLike, Mapping)) else bytes_of(image)
        if kept is None:
            raise _no_image(image)
        found = name or (str(kept.get("id")) if isinstance(kept, Mapping) else short_id(kept))
        with _lock:
            self._images[found] = kept
            self._images.move_to_end(found)
            if listed:
                self._listed.add(found)
            while len(self._images) > MOST_IMAGES:
                self._images.popitem(last=False)
            heavy = [one for one in self._images.values() if isinstance(one, GeneratedImage) and one.data is not None]
            for old in heavy[:-MOST_IN_MEMORY]:
                self._images[old["id"]] = GeneratedImage(old)  # a copy, so that the caller's image keeps its bytes
        return found

    def ids(self) -> list[str]:
        """Return the ids, newest first."""
        with _lock:
            return [*reversed(self._images)]

    def given(self, source: Any, largest: int, retry: RetryPolicy) -> Plan[OpenImage]:
        """Open an image that the application passes.

        Raises:
            InvalidInputError: It is not an image, is too large, or is a URL that may not be fetched; nothing was sent.
        """
        found = (yield from self._known(source)) if isinstance(source, str) else None
        return (yield from self._open(source if found is None else found, largest, retry))

    def named(self, name: str, largest: int, retry: RetryPolicy) -> Plan[OpenImage]:
        """Open an image that a model names.

        Raises:
            InvalidInputError: The model may not use it; the message lists what it may use.
        """
        found = yield from self._known(name)
        try:
            if found is not None:
                return (yield from self._open(found, largest, retry))
            if name[:5].lower() == "data:":
                raise InvalidInputError("An image cannot be passed as a `data:` URL in an argument.")
            if "://" in name:
                return (yield from self._fetch(name, largest, retry))
            root = self.allowed_dir
            if root is None:
                raise InvalidInputError(f"There is no image {name[:100]!r}.")
            return (yield from _file(lambda: open_below(root, name), name, largest))
        except InvalidInputError as error:
            said = str(error).removesuffix(" Nothing was sent.")
            raise InvalidInputError(f"{said} {self._allowed()}") from error

    def _known(self, name: str) -> Plan[Any]:
        """Return the image with this id, from the registry or from another process; None if there is none."""
        with _lock:
            found = self._images.get(name)
        if found is None and name.startswith("img_"):
            found = yield from call(lambda: self.recall(name))
        return found

    def _open(self, source: Any, largest: int, retry: RetryPolicy) -> Plan[OpenImage]:
        if isinstance(source, Mapping):
            return (yield from self._image(source, largest))
        if isinstance(source, str) and source[:5].lower() == "data:":
            source = data_url(source).data
        if isinstance(source, str) and "://" in source:
            return (yield from self._fetch(source, largest, retry))
        if isinstance(source, (str, os.PathLike)):
            path = os.fspath(source)
            return (yield from _file(lambda: open_file(path), str(path), largest))
        data = yield from call(lambda: bytes_of(source))
        if data is None:
            raise _no_image(source)
        return (yield from _memory(data, "", largest))

    def _image(self, facts: Mapping[str, Any], largest: int) -> Plan[OpenImage]:
        """Open an earlier result from memory or disk, or download it again."""
        image = facts if isinstance(facts, GeneratedImage) else GeneratedImage(facts)
        name, path = str(image.get("id")), image.get("path")
        if (data := image.memory) is not None:
            return (yield from _memory(data, name, largest))
        if path and (yield from call(lambda: Path(path).is_file())):
            return (yield from _file(lambda: open_file(path), name, largest))
        try:
            data = yield from self.refetch(image)
        except RivyaError as error:
            raise InvalidInputError(
                f"The image {name} is no longer available ({error}). Set `output_dir` to keep images."
            ) from error
        return (yield from _memory(data, name, largest))

    def _fetch(self, url: str, largest: int, retry: RetryPolicy) -> Plan[OpenImage]:
        if not self.fetching.allowed:
            raise InvalidInputError(
                "Images cannot be named by URL here. Pass the bytes or a file, or set `fetch_image_urls=True`. "
                "Nothing was sent."
            )
        media = yield from fetch_image(url, replace(self.fetching, largest=largest), retry)
        return (yield from _memory(media.data or b"", "", largest))

    def _allowed(self) -> str:
        ids = [one for one in self.ids() if one in self._listed]
        ways = [f"one of the ids {', '.join(ids[:MOST_NAMED])}" if ids else "the id of an image that was made before"]
        ways += ["the name of a file in the allowed directory"] * (self.allowed_dir is not None)
        ways += ["an https URL of a public host"] * self.fetching.allowed
        return f"Use {', or '.join(ways)}. Nothing was sent."


def _file(find: Callable[[], BinaryIO], name: str, largest: int) -> Plan[OpenImage]:
    return (yield from call(lambda: opened(find(), Path(name).name, largest)))


def _memory(data: bytes, name: str, largest: int) -> Plan[OpenImage]:
    return (yield from call(lambda: opened(io.BytesIO(data), name, largest)))


def _no_image(source: object) -> InvalidInputError:
    return InvalidInputError(
        f"A reference image cannot be a {type(source).__name__}: give bytes, a path, a PIL image, a `data:` URL, an "
        "earlier result or an https URL."
    )
