"""Image models as data: the table, the service's list, common argument names, the schema for agents."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rivya_core.errors import InvalidInputError
from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.images.catalogue import IMAGE_MODELS, fetch_models, image_model
from rivya_core.images.models import ImageModel, ImageParam, unknown_model
from rivya_core.images.schema import arguments_schema
from rivya_core.providers import RIVYA
from rivya_sandbox import Sandbox

ENDPOINT = Endpoint(RIVYA, "https://api.test/v1")


def served(rows: Any) -> dict[str, ImageModel]:
    """The models in a list from the service."""
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=rows)))
    return Driver(lambda: client).run(fetch_models(ENDPOINT, RetryPolicy()))


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "new-image", "category": "image", "api_status": "available", "base_credits": 2} | changes


@pytest.mark.parametrize("model", IMAGE_MODELS.values(), ids=lambda model: model.id)
def test_every_default_and_option_is_accepted(model: ImageModel) -> None:
    """Every option in the data is sent under the model's own key, unchanged."""
    for param in model.params:
        for option in param.options or ((param.default,) if param.default else ()):
            assert {param.key: option} == model.wire_params({param.name: option})


@pytest.mark.parametrize(
    ("model", "friendly", "own"),
    [
        ("gpt-image-2", {"aspect_ratio": "16:9", "resolution": "4K"}, {"aspect_ratio": "16:9", "resolution": "4K"}),
        ("4o-image", {"aspect_ratio": "3:2"}, {"size": "3:2"}),
        ("nano-banana", {"aspect_ratio": "21:9"}, {"imageSize": "21:9"}),
        ("nano-banana", {"imageSize": "21:9"}, {"imageSize": "21:9"}),
        ("seedream-4-5", {"aspect_ratio": "2:3", "quality": "high"}, {"aspectRatio": "2:3", "quality": "high"}),
        ("qwen2-image", {"aspect_ratio": "9:16", "nsfw_checker": True}, {"image_size": "9:16", "nsfw_checker": "true"}),
        ("qwen-image", {"aspect_ratio": "16:9"}, {"image_size": "landscape_16_9"}),
        ("qwen-image", {"aspect_ratio": "1:1"}, {"image_size": "square_hd"}),
        (
            "ideogram-v3",
            {"aspect_ratio": "square", "expand_prompt": False},
            {"image_size": "square", "expand_prompt": "false"},
        ),
        ("google-imagen4-fast", {"seed": 7, "negative_prompt": "people"}, {"seed": 7, "negative_prompt": "people"}),
        ("flux-2-flex", {"aspect_ratio": "4:5"}, {"aspectRatio": "4:5"}),
        ("gpt-image-2", {"aspect_ratio": None}, {}),
        ("somebody-elses", {"steps": 3, "aspect_ratio": "odd"}, {"steps": 3, "aspect_ratio": "odd"}),
    ],
)
def test_common_arguments_become_the_models_own(model: str, friendly: dict[str, Any], own: dict[str, Any]) -> None:
    assert own == image_model(model).wire_params(friendly)


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("gpt-image-2", {"aspect_ratio": "5:7"}, "auto, 1:1, 9:16, 16:9, 4:3, 3:4"),
        ("gpt-image-2", {"aspect_ratio": 5}, "must be text"),
        ("gpt-image-2", {"style": "x"}, "has no option `style`.*aspect_ratio, resolution"),
        ("z-image", {"resolution": "4K"}, "has no option `resolution`"),
        ("qwen2-image", {"nsfw_checker": "maybe"}, "false, true"),
        ("ideogram-v3", {"seed": -1}, "a number at least 0"),
        ("ideogram-v3", {"seed": True}, "a number"),
        ("ideogram-v3", {"seed": float("nan")}, "a number"),
        ("ideogram-v3", {"seed": "7"}, "a number"),
        ("ideogram-v3", {"negative_prompt": "x" * 20_001}, "at most 20,000"),
    ],
)
def test_invalid_arguments_are_refused_with_the_valid_ones(model: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        image_model(model).wire_params(arguments)


def test_an_upper_bound_is_named() -> None:
    """A range from the service's list is checked at both ends."""
    model = ImageModel("m", "M", params=(ImageParam("n", "number", minimum=1, maximum=4),))

    with pytest.raises(InvalidInputError, match="at least 1 and at most 4, not 5"):
        model.wire_params({"n": 5})


@pytest.mark.parametrize(("prompt", "said"), [(" \n", "empty"), ("x" * 1001, "1,001 characters.*takes at most 1,000")])
def test_prompts_are_checked(prompt: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        image_model("z-image").check_prompt(prompt)


def test_references_are_counted() -> None:
    """A model without references says so; a model with references names the limit."""
    with pytest.raises(InvalidInputError, match="no reference images"):
        image_model("z-image").check_references(1)
    with pytest.raises(InvalidInputError, match="at most 8 reference images, not 9"):
        image_model("nano-banana-pro").check_references(9)
    image_model("gpt-image-2").check_references(16)
    unknown_model("x").check_references(16)
    with pytest.raises(InvalidInputError, match="at most 16"):
        unknown_model("x").check_references(17)


def test_the_table_agrees_with_the_services_list(sandbox: Sandbox) -> None:
    """A list with the same data as the model pages changes nothing."""
    endpoint = Endpoint(RIVYA, sandbox.rivya_url)
    client = httpx.Client()
    found = Driver(lambda: client).run(fetch_models(endpoint, RetryPolicy()))
    client.close()

    assert set(IMAGE_MODELS) == set(found)
    for model_id in set(found) - {"flux-2-flex", "seedream-4-5"}:  # their pages are cut off; the sandbox assumes
        table, listed = IMAGE_MODELS[model_id], found[model_id]
        assert (table.credits, table.prompt_limit) == (listed.credits, listed.prompt_limit)
        assert table.references == listed.references
        shapes = [
            {(one.key, one.kind, one.default, one.options, one.minimum) for one in model.params}
            for model in (table, listed)
        ]
        assert shapes[0] == shapes[1]


def test_a_new_model_is_read_from_the_list() -> None:
    """Options, ranges, limits and references come from the service, in any plausible shape."""
    params = [
        {"key": "size", "type": "select", "default": "1:1", "options": ["1:1", {"value": "2:1"}, None]},
        {"name": "steps", "type": "number", "range": {"min": 1, "max": 50}},
        {"key": "seed", "type": "number", "min": 0},
        {"key": "note", "type": "text"},
        "nonsense",
        {},
    ]
    media = {"max_items": 3, "max_size_mb": 2.5}
    found = served({"data": [row(display_name="New", params=params, max_prompt_length=99, reference_media=media)]})
    model = found["new-image"]

    assert ("New", 2, 99, True) == (model.name, model.credits, model.prompt_limit, model.known)
    assert {"size": "2:1", "steps": 3} == model.wire_params({"aspect_ratio": "2:1", "steps": 3})
    assert model.references is not None
    assert (3, 2_621_440) == (model.references.most, model.references.largest)
    with pytest.raises(InvalidInputError, match="at most 50"):
        model.wire_params({"steps": 51})


@pytest.mark.parametrize(
    "rows",
    [
        {"data": "no list"},
        [1, None, {}, row(id=""), row(id=5), row(category="video"), row(api_status="coming_soon")],
        {"data": {"a": 1}},
        "text",
    ],
)
def test_a_list_without_image_models_is_empty(rows: Any) -> None:
    assert {} == served(rows)


def test_a_sparse_row_is_completed_from_the_table() -> None:
    """What the service omits for a known model comes from the model's page."""
    found = served([row(id="gpt-image-2", base_credits=None, max_prompt_length="?", reference_media=[])])

    assert IMAGE_MODELS["gpt-image-2"] == found["gpt-image-2"]


def test_a_model_without_files_takes_no_references() -> None:
    assert served([row(supported_api_inputs=["text"])])["new-image"].references is None
    assert served([row(supported_api_inputs=["text", "file"], reference_media={})])["new-image"].references is not None


@pytest.mark.parametrize("model", [*IMAGE_MODELS.values(), unknown_model("x")], ids=lambda model: model.id)
def test_an_agent_sees_exactly_the_models_options(model: ImageModel) -> None:
    """The schema lists every option by its common name, and nothing that the model does not have."""
    schema = arguments_schema(model).model_json_schema()
    shown = schema["properties"]

    expected = {"prompt", *(param.name for param in model.params)}
    expected |= {"reference_images"} if model.references else set()
    expected |= set() if model.known else {"params"}
    assert expected == set(shown)
    assert ["prompt"] == schema["required"]
    assert False is schema["additionalProperties"]
    assert model.prompt_limit == shown["prompt"].get("maxLength")
    for param in model.params:
        assert shown[param.name]["description"] == param.description
        assert "null" not in str(shown[param.name])
        if param.is_switch:
            assert "boolean" == shown[param.name]["type"]
        elif param.options:
            assert [*param.options] == shown[param.name]["enum"]
            assert param.default == shown[param.name]["default"]
    if model.references:
        assert model.references.most == shown["reference_images"]["maxItems"]
