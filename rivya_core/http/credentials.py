"""Keys that this process has seen, so that a pickled model finds its own again without carrying it.

A pickle holds a mark. Where it is read in the same process, the key is found by its mark; elsewhere the environment
gives it. The number of keys is limited, and the ones that were not used for the longest time are forgotten first.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from threading import Lock

from pydantic import SecretStr

MOST_KEYS = 1000
_SALT = os.urandom(16)
"""Marks are valid in this process and its forks only, so a short value cannot be found by trying."""

_seen: OrderedDict[str, SecretStr] = OrderedDict()
_lock = Lock()


def register(key: SecretStr) -> str:
    """Return the mark under which `lookup` finds *key* again in this process."""
    mark = hashlib.sha256(_SALT + key.get_secret_value().encode("utf-8", "surrogatepass")).hexdigest()
    with _lock:
        _seen[mark] = key
        _seen.move_to_end(mark)
        while len(_seen) > MOST_KEYS:
            _seen.popitem(last=False)
    return mark


def lookup(mark: str | None) -> SecretStr | None:
    """Return the key that was registered under *mark*, or None if this process does not know it."""
    with _lock:
        found = _seen.get(mark) if mark else None
        if mark and found is not None:
            _seen.move_to_end(mark)
        return found
