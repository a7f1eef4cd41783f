"""One schema writer for both frameworks and both APIs: classes and JSON schemas in the form that servers take.

`$defs` and `$ref` stay, so recursive models stay whole.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, Field, RootModel, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import NotRequired, Required, TypedDict, is_typeddict

from rivya_core.errors import InvalidInputError
from rivya_core.structured.json_schemas import modern_references, resolved, strict_schema

NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
LONGEST_NAME = 64
PLAIN = (str, int, float, list, dict, type(None))
"""Types of the defaults that a TypedDict can name."""
WRAPPER = "value"
"""Property that holds a reply whose schema is not an object; servers take only objects."""


@dataclass(frozen=True)
class Schema:
    """A schema as it is sent, and what a reply to it is read as.

    Attributes:
        name: Legal name: letters, digits, `_` and `-`, at most 64.
        description: Description for the model; empty if there is none.
        parameters: JSON schema of an object.
        wrapped: Whether the reply is in the property `value`, because its own schema is not an object.
        adapter: Reads a value, for classes; None for a JSON schema, which is checked as it is.
        aliases: Further names that a class takes for its properties.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    wrapped: bool = False
    adapter: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)
    aliases: frozenset[str] = frozenset()

    @cached_property
    def keys(self) -> frozenset[str]:
        """The properties that a reply may have at its top; empty where any are allowed."""
        found = _keys(self.inner, self.parameters)
        return found | self.aliases if found else frozenset()

    @property
    def inner(self) -> Mapping[str, Any]:
        """The schema of the reply itself, without the wrapper."""
        return self.parameters["properties"][WRAPPER] if self.wrapped else self.parameters

    def function(self, *, strict: bool | None = None) -> dict[str, Any]:
        """Return a tool whose arguments are the object."""
        parameters = strict_schema(self.parameters, self.name) if strict else dict(self.parameters)
        function: dict[str, Any] = {"name": self.name, "description": self.description, "parameters": parameters}
        if strict is not None:
            function["strict"] = strict
        return {"type": "function", "function": function}

    def response_format(self, *, strict: bool | None = None) -> dict[str, Any]:
        """Return the `response_format` that asks for the object."""
        schema = strict_schema(self.parameters, self.name) if strict else dict(self.parameters)
        inner: dict[str, Any] = {"name": self.name, "schema": schema}
        if self.description:
            inner["description"] = self.description
        if strict is not None:
            inner["strict"] = strict
        return {"type": "json_schema", "json_schema": inner}


def schema_of(wanted: Any) -> Schema:
    """Return the schema of a class or of a JSON schema.

    Args:
        wanted: A pydantic class (version 2 or 1), `RootModel`, TypedDict or dataclass; or a JSON schema, a function
            (`{"name", "parameters"}`), a tool (`{"type": "function", ...}`) or `{"name", "schema"}`.

    Raises:
        InvalidInputError: *wanted* is none of these kinds.
    """
    if isinstance(wanted, Mapping):
        return _from_mapping(wanted)
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        written = wanted.model_json_schema(schema_generator=_WithoutTitles)
        read = _reader(wanted.model_validate, wanted.model_validate_json)
        return replace(_made(wanted.__name__, written, read, _own_doc(wanted)), aliases=_aliases(wanted))
    if is_model_class(wanted):  # pydantic's version 1
        return _made(wanted.__name__, wanted.schema(), wanted.parse_obj, wanted.__doc__)
    if is_typeddict(wanted) or (isinstance(wanted, type) and dataclasses.is_dataclass(wanted)):
        adapter = TypeAdapter(_modern(wanted, {}) if is_typeddict(wanted) else wanted)
        written = adapter.json_schema(schema_generator=_WithoutTitles)
        read = _reader(adapter.validate_python, adapter.validate_json)
        return _made(wanted.__name__, written, read, _own_doc(wanted))
    raise InvalidInputError(
        f"A schema must be a pydantic class, a TypedDict, a dataclass or a JSON schema, not {wanted!r}. Nothing was "
        "sent."
    )


def legal_name(name: str) -> str:
    """Return *name* with every character that servers refuse as `_`, at most 64 characters long."""
    return NOT_IN_NAMES.sub("_", name).strip("_")[:LONGEST_NAME] or "output"


def is_model_class(wanted: Any) -> bool:
    """Whether *wanted* is a pydantic class, of version 2 or 1."""
    return isinstance(wanted, type) and (
        issubclass(wanted, BaseModel) or (hasattr(wanted, "parse_obj") and hasattr(wanted, "construct"))
    )


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of field names; they cost tokens and tell the model nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        """Return False."""
        return False


def _made(name: str, schema: Mapping[str, Any], read: Callable[[Any], Any] | None, doc: str | None) -> Schema:
    bare = dict(modern_references({k: v for k, v in schema.items() if k not in ("title", "description")}))
    top = resolved(bare, bare)
    title = schema.get("title") or top.get("title")
    description = schema.get("description") or doc or top.get("description") or ""
    is_object = top.get("type") == "object" or "properties" in top or not top
    if is_object and "$ref" in bare:  # a recursive class at the top
        bare = {
            **{key: value for key, value in top.items() if key not in ("title", "description")},
            "$defs": bare["$defs"],
        }
    if is_object:
        bare.setdefault("type", "object")
        bare.setdefault("properties", {})
    else:
        definitions = bare.pop("$defs", None)
        bare = {"type": "object", "properties": {WRAPPER: bare}, "required": [WRAPPER]}
        bare |= {"$defs": definitions} if definitions else {}
    legal = legal_name(name or (title if isinstance(title, str) else "") or "output")
    return Schema(legal, inspect.cleandoc(str(description)), bare, not is_object, read)


