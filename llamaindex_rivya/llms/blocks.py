"""LlamaIndex's content blocks as the core's parts.

Every block is converted, or refused with its name. A cache point becomes `cache_control` of the block before it;
Rivya's chat has no blocks and ignores it. Files are read here, so this must run where blocking is allowed (see
`needs_reading`). `messages.py` converts whole messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.utils import resolve_binary

from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.extras import LazyModule
from rivya_core.types import Media, MediaKind, Text

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.media import fetch_url
else:
    fetch_url = LazyModule("rivya_core.media.fetch_url")

KINDS: dict[type, tuple[MediaKind, str]] = {
    ImageBlock: ("image", "image"),
    AudioBlock: ("audio", "audio"),
    VideoBlock: ("video", "video"),
    DocumentBlock: ("file", "data"),
}
"""The kind of media of a block, and the field that holds its bytes."""


class RefusalBlock(TextBlock):
    """The words with which a model refused.

    It is a `TextBlock`, so code that does not know refusals sees a text.

    Attributes:
        text: The words.
    """


@dataclass(frozen=True, slots=True)
class InputCapabilities:
    """The media that an API takes in addition to text.

    Attributes:
        wire: Name of the API in errors.
        media: The kinds of media that it takes.
        roles: Roles whose messages may hold media; None for all roles.
        instead: What to do if a block is not taken.
    """

    wire: str
    media: frozenset[MediaKind]
    instead: str
    roles: frozenset[str] | None = None


def needs_reading(blocks: Sequence[Any]) -> bool:
    """Whether converting *blocks* reads a file or a stream."""
    return any(_needs_reading(block) for block in blocks if type(block) is not TextBlock)


def _needs_reading(block: Any) -> bool:
    if isinstance(block, CitableBlock):
        return needs_reading(block.content)
    if isinstance(block, CitationBlock):
        return needs_reading([block.cited_content])
    if type(block) not in KINDS:
        return False
    return block.path is not None or isinstance(getattr(block, KINDS[type(block)][1]), IOBase)


def parts_of(blocks: Sequence[Any], role: str, takes: InputCapabilities) -> tuple[Text | Media, ...]:
    """Return the parts of a message's *blocks*; texts are joined by line breaks, as `ChatMessage.content` does.

    Raises:
        InvalidInputError: A block is not supported; the message names it and its *role*.
    """
    if len(blocks) == 1 and type(blocks[0]) is TextBlock:
        return (Text(blocks[0].text),)
    if all(type(block) is TextBlock for block in blocks):
        return tuple(Text(f"\n{block.text}", "\n") if at else Text(block.text) for at, block in enumerate(blocks))
    parts: list[Text | Media] = []
    spoken = False
    for part in (part for block in blocks for part in _parts(block, role, takes)):
        if isinstance(part, _CacheControl):
            parts[-1:] = [_cached(parts, part, role)]
            continue
        parts.append(Text(f"\n{part.text}", "\n", part.extras) if isinstance(part, Text) and spoken else part)
        spoken = spoken or isinstance(part, Text)
    return tuple(parts)


class _CacheControl(NamedTuple):
    """A cache point: it belongs to the part before it."""

    value: Mapping[str, Any]


def _cached(parts: Sequence[Text | Media], point: _CacheControl, role: str) -> Text | Media:
    """Return the last part with a cache point, which APIs with blocks take as `cache_control`."""
    if not parts:
        raise InvalidInputError(f"A cache point of the {role} message must follow text or media; nothing was sent.")
    last = parts[-1]
    extras = {**(last.extras or {}), "cache_control": point.value}
    return last._replace(extras=extras) if isinstance(last, Text) else replace(last, extras=extras)


def _parts(block: Any, role: str, takes: InputCapabilities) -> Iterator[Text | Media | _CacheControl]:
    if isinstance(block, TextBlock):
        yield Text(block.text)
    elif type(block) in KINDS:
        yield _media(block, role, takes)
    elif isinstance(block, CitableBlock):
        yield Text(f"[{block.title}]({block.source})")
        yield from (part for inner in block.content for part in _parts(inner, role, takes))
    elif isinstance(block, CitationBlock):
        yield Text(f"[{block.title}]({block.source})")
        yield from _parts(block.cited_content, role, takes)
    elif isinstance(block, CachePoint):
        yield _CacheControl(block.cache_control.model_dump(exclude_none=True))
    else:
        raise NotSupportedError(f"A {role} message cannot hold a {type(block).__name__}; nothing was sent.")


def _media(block: Any, role: str, takes: InputCapabilities) -> Media:
    kind, field = KINDS[type(block)]
    if kind not in takes.media or (takes.roles is not None and role not in takes.roles):
        raise NotSupportedError(
            f"{takes.wire} does not take the {type(block).__name__} of the {role} message; nothing was sent. "
            f"{takes.instead}"
        )
    extras = {"detail": block.detail} if getattr(block, "detail", None) else {}
    name = getattr(block, "title", None)
    given = Media(kind, mime_type=_mime_type(block), name=name, extras=extras)
    data, url = _bytes(block, getattr(block, field), role), str(block.url or "")
    if data:
        return replace(given, data=data)
    if url.startswith("data:"):
        inline = fetch_url.data_url(url)
        return replace(given, data=inline.data, mime_type=given.mime_type or inline.mime_type)
    if not url:
        raise InvalidInputError(
            f"The {type(block).__name__} of the {role} message holds no data, path or URL; nothing was sent."
        )
    return replace(given, url=url)


def _bytes(block: Any, data: Any, role: str) -> bytes:
    try:
        if isinstance(data, IOBase):
            data.seek(0)
            return bytes(data.read())
        if data:
            return bytes(resolve_binary(raw_bytes=data).read())
        return Path(block.path).read_bytes() if block.path is not None else b""
    except (OSError, ValueError) as exc:
        raise InvalidInputError(
            f"The {type(block).__name__} of the {role} message cannot be read ({exc}); nothing was sent."
        ) from exc


def _mime_type(block: Any) -> str | None:
    if isinstance(block, AudioBlock):
        return f"audio/{block.format}" if block.format else None
    names = ("image_mimetype", "video_mimetype", "document_mimetype")
    return next((found for name in names if (found := getattr(block, name, None))), None)
