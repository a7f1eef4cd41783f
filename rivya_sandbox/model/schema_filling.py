"""Makes JSON values that conform to a JSON schema, filled from a text as far as possible."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rivya_sandbox.model import slot_extractor as slots
from rivya_sandbox.model.slot_extractor import SlotExtractor
from rivya_sandbox.model.text_utils import stems, subject_of

DEEPEST = 8
SHORT = 120
MOST_ITEMS = 20
FORMATS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "date": (slots.DATE, "2025-01-01"),
    "date-time": (re.compile(r"\b\d{4}-\d{2}-\d{2}T[\d:.]+Z?"), "2025-01-01T00:00:00Z"),
    "time": (re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b"), "12:00:00"),
    "email": (slots.EMAIL, "someone@example.com"),
    "uri": (slots.URL, "https://example.com"),
    "uuid": (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "00000000-0000-4000-8000-000000000000"),
    "ipv4": (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "127.0.0.1"),
}
PLACES = frozenset("city location place country destination town origin region address state".split())
NAMES = frozenset(
    "name person customer author artist owner user title company organization organisation team product song album "
    "book movie film firstname lastname recipient sender winner loser".split()
)
BY_FORM: Mapping[str, str] = {"email": "email", "mail": "email", "url": "uri", "link": "uri", "date": "date"}


@dataclass(frozen=True)
class Field:
    """A position in the schema.

    Attributes:
        schema: The schema of this position.
        name: The property's name.
        root: The whole schema, for references.
        depth: How deep the position is.
    """

    schema: Mapping[str, Any]
    name: str
    root: Mapping[str, Any]
    depth: int = 0

    def inner(self, schema: Any, name: str = "") -> Field:
        """Return a field inside this one."""
        return replace(
            self, schema=schema if isinstance(schema, Mapping) else {}, name=name or self.name, depth=self.depth + 1
        )

    @property
    def words(self) -> set[str]:
        """The words of its name."""
        return set(re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name).replace("_", " ").lower().split())


def fill(schema: Mapping[str, Any], text: str) -> Any:
    """Return a value for the schema, from the text."""
    return value_of(Field(schema, "", schema), SlotExtractor(text))


def value_of(field: Field, text: SlotExtractor) -> Any:
    """Return the value of one field."""
    field = resolved(field, text)
    schema = field.schema
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return option(schema["enum"], text, field)
    maker = MAKERS.get(type_of(schema))
    return maker(field, text) if maker else None


def resolved(field: Field, text: SlotExtractor) -> Field:
    """Return the field with its references resolved and a branch chosen."""
    schema = field.schema
    if isinstance(schema.get("$ref"), str):
        found: Any = field.root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            found = found.get(step, {}) if isinstance(found, Mapping) and step else found
        return resolved(field.inner({**found, **{k: v for k, v in schema.items() if k != "$ref"}}), text)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged |= resolved(field.inner(part), text).schema
        return field.inner({**merged, **{k: v for k, v in schema.items() if k != "allOf"}})
    branches = schema.get("anyOf") or schema.get("oneOf")
    return resolved(field.inner(branch(branches, field, text)), text) if branches else field


def branch(branches: list[Any], field: Field, text: SlotExtractor) -> Mapping[str, Any]:
    """Return the branch that fits best: one that the text names, else the first that is not null."""
    real = [found for found in branches if isinstance(found, Mapping) and found.get("type") != "null"]
    if not real or field.depth > DEEPEST:
        return {"type": "null"}

    def title(schema: Mapping[str, Any]) -> str:
        reference = str(schema.get("$ref") or "").rpartition("/")[2]
        return re.sub(r"([a-z])([A-Z])", r"\1 \2", str(schema.get("title") or reference))

    return max(real, key=lambda schema: len(stems(title(schema)) & stems(text.text)))


def type_of(schema: Mapping[str, Any]) -> str:
    """Return the type of a schema; of several types the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def option(options: list[Any], text: SlotExtractor, field: Field) -> Any:
    """Return the option that the text names, else the first."""
    given = (text.pair(field.name) or "").lower() if field.name else ""
    named = [one for one in options if (SlotExtractor(given) if given else text).says(str(one))]
    return (named or list(options))[0]


def make_object(field: Field, text: SlotExtractor) -> dict[str, Any]:
    """Make an object with the required properties and those that the text mentions."""
    schema = field.schema
    required = schema.get("required") or []
    made: dict[str, Any] = {}
    for name, inner in (schema.get("properties") or {}).items():
        if name in required or (field.depth < DEEPEST and speaks_of(field.inner(inner, name), text)):
            made[name] = value_of(field.inner(inner, name), text)
    return made


def speaks_of(field: Field, text: SlotExtractor) -> bool:
    """Return whether the text gives a value for an optional property.

    The text gives an option by its name. It gives a list only by the list's whole name: "draw an image" gives no list
    of reference images.
    """
    if text.pair(field.name) is not None:
        return True
    schema = resolved(field, text).schema
    if schema.get("enum"):
        return any(text.says(str(one)) for one in schema["enum"]) or text.mentions(field.name)
    if type_of(schema) == "array":
        return text.says(" ".join(field.name.split("_")))
    return text.mentions(field.name)


