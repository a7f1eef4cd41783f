"""JSON replies: to a schema of the request, to a schema in the prompt, or to a prompt that names keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rivya_sandbox.model.schema_filling import fill

KEYS = re.compile(r"(?i)\b(?:keys?|fields?|properties)\b")
INSTRUCTIONS = (
    re.compile(r"(?s)(?:STRICT OUTPUT FORMAT:.*?)?The output should be formatted as a JSON instance.*?\n```\n.*?\n```"),
    re.compile(r"(?s)Here's a JSON schema to follow:.*?do not repeat the schema\."),
)
"""The format instructions of LangChain's and LlamaIndex's output parsers."""
ABOUT_SCHEMA = re.compile(r"(?im)^(?=.*\bJSON\b)(?=.*\bschema\b).*$")
SCHEMA_KEYS = frozenset({"properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "items"})


def conforming(schema: Mapping[str, Any], text: str) -> str:
    """Return a JSON text that conforms to a schema or, for a schema of any object, to what the text asks for."""
    wanted = schema if is_specific(schema) else schema_in(text) or schema_of_keys(text)
    return json.dumps(fill(wanted, without_instructions(text)), ensure_ascii=False)


def schema_in(text: str) -> Mapping[str, Any] | None:
    """Return the last JSON schema in a prompt that asks for JSON; earlier ones are examples."""
    if not re.search(r"(?i)\bJSON\b", text):
        return None
    found = [one for one, _ in objects_in(single_braces(text)) if SCHEMA_KEYS & one.keys() and is_specific(one)]
    return found[-1] if found else None


def is_specific(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema says more than that the reply is an object."""
    return any(schema.get(key) for key in SCHEMA_KEYS) or schema.get("type") not in (None, "object")


def single_braces(text: str) -> str:
    """Return a prompt with single braces where LlamaIndex's parsers double them for templates."""
    return text.replace("{{", "{").replace("}}", "}") if "{{" in text else text


def objects_in(text: str) -> Iterator[tuple[dict[str, Any], slice]]:
    """Yield the JSON objects in a text, without those inside another, and their places."""
    decoder, place = json.JSONDecoder(), 0
    while (place := text.find("{", place)) >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        yield found, slice(place, end)
        place = end


def without_instructions(text: str) -> str:
    """Return a prompt without its format instructions and schemas: what remains is the task."""
    text = single_braces(text)
    for instructions in INSTRUCTIONS:
        text = instructions.sub(" ", text)
    for found, place in reversed(list(objects_in(text))):
        if SCHEMA_KEYS & found.keys():
            text = f"{text[: place.start]} {text[place.stop :]}"
    return ABOUT_SCHEMA.sub(" ", text).strip()


def schema_of_keys(text: str) -> Mapping[str, Any]:
    """Return a schema for the keys that a prompt names in quotes."""
    found = KEYS.search(text)
    quoted = re.findall(r"['\"`](\w+)['\"`]", text) if found else []
    names = list(dict.fromkeys(quoted)) or ["answer"]
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
