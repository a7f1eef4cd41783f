"""The items of a batch in both frameworks: settings that replies depend on, image requests and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.adapters.rivya_fields import RivyaFields
from rivya_core.errors import InvalidInputError
from rivya_core.images.result import GeneratedImage
from rivya_core.reporting.costs import Cost, cost_of

NAMES = {
    name
    for kind in (OpenAIFields, RivyaFields)
    for name, field in kind.model_fields.items()
    if not field.exclude and name in kind.__annotations__
}
"""The fields of chat models that are about replies, not about connections."""


def settings_of(model: BaseModel) -> dict[str, Any]:
    """Return what a chat model's replies depend on: its id, and the settings that are not the defaults."""
    fields = type(model).model_fields
    own = {name: getattr(model, name) for name in sorted(NAMES & set(fields))}
    given = {name: value for name, value in own.items() if value != fields[name].get_default(call_default_factory=True)}
    return {"model": getattr(model, "model", ""), **given}


def order_of(given: Any) -> dict[str, Any]:
    """Return an image request as arguments: a prompt, or a mapping with a `prompt` and options."""
    order = {"prompt": given} if isinstance(given, str) else dict(given) if isinstance(given, Mapping) else {}
    if not isinstance(order.get("prompt"), str):
        raise InvalidInputError("An image request must be a prompt, or a mapping with a `prompt`; nothing was sent.")
    return order


def image_result(image: Any) -> tuple[dict[str, Any], Cost]:
    """Return an image as JSON, without its bytes, and its cost."""
    facts = dict(image) if isinstance(image, GeneratedImage) else {"text": str(image)}
    return {"image": facts, "credits": facts.get("credits")}, cost_of(facts.get("credits"), None)
