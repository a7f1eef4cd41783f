"""Text of users, tools and models that must not pass for the protocol's own tags."""

from __future__ import annotations

import json
import re
from typing import Any

TAG = re.compile(r"<(?=\s*/?\s*(?:tool_call|tool_response|tools)\b)", re.IGNORECASE)
"""The beginning of one of the protocol's tags, however it is written."""


def escaped(text: str) -> str:
    """Return *text* with the protocol's tags in it made harmless."""
    return TAG.sub("&lt;", text)


def escaped_json(value: Any) -> str:
    """Return *value* as compact JSON that holds none of the protocol's tags."""
    return TAG.sub(r"\\u003c", json.dumps(value, ensure_ascii=False, separators=(",", ":")))
