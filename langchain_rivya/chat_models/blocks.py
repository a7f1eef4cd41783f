"""LangChain's text blocks as the core's texts, and the kinds of media that blocks of other packages hold. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from rivya_core.errors import InvalidInputError
from rivya_core.types import MediaKind

TEXT_BLOCKS = frozenset({"text", "text_delta", "output_text", "input_text", "text-plain"})
LANGCHAIN_KEYS = frozenset(
    "type text id index extras annotations citations title context mime_type base64 url file_id source_type".split()
)
"""Keys of a text block that LangChain reads; all others are the caller's and are sent unchanged."""


def caller_keys(block: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Return what a caller put on a block for the API, such as `cache_control`, also in its `extras`.

    An assistant's blocks hold keys of the API that made the reply, so only `cache_control` counts there.
    """
    if block.keys() <= LANGCHAIN_KEYS and "extras" not in block:  # nearly all of them
        return {}
    inner = block.get("extras")
    given = {**(inner if isinstance(inner, Mapping) else {}), **block}
    names = {"cache_control"} if role == "assistant" else given.keys() - LANGCHAIN_KEYS
    return {name: value for name, value in given.items() if name in names and value is not None}


def block_text(block: Mapping[str, Any]) -> str | None:
    """Return the text of a text block, or None of one that names a file instead.

    A plain-text document begins with its title and context.
    """
    if block.get("type") != "text-plain":
        return str(block.get("text") or "")
    text = block.get("text")
    if text is None and isinstance(block.get("base64"), (str, bytes)):
        text = _decoded(block["base64"])
    if text is None and (block.get("url") or block.get("file_id")):
        return None
    head = [str(block[name]) for name in ("title", "context") if block.get(name)]
    return "\n".join([*head, str(text or "")])


def media_kind(block: Mapping[str, Any]) -> MediaKind:
    """Return the kind of a block that says only its MIME type."""
    mime_type = str(block.get("mime_type") or "")
    kinds: tuple[MediaKind, ...] = ("image", "audio", "video")
    return next((kind for kind in kinds if mime_type.startswith(f"{kind}/")), "file")


def _decoded(encoded: str | bytes) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInputError("The `base64` of a plain-text block is not UTF-8 text; nothing was sent.") from None