def _from_mapping(wanted: Mapping[str, Any]) -> Schema:
    inner = wanted.get("function")
    if isinstance(inner, Mapping):
        wanted = inner
    key = next(
        (
            key
            for key in ("parameters", "schema", "input_schema", "json_schema")
            if isinstance(wanted.get(key), Mapping)
        ),
        "",
    )
    is_schema = (
        "properties" in wanted or isinstance(wanted.get("type"), (str, list)) or "anyOf" in wanted or "$ref" in wanted
    )
    if key and isinstance(wanted.get("name"), str) and "properties" not in wanted:
        return _made(wanted["name"], wanted[key], None, wanted.get("description") or wanted[key].get("description"))
    name = wanted.get("title") or wanted.get("name")
    if not is_schema and not (isinstance(name, str) and name):
        raise InvalidInputError(
            "A JSON schema needs a `type` or `properties`, and a tool a `name` and `parameters`. Nothing was sent."
        )
    bare = {k: v for k, v in wanted.items() if k not in ("name", "strict") or not isinstance(v, (str, bool))}
    return _made(str(name or ""), bare, None, None)


def _reader(read: Callable[[Any], Any], read_json: Callable[[str], Any]) -> Callable[[Any], Any]:
    """What reads a value. Strict classes take dates, enums and tuples from JSON only."""

    def found(value: Any) -> Any:
        try:
            return read(value)
        except ValidationError as error:
            try:
                return read_json(json.dumps(value))
            except ValidationError as second:
                is_unreadable = second.errors()[0]["type"] == "json_invalid"
                raise error if is_unreadable else second from None

    return found


def _aliases(kind: type[BaseModel]) -> frozenset[str]:
    """The names of fields that the schema of a class does not have, but its validation takes."""
    config = kind.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found = set(kind.model_fields) if by_name else set()
    for one in kind.model_fields.values():
        choices = one.validation_alias.choices if isinstance(one.validation_alias, AliasChoices) else ()
        found |= {choice for choice in choices if isinstance(choice, str)}
    return frozenset(found)


def _own_doc(kind: type) -> str:
    """The docstring of a class itself; those that pydantic and the standard library write are not a description."""
    doc = kind.__dict__.get("__doc__") or ""
    generated = doc.startswith((f"{kind.__name__}(", "Usage Documentation")) or kind in (BaseModel, RootModel)
    return "" if generated else doc


def _modern(kind: Any, known: dict[Any, Any]) -> Any:
    """A TypedDict in the form that pydantic takes on every Python, with texts in `Annotated` as descriptions."""
    if get_origin(kind) is Annotated:
        inner, *extras = get_args(kind)
        made = _modern(inner, known)
        if _names_default(extras):
            extras = extras[1:]
        for extra in extras:
            told = Field(description=extra) if isinstance(extra, str) else extra
            made = made if extra is ... else Annotated[made, told]
        return made
    if is_typeddict(kind):
        return known.get(kind) or _modern_dict(kind, known)
    if get_args(kind) and get_origin(kind) in (list, tuple, set, dict):
        return get_origin(kind)[tuple(_modern(part, known) for part in get_args(kind))]
    if get_args(kind) and not isinstance(kind, type) and all(not isinstance(part, str) for part in get_args(kind)):
        return _rebuilt(kind, known)
    return kind


def _names_default(extras: Sequence[Any]) -> bool:
    """Whether an annotation is `Annotated[type, default, "description"]`, which is LangChain's form."""
    return len(extras) == 2 and isinstance(extras[1], str) and isinstance(extras[0], PLAIN)  # noqa: PLR2004


def _rebuilt(kind: Any, known: dict[Any, Any]) -> Any:
    """A union with its TypedDicts in the modern form; anything else stays as it is."""
    from types import UnionType
    from typing import Union

    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(_modern(part, known) for part in get_args(kind))]  # noqa: UP007 - made at run time
    if get_origin(kind) in (Required, NotRequired):
        return _modern(get_args(kind)[0], known)
    return kind


def _modern_dict(kind: Any, known: dict[Any, Any]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    known[kind] = Any  # what refers to itself is not checked deeper
    made = {
        name: _modern(hint, known) if _is_required(kind, name, hint) else NotRequired[_modern(hint, known)]
        for name, hint in hints.items()
    }
    make: Any = TypedDict
    found: Any = make(kind.__name__, made)
    found.__doc__ = kind.__doc__
    known[kind] = found
    return found


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """Annotations that are texts hide `NotRequired` from the class, but not from its hints."""
    optional = get_origin(hint) is Annotated and _names_default(get_args(hint)[1:])
    return name in kind.__required_keys__ and get_origin(hint) is not NotRequired and not optional


def _keys(schema: Mapping[str, Any], root: Mapping[str, Any]) -> frozenset[str]:
    top = resolved(schema, root)
    options = [
        option for key in ("anyOf", "oneOf", "allOf") for option in top.get(key, ()) if isinstance(option, Mapping)
    ]
    inner = [_keys(resolved(option, root), root) for option in options]
    own = top.get("properties")
    if top.get("additionalProperties") or top.get("patternProperties"):
        return frozenset()
    return frozenset(own if isinstance(own, Mapping) else ()).union(*inner)
