"""Content blocks that Rivya's chat cannot read: text is written into the prompt, media are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rivya_core.errors import NotSupportedError
from rivya_core.types import Message, RawBlock

ENCODED = re.compile(r"(?s)data:[^,]{0,200};base64,|^[A-Za-z0-9+/_\-\s]{200,}={0,2}\s*$")
"""A `data:` URL, or a text that can only be base64: long, without spaces between words or punctuation."""
MEDIA_TYPES = ("image/", "audio/", "video/", "application/pdf")


def refuse_raw_media(messages: Sequence[Message]) -> None:
    """Refuse blocks of unknown form that hold media: the model would see their bytes as text, which is charged.

    Raises:
        NotSupportedError: There is one; nothing was sent.
    """
    for message in messages:
        for part in message.parts:
            if isinstance(part, RawBlock) and _holds_media(part.block):
                raise NotSupportedError(
                    f"Rivya's chat cannot read the block of type {part.block.get('type')!r} in a {message.role} "
                    "message. Nothing was sent. Pass an image as a standard image block."
                )


def _holds_media(value: Any, depth: int = 0) -> bool:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    if isinstance(value, str):
        return value.startswith(MEDIA_TYPES) or (" " not in value[:1000] and ENCODED.search(value) is not None)
    if depth > 20:  # noqa: PLR2004 - no block of any API is nested as deep
        return True
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return any(_holds_media(one, depth + 1) for one in inner)
