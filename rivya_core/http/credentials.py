"""Keys that this process has seen, so that a pickled model finds its own again without carrying it.

A pickle holds a fingerprint. Where it is read, the key is the one of this process with that fingerprint, else the
provider's environment variable.
"""

from __future__ import annotations

import hashlib

from pydantic import SecretStr

_seen: dict[str, SecretStr] = {}


def register(key: SecretStr) -> str:
    """Return the fingerprint under which `recall` finds *key* again in this process."""
    fingerprint = hashlib.sha256(b"rivya-key" + key.get_secret_value().encode()).hexdigest()
    _seen[fingerprint] = key
    return fingerprint


def lookup(fingerprint: str | None) -> SecretStr | None:
    """Return the key that was remembered as *fingerprint*, or None if this process never saw it."""
    return _seen.get(fingerprint) if fingerprint else None
