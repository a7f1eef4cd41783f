"""The image models: a table taken from the model pages, and a reader of `GET /models` with the same result.

https://rivya.ai/docs/api/models/<id> and https://rivya.ai/docs/api-models. The list is dynamic; a model that is not in
the table can still be used, with unchecked `params`, or its data can be read from the service. Where a page gives no
number, a comment next to the entry says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import parse_json
from rivya_core.http.json_codec import finite_number
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.images.models import (
    MEGABYTE,
    ImageModel,
    ImageParam,
    ParamKind,
    ReferenceRules,
    unknown_model,
)

PATH = "/models"
DEFAULT_MODEL = "gpt-image-2"
MOST_MODELS = 2000
"""Number of rows of a list that are read."""


def _select(key: str, default: str, options: str, description: str) -> ImageParam:
    return ImageParam(key, "select", default, tuple(options.split()), description=description)


def _aspect(key: str, default: str, options: str) -> ImageParam:
    return _select(key, default, options, "Aspect ratio of the image, width to height.")


def _format(default: str, options: str) -> ImageParam:
    return _select("output_format", default, options, "File format of the image.")


_RESOLUTION = _select("resolution", "1K", "1K 2K 4K", "Resolution of the image.")
_SEED = ImageParam("seed", "number", minimum=0, description="The same seed and prompt give a similar image.")
_NEGATIVE = ImageParam("negative_prompt", "text", description="What the image must not show.")
_FIVE = "1:1 4:3 3:4 16:9 9:16"
_NAMED = "square square_hd portrait_4_3 portrait_16_9 landscape_4_3 landscape_16_9"

_TABLE = (
    ImageModel("z-image", "Z-Image", 1, (_aspect("aspect_ratio", "1:1", _FIVE),), 1000),
    ImageModel("4o-image", "4o Image", 3, (_aspect("size", "1:1", "1:1 3:2 2:3"),)),
    ImageModel(
        "gpt-image-1-5",
        "GPT Image 1.5",
        4,
        (
            _aspect("aspect_ratio", "1:1", "1:1 2:3 3:2"),
            _select("quality", "medium", "medium high", "Quality of the image."),
        ),
        references=ReferenceRules(16),
    ),
    ImageModel(
        "gpt-image-2",
        "GPT Image 2",
        3,
        (_aspect("aspect_ratio", "1:1", "auto 1:1 9:16 16:9 4:3 3:4"), _RESOLUTION),
        20_000,
        ReferenceRules(16),
    ),
    ImageModel(
        "nano-banana",
        "Nano Banana",
        3,
        (_aspect("imageSize", "1:1", "1:1 9:16 16:9 3:4 4:3 3:2 2:3 5:4 4:5 21:9 auto"), _format("png", "png jpeg")),
        5000,
        ReferenceRules(10),
    ),
    ImageModel(
        "nano-banana-2",
        "Nano Banana 2",
        5,
        (
            _aspect("aspect_ratio", "auto", "auto 1:1 16:9 9:16 3:2 2:3 4:3 3:4 5:4 4:5 21:9 4:1 1:4 8:1 1:8"),
            _RESOLUTION,
            _format("jpg", "jpg png"),
            _select("google_search", "false", "false true", "Whether the model may search the web first."),
        ),
        20_000,
        ReferenceRules(14, 30 * MEGABYTE),
    ),
    ImageModel(
        "nano-banana-pro",
        "Nano Banana Pro",
        8,
        (
            _aspect("aspect_ratio", "1:1", "1:1 2:3 3:2 3:4 4:3 4:5 5:4 9:16 16:9 21:9 auto"),
            _RESOLUTION,
            _format("png", "png jpg"),
        ),
        10_000,
        ReferenceRules(8, 30 * MEGABYTE),
    ),
    ImageModel(
        "google-imagen4-fast",
        "Imagen 4 Fast",
        4,
        (_aspect("aspect_ratio", "16:9", "1:1 16:9 9:16 3:4 4:3"), _NEGATIVE, _SEED),
        5000,
    ),
    ImageModel(
        "qwen-image",
        "Qwen Image",
        4,
        (_aspect("image_size", "square_hd", _NAMED), _format("png", "png jpeg")),
        5000,
        ReferenceRules(1),
    ),
    ImageModel(
        "qwen2-image",
        "Qwen2 Image",
        6,
        (
            _aspect("image_size", "16:9", "1:1 3:4 4:3 9:16 16:9"),
            _format("png", "png jpeg"),
            _SEED,
            _select("nsfw_checker", "false", "false true", "Whether the image is checked for unsafe content."),
        ),
        800,
        ReferenceRules(1),
    ),
    ImageModel(
        "ideogram-v3",
        "Ideogram V3",
        7,
        (
            _aspect("image_size", "square_hd", _NAMED),
            _select("rendering_speed", "BALANCED", "TURBO BALANCED QUALITY", "Speed against quality."),
            _select("style", "AUTO", "AUTO GENERAL REALISTIC DESIGN", "Style of the image."),
            _select("expand_prompt", "true", "true false", "Whether the provider may enrich the prompt."),
            _SEED,
            _NEGATIVE,
        ),
        5000,
    ),
    # The page of `flux-2-flex` is cut off after its second ratio (`4:...`), so no ratios are listed here and the
    # provider checks them. The part that could be read does not give the number of references of these two models.
    ImageModel(
        "flux-2-flex",
        "FLUX.2 Flex",
        14,
        (ImageParam("aspectRatio", "select", "1:1", description="Aspect ratio of the image, for example 1:1."),),
        5000,
        ReferenceRules(16),
    ),
    ImageModel(
        "seedream-4-5",
        "Seedream 4.5",
        7,
        (
            _aspect("aspectRatio", "1:1", "1:1 4:3 3:4 16:9 9:16 2:3 3:2 21:9"),
            _select("quality", "basic", "basic high", "Quality of the image."),
        ),
        3000,
        ReferenceRules(16),
    ),
)

IMAGE_MODELS: Mapping[str, ImageModel] = MappingProxyType({model.id: model for model in _TABLE})
"""The models by id."""


def image_model(model_id: str, models: Mapping[str, ImageModel] = IMAGE_MODELS) -> ImageModel:
    """Return the model with this id; a model that is not in the table takes any `params`."""
    return models.get(model_id) or unknown_model(model_id)


def fetch_models(endpoint: Endpoint, retry: RetryPolicy) -> Plan[dict[str, ImageModel]]:
    """Return the image models that the service lists as available, by id; the table supplies what the list omits."""
    response = yield from send_with_retries(endpoint.request("GET", PATH), retry)
    value = parse_json(response)
    rows = value.get("data") if isinstance(value, Mapping) else value
    found = [_model(row) for row in rows[:MOST_MODELS]] if isinstance(rows, list) else []
    return {model.id: model for model in found if model is not None}


def _model(row: Any) -> ImageModel | None:
    if not isinstance(row, Mapping) or row.get("category") != "image" or row.get("api_status") != "available":
        return None
    model_id = row.get("id")
    if not isinstance(model_id, str) or not model_id:
        return None
    table = image_model(model_id)
    params = tuple(filter(None, map(_param, _rows(row.get("params"))))) or table.params
    return ImageModel(
        model_id,
        _text(row.get("display_name")) or table.name,
        _whole(row.get("base_credits"), table.credits),
        params,
        _whole(row.get("max_prompt_length"), table.prompt_limit),
        _references(row, table),
        known=bool(params) or table.known,
    )


def _param(row: Any) -> ImageParam | None:
    """Read an entry of `params[]`. Its shape is not documented; the columns of the model pages are its likely keys."""
    key = _text(row.get("key") or row.get("name")) if isinstance(row, Mapping) else None
    if not key:
        return None
    options = tuple(filter(None, map(_option, _rows(row.get("options")))))
    bounds = row.get("range") if isinstance(row.get("range"), Mapping) else row
    kind: ParamKind = "number" if row.get("type") == "number" else "select" if options else "text"
    default = row.get("default")
    return ImageParam(
        key,
        kind,
        None if default is None else str(default),
        options,
        _number(bounds.get("min")),
        _number(bounds.get("max")),
        _text(row.get("description")) or "",
    )


def _references(row: Mapping[str, Any], table: ImageModel) -> ReferenceRules | None:
    rules = row.get("reference_media")
    inputs = row.get("supported_api_inputs")
    if rules is None and isinstance(inputs, list) and "file" not in inputs:
        return None
    before = table.references or ReferenceRules(16)
    if not isinstance(rules, Mapping):
        return table.references
    megabytes = _number(rules.get("max_size_mb"))
    most = _whole(rules.get("max_items"), before.most) or before.most
    return ReferenceRules(most, int(megabytes * MEGABYTE) if megabytes else before.largest)


def _option(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("value")
    return str(value) if isinstance(value, (str, int, float)) else None


def _rows(value: Any) -> Iterable[Any]:
    return value[:200] if isinstance(value, list) else ()


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    number = finite_number(value)
    return None if number is None else float(number)


def _whole(value: Any, otherwise: int | None) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if good else otherwise
