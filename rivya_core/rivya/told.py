"""What a session knows about tools, stored and sealed with the pointer of its newest reply."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from rivya_core.prompted.prompt import NOTHING_TOLD, Told, canonical, told_from_json, told_to_json
from rivya_core.sessions.pointers import Origin, Pointer

TOLD_KEY, SEAL_KEY = "told", "told_seal"


def with_told(origin: Origin, pointer: Pointer, told: Told) -> dict[str, Any]:
    """Return a pointer for a reply's metadata, with what its session knows."""
    if told == NOTHING_TOLD:
        return pointer.to_json()
    return {**pointer.to_json(), TOLD_KEY: told_to_json(told), SEAL_KEY: _seal(origin, pointer, told)}


def told_by(origin: Origin, pointer: Pointer, kept: Any) -> Told:
    """Return what a session knows, if the value *kept* with its pointer was sealed here; else nothing.

    Without this value, the session gets the tools again, which costs their description.
    """
    if not isinstance(kept, Mapping) or TOLD_KEY not in kept:
        return NOTHING_TOLD
    told, seal = told_from_json(kept.get(TOLD_KEY)), kept.get(SEAL_KEY)
    is_ours = isinstance(seal, str) and hmac.compare_digest(seal.encode(), _seal(origin, pointer, told).encode())
    return told if is_ours else NOTHING_TOLD


def _seal(origin: Origin, pointer: Pointer, told: Told) -> str:
    return hmac.digest(origin.secret, f"told:{pointer.digest}:{canonical(told)}".encode(), "sha256").hex()[:32]
