"""The schema and the description of an image model that agents get, made from the model's data.

The schema holds every option, range and limit. Values are checked against the model's data instead of the schema, so
that the error message is the same for agents and for direct calls.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from rivya_core.images.models import ImageModel, ImageParam

STATUS = "Get the status of an image task that was submitted before. If the image is ready, return its image id."
WAIT = "Wait until an image task that was submitted before is ready, and return its image id."


class TaskArguments(BaseModel):
    """Arguments of the tools for a submitted task."""

    model_config = ConfigDict(extra="forbid")

    task_id: str = Field(description="Id of the image task, as `generate_image` returned it.")


def arguments_schema(model: ImageModel) -> type[BaseModel]:
    """Return the arguments of *model* as a pydantic class; its JSON schema has every option by its common name."""
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
    """Return the description of the tool for agents."""
    price = f" An image costs about {model.credits:g} credits." if model.credits is not None else ""
    change = " To change or combine images, name them in reference_images." if model.references is not None else ""
    return f"Generate an image with {model.name} and return its short id.{change}{price}"


_REFERENCES = (
    "Images to start from, change or combine: ids of earlier images, such as img_1a2b3c4d, or other names that "
    "the application allows."
)


def _field(shape: dict[str, Any], description: str, *, required: bool = False) -> Any:
    def show(schema: dict[str, Any]) -> None:
        schema.pop("default", None)  # an omitted option is not sent; *shape* names the provider's default
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
