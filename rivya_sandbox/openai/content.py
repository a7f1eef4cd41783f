"""What the bodies of chat completions and the Responses API have in common: attachments, functions, schemas."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainValidator, field_validator, model_validator

from rivya_sandbox.openai.errors import OpenAIError, validation_error
from rivya_sandbox.validation import Body, BodyT, invalid, parse
from rivya_sandbox.values import Attachment, Tool

NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,64}$"


def parse_body(model: type[BodyT], body: Mapping[str, Any], where: str = "") -> BodyT:
    """Validate a body.

    Raises:
        OpenAIError: The body is invalid.
    """
    return parse(model, body, validation_error, where)


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def from_base64(data: Any) -> Attachment:
    """Read bytes in base64."""
    try:
        return Attachment("", digest(base64.b64decode(data, validate=True)))
    except (binascii.Error, ValueError, TypeError):
        raise invalid("invalid_base64", "Invalid '{param}': not valid base64.") from None


def from_url(url: Any) -> Attachment:
    """Read a URL. The digest is that of a `data:` URL's bytes, or of any other URL's text."""
    if isinstance(url, str) and url.startswith("data:") and ";base64," in url:
        return from_base64(url.partition(";base64,")[2])
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        return Attachment("", digest(url.encode()))
    message = "Invalid '{param}'. Expected a base64-encoded data URL with a MIME type, or a URL."
    raise invalid("invalid_value", message)


def from_file_id(file_id: Any) -> Attachment:
    """Read the id of an uploaded file."""
    if not isinstance(file_id, str):
        raise invalid("invalid_type", "Invalid type for '{param}': expected a string.")
    return Attachment(file_id, digest(file_id.encode()))


Base64 = Annotated[Attachment, PlainValidator(from_base64)]
Url = Annotated[Attachment, PlainValidator(from_url)]
FileId = Annotated[Attachment, PlainValidator(from_file_id)]


class FunctionBody(Body):
    """The function of a tool."""

    name: str = Field(pattern=NAME_PATTERN)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @field_validator("parameters")
    @classmethod
    def _is_object(cls, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        if parameters and parameters.get("type") != "object":
            message = "Invalid schema for '{param}': schema must be a JSON Schema of 'type: \"object\"'."
            raise invalid("invalid_function_parameters", message)
        return parameters

    @model_validator(mode="after")
    def _is_strict(self) -> FunctionBody:
        if self.strict:
            check_strict(self.parameters, f"function '{self.name}'")
        return self

    def tool(self) -> Tool:
        """Return the function as a tool of the model."""
        return Tool(self.name, self.description or "", self.parameters or {})


class SchemaBody(Body):
    """The schema of the reply."""

    name: str = Field(pattern=NAME_PATTERN)
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _is_strict(self) -> SchemaBody:
        if self.strict:
            check_strict(self.schema_, f"response_format '{self.name}'")
        return self


def check_strict(schema: Any, what: str, path: tuple[str, ...] = ()) -> None:
    """Check that a strict schema closes every object and requires all its properties.

    Raises:
        PydanticCustomError: It does not.
    """
    for item in schema if isinstance(schema, list) else ():
        check_strict(item, what, path)
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and schema.get("type") == "object":
        context = f"Invalid schema for {what}: In context={path!r}, "
        if schema.get("additionalProperties") is not False:
            message = "'additionalProperties' is required to be supplied and to be false."
            raise invalid("invalid_json_schema", context + message)
        missing = [name for name in properties if name not in (schema.get("required") or ())]
        if missing:
            message = "'required' is required to be supplied and to be an array including every key in properties. "
            raise invalid("invalid_json_schema", f"{context}{message}Missing '{missing[0]}'.")
    for key, value in schema.items():
        check_strict(value, what, (*path, key))


def choose_tool(choice: Any, tools: tuple[Tool, ...], name_of: Any) -> tuple[str, str | None]:
    """Read `tool_choice`: `auto`, `none` or `required`, and the tool's name if it names one.

    Raises:
        OpenAIError: It is invalid, or names an unknown tool.
    """
    if choice in (None, "auto", "none", "required"):
        return str(choice or "auto"), None
    name = name_of(choice) if isinstance(choice, Mapping) and choice.get("type") == "function" else None
    if name not in {tool.name for tool in tools}:
        raise OpenAIError(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return "required", str(name)
