"""Generated images: what people, notebooks and agents see of a finished image task.

An image is a dictionary of JSON values, so that any checkpoint, trace or store can hold it. Bytes that were not saved
to a file are kept outside the dictionary and are not serialized. This module sends nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.images.api import ImageTask
from rivya_core.images.downloads import SUFFIXES, Downloaded

LARGEST_SHOWN = 16 * 1024 * 1024
"""Largest image that a notebook embeds, in bytes."""


def image_id(task_id: str, number: int = 0) -> str:
    """Return the short id of a task's image; it is the same in every process."""
    return "img_" + hashlib.sha256(f"{task_id}\n{number}".encode()).hexdigest()[:8]


_in_memory: WeakValueDictionary[str, GeneratedImage] = WeakValueDictionary()
"""Images whose bytes are not saved to disk, by id, as long as a tool or the application holds them."""


class GeneratedImage(dict[str, Any]):
    """A generated image.

    It is a `dict` of JSON values with these keys, each also an attribute. `GeneratedImage(artifact)` makes an image of
    a plain `dict`, such as the artifact of a tool message.

    Attributes:
        id: Short id, by which agents refer to it.
        task_id: The provider's id of the task.
        model: Model id.
        prompt: The prompt.
        params: The options under the model's own keys.
        path: Path of the file, or None if it was not saved.
        url: URL at the provider; how long it works is not documented.
        mime_type: For example `image/png`.
        size: Size in bytes.
        credits: `{"reserved": …, "final": …}`.
        timings: `{"created_at", "updated_at", "seconds", "polls"}`; `seconds` is the time from the request to the
                   downloaded image.
        more: Further images of the same task, in the same form.
    """

    data: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        """Give the keys as attributes."""
        try:
            return self[name]
        except KeyError:
            ways = "`path`, `content` (the bytes), `pil()` and `save(path)`"
            raise AttributeError(f"An image has no `{name}`. It has {ways}, and {', '.join(self)}.") from None

    def __str__(self) -> str:
        """Return the short text that a model gets, without a signed URL."""
        return " ".join(_line(image) for image in self.images)

    def __repr__(self) -> str:
        """Return the text for a terminal."""
        where = f", path={self.get('path')!r}" if self.get("path") else ""
        return f"GeneratedImage({self.get('id')!r}, model={self.get('model')!r}{where})"

    @property
    def images(self) -> list[GeneratedImage]:
        """This image and the further images of the same task."""
        return [
            self,
            *(one if isinstance(one, GeneratedImage) else GeneratedImage(one) for one in self.get("more", ())),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the image as plain JSON values."""
        return {**self, "more": [image.to_json() for image in self.images[1:]]}

    @property
    def memory(self) -> bytes | None:
        """The image's bytes if they are in this process's memory, also those of a copy."""
        if self.data is not None:
            return self.data
        original = _in_memory.get(str(self.get("id")))
        same = original is not None and original.get("task_id") == self.get("task_id")
        return original.data if original is not None and same else None

    @property
    def content(self) -> bytes:
        """The image's bytes.

        Raises:
            InvalidInputError: The file no longer exists, or the image was never saved and its tool no longer exists.
        """
        if (data := self.memory) is not None:
            return data
        try:
            return Path(self["path"]).read_bytes()
        except (KeyError, TypeError, OSError):
            raise InvalidInputError(
                f"The bytes of {self.get('id')} are no longer available. Set `output_dir` to keep images, or resume "
                f"task {self.get('task_id')}."
            ) from None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to *path*, or to a file named by its id if *path* is a directory; return the file's path.

        Raises:
            InvalidInputError: The file cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            target /= f"{self['id']}{SUFFIXES.get(self['mime_type'], '')}"
        data = self.content
        try:
            target.write_bytes(data)
        except OSError as exc:
            raise InvalidInputError(f"The image cannot be saved as {str(target)!r}: {exc.strerror}.") from exc
        return target

    def pil(self) -> Any:
        """Return the image as a `PIL.Image.Image`.

        Raises:
            ConfigurationError: Pillow is not installed.
        """
        import io

        try:
            from PIL import Image
        except ImportError:
            raise ConfigurationError("`pil()` needs Pillow: pip install pillow") from None
        return Image.open(io.BytesIO(self.content))

    @property
    def base64(self) -> str:
        """The image's bytes as base64."""
        return base64.b64encode(self.content).decode()

    @property
    def data_url(self) -> str:
        """The image as a `data:` URL."""
        return f"data:{self['mime_type']};base64,{self.base64}"

    def _repr_png_(self) -> bytes | None:
        """Return a PNG for notebooks."""
        return self._shown("image/png")

    def _repr_jpeg_(self) -> bytes | None:
        """Return a JPEG for notebooks."""
        return self._shown("image/jpeg")

    def _repr_html_(self) -> str | None:
        """Return the image with its prompt as a caption, for notebooks."""
        if not self.displayable:
            return None
        facts = f"{self['id']} · {self['model']} · {self['credits'].get('final') or 0:g} credits"
        caption = html.escape(f"{self.get('prompt') or ''} ({facts})")
        shown = f'<img src="{html.escape(self.data_url)}" alt="{caption}" style="max-width:100%;height:auto">'
        return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"

    @property
    def displayable(self) -> bool:
        """Whether a notebook can show it: its bytes are here and not too many."""
        return self._shown(self.get("mime_type")) is not None

    def _shown(self, mime_type: str | None) -> bytes | None:
        if mime_type is None or self.get("mime_type") != mime_type or self.get("size", 0) > LARGEST_SHOWN:
            return None
        try:
            return self.content
        except InvalidInputError:
            return None


def generated(
    task: ImageTask, body: Mapping[str, Any], files: list[Downloaded], *, seconds: float, polls: int
) -> GeneratedImage:
    """Return the first image of a finished task, with the others in its `more`."""
    facts = {
        "task_id": task.id,
        "model": str(body.get("model") or task.model),
        "prompt": body.get("prompt"),
        "params": {key: value for key, value in (body.get("params") or {}).items() if not isinstance(value, list)},
        "credits": {"reserved": task.reserved_credits, "final": task.final_credits},
        "timings": {
            "created_at": task.created_at,
            "updated_at": task.updated_at,
            "seconds": round(seconds, 3),
            "polls": polls,
        },
    }
    images = [_image(facts, task, number, file) for number, file in enumerate(files)]
    images[0]["more"] = images[1:]
    return images[0]


def _image(facts: Mapping[str, Any], task: ImageTask, number: int, file: Downloaded) -> GeneratedImage:
    image = GeneratedImage(
        id=image_id(task.id, number),
        **facts,
        path=str(file.path) if file.path else None,
        url=task.urls[number],
        mime_type=file.mime_type,
        size=file.size,
        more=[],
    )
    image.data = file.data
    if file.data is not None:
        _in_memory[image["id"]] = image
    return image


def _line(image: GeneratedImage) -> str:
    options = ", ".join(str(value) for value in image.get("params", {}).values())
    made = f"{image.get('model')}, {options}" if options else str(image.get("model"))
    where = f" saved as {image['path']}" if image.get("path") else " ready"
    return f"Image {image.get('id')} is{where} ({made}). Refer to it by the id {image.get('id')}."
