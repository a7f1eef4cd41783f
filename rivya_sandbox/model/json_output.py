"""JSON replies: to a schema, or to a prompt that describes an object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rivya_sandbox.model.schema_filling import fill

KEYS = re.compile(r"(?i)\b(?:keys?|fields?|properties)\b")


def conforming(schema: Mapping[str, Any], text: str) -> str:
    """Return a JSON text that conforms to a schema or, without one, to what the text asks for."""
    wanted = schema or schema_in(text) or schema_of_keys(text)
    return json.dumps(fill(wanted, without_schema(text)), ensure_ascii=False)


def schema_in(text: str) -> Mapping[str, Any] | None:
    """Return the JSON schema in a prompt."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            found, _ = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("properties"), dict):
            return found
    return None


def without_schema(text: str) -> str:
    """Return the prompt without the JSON in it."""
    return re.sub(r"(?s)\{.*\}", " ", text)


def schema_of_keys(text: str) -> Mapping[str, Any]:
    """Return a schema for the keys that a prompt names in quotes."""
    found = KEYS.search(text)
    quoted = re.findall(r"['\"`](\w+)['\"`]", text) if found else []
    names = list(dict.fromkeys(quoted)) or ["answer"]
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
