"""The images of a batch in the caller's hands: a list that a notebook draws as a contact sheet.

Prompts and error messages may be written by a model or a server: all of them are escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape

from rivya_core.errors import RivyaError
from rivya_core.images.result import GeneratedImage

EDGE = 480
"""Pixels of the longer side of an image on a contact sheet: sharp at 240 pixels on a phone's screen."""
LARGEST_SHEET = 16 * 1024 * 1024
"""Bytes of images that a sheet embeds; beyond that it shows captions only."""
GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:12px;max-width:1040px;font-size:12px"
FIGURE = "margin:0;min-width:0;overflow-wrap:anywhere;text-align:left"
CAPTION = "margin:0;max-width:none;font-style:normal"
SHORT = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
FAILED = "background:#b3261e;color:#fff;border-radius:3px;padding:1px 6px"


class ImageBatch(list[GeneratedImage | RivyaError]):
    """What `generate_many` returns: for each prompt, in order, the image or the error that it ended with.

    It is a `list`. A notebook draws it as a contact sheet.

    Attributes:
        prompts: What was asked for, in the same order.
    """

    def __init__(self, outcomes: Iterable[GeneratedImage | RivyaError] = (), prompts: Iterable[str] = ()) -> None:
        super().__init__(outcomes)
        self.prompts = tuple(prompts)

    @property
    def images(self) -> list[GeneratedImage]:
        """All images, with the further images of tasks that made several."""
        return [image for outcome in self if isinstance(outcome, GeneratedImage) for image in outcome.images]

    @property
    def errors(self) -> list[RivyaError]:
        """The errors of the images that were not made."""
        return [outcome for outcome in self if isinstance(outcome, RivyaError)]

    @property
    def credits(self) -> float:
        """Credits that the images cost, as far as the provider says."""
        return sum((outcome.get("credits") or {}).get("final") or 0 for outcome in self if isinstance(outcome, dict))

    def __str__(self) -> str:
        """Return one line for each prompt, for a terminal."""
        told = (f"{number:>4}  {_told(outcome)}  {prompt}" for number, (outcome, prompt) in enumerate(self._pairs(), 1))
        return "\n".join([self._summary(), *told])

    def _repr_html_(self) -> str:
        room = LARGEST_SHEET
        figures = []
        for outcome, prompt in self._pairs():
            if isinstance(outcome, RivyaError):
                figures.append(_failed(outcome, prompt))
                continue
            for image in outcome.images:
                source = escape(_source(image, room))
                room -= len(source)
                figures.append(_figure(image, prompt, source))
        return f'<div style="font-size:13px">{self._summary()}</div><div style="{GRID}">{"".join(figures)}</div>'

    def _pairs(self) -> Iterator[tuple[GeneratedImage | RivyaError, str]]:
        """Each outcome and its prompt, also after the list was changed."""
        prompts = self.prompts if len(self.prompts) == len(self) else ("",) * len(self)
        for outcome, prompt in zip(self, prompts, strict=True):
            own = outcome.get("prompt") if isinstance(outcome, GeneratedImage) else prompt
            yield outcome, str(own or prompt)

    def _summary(self) -> str:
        made, failed = len(self.images), len(self.errors)
        images = f"{made:,} image" if made == 1 else f"{made:,} images"
        return f"{images}, {failed:,} failed, {self.credits:,.10g} credits"


def _told(outcome: GeneratedImage | RivyaError) -> str:
    return repr(outcome) if isinstance(outcome, GeneratedImage) else f"{type(outcome).__name__}: {outcome}"


def _figure(image: GeneratedImage, prompt: str, source: str) -> str:
    text = escape(prompt)
    shown = f'<img src="{source}" alt="{text}" style="width:100%;height:auto;border-radius:4px">' if source else ""
    cost = f"{(image.get('credits') or {}).get('final') or 0:,.10g} credits"
    facts = escape(f"{image.get('id')} · {cost}")
    caption = f'<figcaption style="{CAPTION}"><div style="{SHORT}" title="{text}">{text}</div>{facts}</figcaption>'
    return f'<figure style="{FIGURE}">{shown}{caption}</figure>'


def _failed(error: RivyaError, prompt: str) -> str:
    text, name = escape(prompt), type(error).__name__
    return (
        f'<figure style="{FIGURE}"><div style="{SHORT}" title="{text}">{text}</div>'
        f'<span style="{FAILED}">{name}</span><div>{escape(str(error))}</div></figure>'
    )


def _source(image: GeneratedImage, room: int) -> str:
    """A `data:` URL of the image, made smaller if Pillow is installed; empty if it is gone or does not fit."""
    if not image.displayable:
        return ""
    source = _smaller(image) or image.data_url
    return source if len(source) <= room else ""


def _smaller(image: GeneratedImage) -> str:
    try:
        from PIL import Image
    except ImportError:
        return ""
    try:
        with Image.open(io.BytesIO(image.content)) as whole:
            whole.thumbnail((EDGE, EDGE))
            encoded = io.BytesIO()
            whole.save(encoded, "PNG" if whole.mode in {"RGBA", "LA", "P"} else "JPEG", quality=85)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""  # it is not an image that Pillow reads; the browser may
    kind = "png" if encoded.getvalue().startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded.getvalue()).decode()}"
