"""Fetching what a message or a model's argument names by URL, only where the application allowed it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from rivya_core.chat import Media
from rivya_core.errors import InvalidInputError
from rivya_core.exchange import Retry
from rivya_core.plan import Plan


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Which URLs may be fetched.

    Attributes:
        allowed: Whether any may be.
    """

    allowed: bool = False


def fetch_image(url: str, rules: FetchRules, retry: Retry) -> Plan[Media]:
    """Return the image at *url*.

    Raises:
        InvalidInputError: The rules do not allow it.
    """
    if url.startswith("data:"):
        return data_url(url)
    if not rules.allowed:
        raise InvalidInputError(
            "The message names an image by URL, and fetching is not allowed: pass the bytes, or set "
            "`fetch_image_urls=True`. Nothing was sent."
        )
    yield from ()
    raise InvalidInputError("not yet")


def data_url(url: str) -> Media:
    """Return the image in a `data:` URL.

    Raises:
        InvalidInputError: It cannot be decoded.
    """
    head, _, payload = url.partition(",")
    mime_type = head.removeprefix("data:").partition(";")[0] or None
    try:
        data = base64.b64decode(payload, validate=True) if head.endswith(";base64") else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        raise InvalidInputError("A `data:` URL in a message is not valid base64; nothing was sent.") from None
    return Media("image", data=data, mime_type=mime_type)
