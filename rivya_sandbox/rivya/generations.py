"""The body of `POST /generations`, checked against its model's data before anything is charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from rivya_sandbox.errors import ApiError
from rivya_sandbox.rivya.bodies import ClientRequestId, RivyaBody, Text, parse_body
from rivya_sandbox.rivya.catalogue import IMAGE, IMAGE_TYPES, ImageModel, Param

REFERENCES = "referenceMediaItems"


@dataclass(frozen=True)
class GenerationRequest:
    """What the request asks for: the model, the prompt, the params without references, the references' URLs."""

    model: ImageModel
    prompt: str
    params: Mapping[str, Any]
    references: tuple[str, ...] = ()
    client_request_id: str | None = None


class _Generation(RivyaBody):
    model: Text
    prompt: Text
    params: dict[str, Any] | None = None
    client_request_id: ClientRequestId = None


class _Reference(RivyaBody):
    url: Text
    kind: Literal["image"]
    mime_type: Literal[IMAGE_TYPES] | None = Field(None, alias="mimeType")  # type: ignore[valid-type]
    name: Any = None
    duration_seconds: Any = Field(None, alias="durationSeconds")
    duration_token: Any = Field(None, alias="durationToken")


def parse_generation(body: Mapping[str, Any]) -> GenerationRequest:
    """Read the request's body.

    Raises:
        ApiError: `validation_failed`.
    """
    asked = parse_body(_Generation, body)
    model = IMAGE.get(asked.model)
    if model is None:
        raise ApiError("validation_failed", f"The model {asked.model} is not available for generations.")
    if model.prompt_limit is not None and len(asked.prompt) > model.prompt_limit:
        raise ApiError(
            "validation_failed", f"prompt has {len(asked.prompt)} characters; {model.prompt_limit} are allowed."
        )
    params = dict(asked.params or {})
    references = getattr(parse_body(params_body(model), params, "params"), REFERENCES, None) or []
    params.pop(REFERENCES, None)
    return GenerationRequest(
        model, asked.prompt, params, tuple(item.url for item in references), asked.client_request_id
    )


@cache
def params_body(model: ImageModel) -> type[RivyaBody]:
    """Return the pydantic model of an image model's params."""
    fields: dict[str, Any] = {param.key: (value_type(param), None) for param in model.params}
    if model.references is not None:
        items = Annotated[list[_Reference], Field(max_length=model.references.max_items)]
        fields[REFERENCES] = (items | None, None)
    return create_model("Params", __base__=RivyaBody, **fields)


def value_type(param: Param) -> Any:
    """Return the type of a param's values: one of the options, a number or a text, always as JSON has it."""
    if param.type == "select":
        return Literal[param.options]
    return Annotated[float, Field(ge=param.minimum)] if param.type == "number" else str