def make_array(field: Field, text: SlotExtractor) -> list[Any]:
    """Make a list of the text's items, no longer than the schema allows."""
    schema = field.schema
    items = schema.get("items") or schema.get("prefixItems") or {}
    least, most = int(schema.get("minItems") or 0), int(schema.get("maxItems") or MOST_ITEMS)
    if field.depth > DEEPEST:
        return []
    inner = resolved(field.inner(items if isinstance(items, Mapping) else items[0]), text)
    made = [value_of(inner, part) for part in parts_for(inner.schema, text)][:most]
    while len(made) < max(min(1, most), least):
        made.append(value_of(inner, text))
    return made


def parts_for(schema: Mapping[str, Any], text: SlotExtractor) -> list[SlotExtractor]:
    """Return the parts of the text, one for each item."""
    if "const" in schema:
        return []
    if schema.get("enum"):
        return [SlotExtractor(str(one)) for one in schema["enum"] if text.says(str(one))]
    kind = type_of(schema)
    if kind == "object":
        return [SlotExtractor(part) for part in text.sentences()]
    if kind in ("integer", "number"):
        return [SlotExtractor(str(number)) for number in iter(text.number, None)]
    return [SlotExtractor(part) for part in text.items()] if kind == "string" and not schema.get("format") else []


def make_string(field: Field, text: SlotExtractor) -> str:
    """Make a text of the right format and length."""
    made = string(field, text)
    least, most = int(field.schema.get("minLength") or 0), field.schema.get("maxLength")
    if len(made) < least:
        made = (made + " " + text.text).ljust(least, ".")
    return made[: int(most)] if most is not None else made


def string(field: Field, text: SlotExtractor) -> str:
    """Return a text for a property of that name."""
    if field.name and (given := text.pair(field.name)):
        return given
    form = field.schema.get("format") or next((BY_FORM[word] for word in sorted(field.words) if word in BY_FORM), "")
    if form in FORMATS:
        pattern, default = FORMATS[form]
        return text.next(pattern) or default
    for words, found in BY_NAME:
        if field.words & words:
            return found(field, text) or shortened(text.subject)
    return shortened(text.text.strip()) or field.name or "text"


def joke(field: Field, text: SlotExtractor) -> str:
    """Return one half of a joke."""
    if "setup" in field.words:
        return f"Why did the {text.subject.split()[-1] if text.subject else 'model'} cross the road?"
    return "To get to the other side!"


def shortened(text: str) -> str:
    """Return the text on one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= SHORT else line[:SHORT].rsplit(" ", 1)[0]


def make_number(field: Field, text: SlotExtractor) -> float | int:
    """Make a number inside its bounds: the named one, the next in the text, or the smallest."""
    whole = type_of(field.schema) == "integer"
    given = re.search(r"-?\d+(?:\.\d+)?", (text.pair(field.name) or "") if field.name else "")
    near = text.number_near(field.words)
    found = float(given[0]) if given else near if near is not None else text.number()
    least = field.schema.get("minimum", field.schema.get("exclusiveMinimum", None))
    most = field.schema.get("maximum", field.schema.get("exclusiveMaximum", None))
    step = 1 if whole else 0.5
    if found is None:
        found = 1 if least is None else least
    if least is not None and found <= least:
        found = least + (step if "exclusiveMinimum" in field.schema else 0)
    if most is not None and found >= most:
        found = most - (step if "exclusiveMaximum" in field.schema else 0)
    return int(found) if whole else found


def make_boolean(field: Field, text: SlotExtractor) -> bool:
    """Return whether the text says so."""
    given = (text.pair(field.name) or "").lower() if field.name else ""
    if given:
        return given in ("true", "yes", "1", "on")
    return text.mentions(field.name) and not re.search(r"(?i)\b(?:no|not|never|without)\b", text.text)


BY_NAME: Sequence[tuple[frozenset[str], Callable[[Field, SlotExtractor], str | None]]] = (
    (frozenset({"setup", "punchline", "joke"}), joke),
    (PLACES, lambda _, text: text.next(slots.PLACE) or text.name()),
    (NAMES, lambda _, text: text.name()),
    (frozenset({"description", "about", "remark", "note"}), lambda _, text: shortened(text.remark or text.text)),
    (frozenset({"prompt"}), lambda _, text: subject_of(text.text, 40)),
    (frozenset({"topic", "subject", "keyword", "theme"}), lambda _, text: shortened(text.subject)),
)
MAKERS: Mapping[str, Callable[[Field, SlotExtractor], Any]] = {
    "object": make_object,
    "array": make_array,
    "string": make_string,
    "integer": make_number,
    "number": make_number,
    "boolean": make_boolean,
}
