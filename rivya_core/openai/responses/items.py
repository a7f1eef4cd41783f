"""The output items of a response as a message's metadata keep them, so that a next turn can send them back.

Metadata pass through checkpoints and front ends, so what comes back is not trusted: the items are sealed with the
account's key, and only what was sealed here is sent. Otherwise a forged history could carry a system message that
nobody sees.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rivya_core.sessions.pointers import Origin

ITEMS_KEY = "response_items"
"""Under which the metadata of a reply keep them."""
VERSION = 1


def seal_items(items: Any, origin: Origin, *, stored: bool) -> dict[str, Any]:
    """Return the form that goes into a message's metadata.

    Args:
        items: The response's output.
        origin: Where it came from.
        stored: Whether the provider keeps it, so that ids alone mean something to it.
    """
    listed = [dict(item) for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return {
        "v": VERSION,
        "origin": origin.fingerprint,
        "stored": stored,
        "items": listed,
        "seal": _seal(listed, origin, stored=stored),
    }


def verified_items(kept: Any, origin: Origin) -> list[Mapping[str, Any]]:
    """Return what of the items in a message's metadata can be sent to *origin*: none that it did not make.

    Where nothing is stored, reasoning goes back only if it is all there, encrypted.
    """
    if not isinstance(kept, Mapping) or kept.get("v") != VERSION or kept.get("origin") != origin.fingerprint:
        return []
    items, stored = kept.get("items"), kept.get("stored") is True
    if not isinstance(items, list) or not hmac.compare_digest(
        str(kept.get("seal")).encode("utf-8", "replace"), _seal(items, origin, stored=stored).encode()
    ):
        return []
    return [item for item in items if stored or item.get("type") != "reasoning" or item.get("encrypted_content")]


def _seal(items: Sequence[Any], origin: Origin, *, stored: bool) -> str:
    facts = json.dumps([VERSION, stored, list(items)], sort_keys=True, default=str)
    return hmac.new(origin.secret, b"items" + facts.encode(), hashlib.sha256).hexdigest()
