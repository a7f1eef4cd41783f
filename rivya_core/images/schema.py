"""What an agent is shown of an image model: a schema of its arguments and a description, made from the data.

The schema tells every option, range and limit; whether a value is one of them is checked by the model's data, so that
the message of a refusal is the same on every road.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from rivya_core.images.models import ImageModel, ImageParam

STATUS = "Look at an image task that was ordered before; if the image is ready, return its image id."
WAIT = "Wait until an image task that was ordered before is ready, and return its image id."


class TaskArguments(BaseModel):
    """Which image task is meant."""

    model_config = ConfigDict(extra="forbid")

    task_id: str = Field(description="Id of the image task, as `generate_image` returned it.")


def arguments_schema(model: ImageModel) -> type[BaseModel]:
    """Return the arguments of *model* by friendly names, as a pydantic class whose JSON schema has every option."""
    prompt = _field({"type": "string"} | _limit(model.prompt_limit), "What the image shows, in detail.", required=True)
    fields: dict[str, Any] = {"prompt": (str, prompt)}
    for param in model.params:
        fields[param.name] = (Any, _field(_shape(param), param.description))
    if model.references is not None:
        shape = {"type": "array", "items": {"type": "string"}, "maxItems": model.references.most}
        fields["reference_images"] = (Any, _field(shape, _REFERENCES))
    if not model.known:
        fields["params"] = (Any, _field({"type": "object"}, f"Options of {model.id}, sent as they are."))
    made: type[BaseModel] = create_model(
        "GenerateImage", __config__=ConfigDict(extra="forbid"), __doc__=describe(model), **fields
    )
    return made


def describe(model: ImageModel) -> str:
    """Return what an agent reads of the tool."""
    price = f" An image costs about {model.credits:g} credits." if model.credits is not None else ""
    change = " To change or combine images, name them in reference_images." if model.references is not None else ""
    return f"Generate an image with {model.name} and return its short id.{change}{price}"


_REFERENCES = (
    "Images to start from, change or combine: ids of images made or given before, such as img_1a2b3c4d, or what "
    "else the application allows."
)


def _field(shape: dict[str, Any], description: str, *, required: bool = False) -> Any:
    def show(schema: dict[str, Any]) -> None:
        schema.pop("default", None)  # what is not given is not sent; the provider's default is in the shape
        schema.update(shape)

    return Field(... if required else None, description=description, json_schema_extra=show)


def _limit(length: int | None) -> dict[str, int]:
    return {"maxLength": length} if length is not None else {}


def _shape(param: ImageParam) -> dict[str, Any]:
    if param.is_switch:
        return {"type": "boolean", **({"default": param.default == "true"} if param.default else {})}
    default = {} if param.default is None else {"default": param.default}
    if param.kind == "number":
        bounds = {"minimum": param.minimum, "maximum": param.maximum}
        return {"type": "number", **{name: bound for name, bound in bounds.items() if bound is not None}}
    return {"type": "string", **({"enum": list(param.options)} if param.options else {}), **default}
