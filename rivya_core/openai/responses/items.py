"""The output items of a response as a message's metadata keep them, so that a next turn can send them back.

They are sealed as all state of a reply is (`reply_state.py`). Otherwise a forged history could carry a hidden
system message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.openai.reply_state import VERSION, is_own, is_sealed, seal, sends_back
from rivya_core.openai.responses.item_types import is_client_run
from rivya_core.openai.responses.output import CALLS
from rivya_core.sessions.pointers import Origin
from rivya_core.types import SendBack

ITEMS_KEY = "response_items"
"""Under which the metadata of a reply keep them."""
SAID = ("message", *CALLS)
"""Types of items that are the message itself, which goes back whatever the rule is."""
NOT_SENT = frozenset({"parsed", "parsed_arguments", "logprobs"})
"""Keys that servers and clients add to an output, and that no input takes."""


def seal_items(items: Any, origin: Origin, *, stored: bool) -> dict[str, Any]:
    """Return the form that goes into a message's metadata.

    Args:
        items: The response's output.
        origin: Where it came from.
        stored: Whether the provider keeps it, so that ids alone mean something to it.
    """
    listed = [dict(item) for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    sealed = seal("items", [stored, listed], origin)
    return {"v": VERSION, "origin": origin.fingerprint, "stored": stored, "items": listed, "seal": sealed}


def verified_items(kept: Any, origin: Origin, rule: SendBack = "own") -> list[Mapping[str, Any]]:
    """Return what of the items in a message's metadata can be sent to *origin*: none that it did not make.

    Where nothing is stored, reasoning goes back only if it is all there, encrypted.

    Args:
        kept: What the metadata hold, untrusted.
        origin: Where the request goes.
        rule: What may be sent back; names are types of items.
    """
    if not is_own(kept, origin) or rule == "none":
        return []
    items, stored = kept.get("items"), kept.get("stored") is True
    if not isinstance(items, list) or not is_sealed(kept, "items", [stored, items], origin):
        return []
    found = [item for item in items if _is_said(item) or sends_back(str(item.get("type")), rule)]
    return [
        _sendable(item) for item in found if stored or item.get("type") != "reasoning" or item.get("encrypted_content")
    ]


def _is_said(item: Mapping[str, Any]) -> bool:
    return item.get("type") in SAID or is_client_run(item)


def _sendable(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without what only an output has: keys without a value, and what clients have read from it."""
    found = {key: value for key, value in item.items() if value is not None and key not in NOT_SENT}
    if isinstance(found.get("content"), list):
        found["content"] = [_sendable(part) if isinstance(part, Mapping) else part for part in found["content"]]
    return found
