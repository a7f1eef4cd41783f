"""The images that image tasks produce: small, real, and always the same for the same request.

Each shows a sky, a sun and hills, in the colours that the prompt names or in colours derived from its letters. A
reference image shows through.
"""

from __future__ import annotations

import hashlib
import io
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image, ImageDraw

Color = tuple[int, int, int]

LONG_EDGE: Mapping[str, int] = MappingProxyType({"1K": 256, "2K": 512, "4K": 1024})
"""Pixels on the long edge: a quarter of what the names promise, to be fast."""

COLOURS: Mapping[str, Color] = MappingProxyType(
    {
        "red": (200, 50, 45),
        "orange": (235, 140, 50),
        "yellow": (240, 205, 80),
        "green": (70, 140, 80),
        "blue": (60, 110, 200),
        "purple": (120, 70, 160),
        "pink": (235, 150, 180),
        "brown": (120, 85, 60),
        "black": (30, 30, 36),
        "white": (238, 238, 234),
        "grey": (130, 134, 140),
        "gray": (130, 134, 140),
        "night": (22, 28, 66),
        "sunset": (235, 120, 70),
        "sea": (40, 120, 160),
        "ocean": (30, 100, 150),
        "forest": (40, 95, 60),
        "desert": (215, 170, 110),
        "snow": (232, 238, 246),
    }
)

NAMED_RATIOS: Mapping[str, str] = MappingProxyType(
    {
        "square": "1:1",
        "square_hd": "1:1",
        "portrait_4_3": "3:4",
        "portrait_16_9": "9:16",
        "landscape_4_3": "4:3",
        "landscape_16_9": "16:9",
    }
)


@dataclass(frozen=True)
class ImageSpec:
    """Describes an image.

    Attributes:
        prompt: What the image shows. Together with `seed` it determines the image.
        ratio: `16:9`, `square_hd`, …; `auto` takes the shape of the reference, or a square.
        resolution: `1K`, `2K` or `4K`.
        format: `png`, `jpg` or `jpeg`.
        seed: Another seed gives another image.
        reference: Bytes of the first reference image.
    """

    prompt: str
    ratio: str = "1:1"
    resolution: str = "1K"
    format: str = "png"
    seed: str = ""
    reference: bytes | None = None

    @property
    def mime(self) -> str:
        """Media type of the result."""
        return "image/png" if self.format == "png" else "image/jpeg"

    @property
    def suffix(self) -> str:
        """Suffix of the result's file name."""
        return "png" if self.format == "png" else "jpg"


@lru_cache(maxsize=64)
def render(spec: ImageSpec) -> bytes:
    """Return the image file."""
    from PIL import Image

    reference = Image.open(io.BytesIO(spec.reference)).convert("RGB") if spec.reference else None
    size = pixels(spec, reference.size if reference else None)
    image = landscape(f"{spec.prompt}\n{spec.seed}", size)
    if reference is not None:
        image = Image.blend(cover(reference, size), image, 0.4)
    out = io.BytesIO()
    image.save(out, "PNG" if spec.format == "png" else "JPEG")
    return out.getvalue()


def pixels(spec: ImageSpec, reference: tuple[int, int] | None) -> tuple[int, int]:
    """Return width and height."""
    ratio = NAMED_RATIOS.get(spec.ratio, spec.ratio)
    wide, high = (int(part) for part in ratio.split(":")) if ":" in ratio else reference or (1, 1)
    edge = LONG_EDGE[spec.resolution]
    return max(1, round(edge * min(1, wide / high))), max(1, round(edge * min(1, high / wide)))


def cover(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale and crop an image to fill the size."""
    from PIL import ImageOps

    return ImageOps.fit(image, size)


def landscape(subject: str, size: tuple[int, int]) -> Image.Image:
    """Draw a sky, a sun and three ranges of hills."""
    from PIL import ImageDraw

    dice = random.Random(hashlib.sha256(subject.encode()).digest())  # noqa: S311 - an image, not a secret
    sky, ground = palette(subject, dice)
    image = gradient(sky, lighter(sky, 0.65), size)
    draw = ImageDraw.Draw(image)
    sun(draw, dice, lighter(ground, 0.7), size)
    for distance in (0.55, 0.3, 0.0):
        draw.polygon(hills(dice, size, 0.8 - 0.35 * distance), fill=mix(ground, sky, distance))
    return image


def palette(subject: str, dice: random.Random) -> tuple[Color, Color]:
    """Return two colours: the first that the subject names, the rest from its letters."""
    named = [COLOURS[word] for word in re.findall(r"[a-z]+", subject.lower()) if word in COLOURS]
    drawn = [tuple(dice.randrange(30, 200) for _ in range(3)) for _ in range(2)]
    first, second = (named + [(red, green, blue) for red, green, blue in drawn])[:2]
    return first, second


def gradient(top: Color, bottom: Color, size: tuple[int, int]) -> Image.Image:
    """Draw a vertical gradient."""
    from PIL import Image

    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def sun(draw: ImageDraw.ImageDraw, dice: random.Random, colour: Color, size: tuple[int, int]) -> None:
    """Draw a disc in the sky."""
    radius = min(size) * dice.uniform(0.07, 0.16)
    x, y = size[0] * dice.uniform(0.15, 0.85), size[1] * dice.uniform(0.15, 0.4)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def hills(dice: random.Random, size: tuple[int, int], height: float) -> list[tuple[float, float]]:
    """Return the outline of a range of hills, down to the lower edge."""
    width, high = size
    steps = 9
    tops = [high * (height + dice.uniform(-0.09, 0.09)) for _ in range(steps + 1)]
    ridge = [(width * step / steps, top) for step, top in enumerate(tops)]
    return [(0.0, float(high)), *ridge, (float(width), float(high))]


def mix(one: Color, other: Color, share: float) -> Color:
    """Mix a share of `other` into `one`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(colour: Color, share: float) -> Color:
    """Mix a share of white into a colour."""
    return mix(colour, (255, 255, 255), share)
