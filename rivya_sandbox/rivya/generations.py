"""What `POST /generations` takes: one order, checked against its model's data before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivya_sandbox import checks
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.rivya.catalogue import IMAGE, ImageModel, Param, References

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERATION_KEYS = frozenset({"model", "prompt", "params", "client_request_id"})
REFERENCE_KEYS = frozenset({"url", "kind", "name", "mimeType", "durationSeconds", "durationToken"})
REFERENCES = "referenceMediaItems"


@dataclass(frozen=True)
class Wish:
    """A checked order: the model, the prompt, the params without references, the references' URLs."""

    model: ImageModel
    prompt: str
    params: Mapping[str, Any]
    references: tuple[str, ...] = ()
    client_request_id: str | None = None


def parse_wish(body: checks.Body) -> Wish:
    """The order in a request's body.

    Raises:
        Refusal: `validation_failed`.
    """
    if "files" in body:
        raise Refusal("validation_failed", "files is not accepted: put references into params.referenceMediaItems.")
    checks.only(body, GENERATION_KEYS)
    model = image_model(checks.text(body, "model"))
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise Refusal("validation_failed", "params must be an object.")
    own = {key: value for key, value in (params or {}).items() if key != REFERENCES}
    check_params(model, own)
    return Wish(
        model,
        checks.limited(checks.text(body, "prompt"), "prompt", model.prompt_limit),
        own,
        parse_references(model, (params or {}).get(REFERENCES)),
        checks.client_request_id(body),
    )


def image_model(model_id: str) -> ImageModel:
    """The image model of that id."""
    model = IMAGE.get(model_id)
    if model is None:
        raise Refusal("validation_failed", f"The model {model_id} is not available for generations.")
    return model


def check_params(model: ImageModel, params: Mapping[str, Any]) -> None:
    """Refuse keys and values that the model does not have."""
    known = {param.key: param for param in model.params}
    checks.only(params, known, f"params for {model.id}")
    for key, value in params.items():
        check_value(known[key], value)


def check_value(param: Param, value: object) -> None:
    """A `select` takes one of its options as a string, a `number` a JSON number, a `text` a string."""
    if param.type == "number":
        check_number(param, value)
    elif not isinstance(value, str):
        raise Refusal("validation_failed", f"params.{param.key} must be a string.")
    elif param.options and value not in param.options:
        raise Refusal("validation_failed", f"params.{param.key} must be one of {', '.join(param.options)}.")


def check_number(param: Param, value: object) -> None:
    """A JSON number, not below the minimum."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal("validation_failed", f"params.{param.key} must be a number.")
    if param.minimum is not None and value < param.minimum:
        raise Refusal("validation_failed", f"params.{param.key} must be at least {param.minimum:g}.")


def parse_references(model: ImageModel, items: object) -> tuple[str, ...]:
    """The URLs of `referenceMediaItems`."""
    if items is None:
        return ()
    if model.references is None:
        raise Refusal("validation_failed", f"The model {model.id} does not take reference media.")
    if not isinstance(items, list):
        raise Refusal("validation_failed", f"params.{REFERENCES} must be an array.")
    if len(items) > model.references.max_items:
        raise Refusal("validation_failed", f"params.{REFERENCES} may have at most {model.references.max_items} items.")
    return tuple(parse_reference(model.references, item) for item in items)


def parse_reference(references: References, item: object) -> str:
    """The URL of one reference."""
    if not isinstance(item, dict):
        raise Refusal("validation_failed", f"An item of params.{REFERENCES} must be an object.")
    checks.only(item, REFERENCE_KEYS, f"An item of params.{REFERENCES}")
    checks.one_of(item, "kind", references.kinds, "")
    allowed = references.row()["mime_types"]
    if item.get("mimeType") not in (None, *allowed):
        raise Refusal("validation_failed", f"mimeType must be one of {', '.join(allowed)}.")
    return checks.text(item, "url")
