"""The models as data, for `GET /models` and for the validation of requests.

Ids, credits, limits and options are those of the model pages (https://rivya.ai/docs/api/models/<id>). Where no page
shows the form (`params[]`, `reference_media`, `chat_capabilities`), this file has a plausible one.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEGABYTE = 1024 * 1024
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
MESSAGE_LIMIT = 20_000
EFFORTS = ("default", "minimal", "low", "medium", "high", "xhigh")


@dataclass(frozen=True)
class Param:
    """One key of `params`: a `select` (values are strings), a `number` or a `text`."""

    key: str
    type: str
    default: str | None = None
    options: tuple[str, ...] = ()
    minimum: float | None = None
    description: str = ""

    def row(self) -> dict[str, Any]:
        """Return the entry in `params[]`."""
        return {
            "key": self.key,
            "type": self.type,
            "required": False,
            "default": self.default,
            "options": list(self.options) or None,
            "range": None if self.minimum is None else {"min": self.minimum, "max": None},
            "description": self.description,
        }


@dataclass(frozen=True)
class References:
    """The reference media that a model takes."""

    max_items: int
    max_megabytes: int = 10
    kinds: tuple[str, ...] = ("image",)

    def row(self) -> dict[str, Any]:
        """Return `reference_media`."""
        return {
            "kinds": list(self.kinds),
            "max_items": self.max_items,
            "max_size_mb": self.max_megabytes,
            "mime_types": list(IMAGE_TYPES),
        }


@dataclass(frozen=True)
class ImageModel:
    """A model of `POST /generations`."""

    id: str
    name: str
    credits: int
    params: tuple[Param, ...]
    prompt_limit: int | None = None
    references: References | None = None

    def row(self) -> dict[str, Any]:
        """Return the model's entry in the list."""
        files = self.references is not None
        return {
            **shared_row(self.id, self.name, "image", self.credits, files=files),
            "runtime": "async_task",
            "billing_type": "FIXED",
            "supported_modes": ["text-to-image", "image-to-image"] if files else ["text-to-image"],
            "max_prompt_length": self.prompt_limit,
            "reference_media": self.references.row() if self.references else None,
            "params": [param.row() for param in self.params],
            "requires_upload_for_modes": ["image-to-image"] if files else [],
            "chat_capabilities": None,
        }


@dataclass(frozen=True)
class ChatModel:
    """A model of `POST /chat/completions`."""

    id: str
    name: str
    credits: int
    images: bool = True
    web_search: bool = True
    reasoning: bool = True
    efforts: tuple[str, ...] = EFFORTS

    def row(self) -> dict[str, Any]:
        """Return the model's entry in the list."""
        return {
            **shared_row(self.id, self.name, "chat", self.credits, files=self.images),
            "runtime": "chat",
            "billing_type": "TOKEN_BASED",
            "supported_modes": ["chat"],
            "max_prompt_length": MESSAGE_LIMIT,
            "reference_media": None,
            "params": [],
            "requires_upload_for_modes": [],
            "chat_capabilities": {
                "web_search": self.web_search,
                "image_files": self.images,
                "thoughts": self.reasoning,
                "reasoning": list(self.efforts),
            },
        }


def shared_row(model_id: str, name: str, category: str, credits: int, *, files: bool) -> dict[str, Any]:  # noqa: A002
    """Return the keys that every model's entry has."""
    return {
        "id": model_id,
        "display_name": name,
        "category": category,
        "base_credits": credits,
        "api_status": "available",
        "api_input_status": "partial_requires_files" if files else "available_text",
        "supported_api_inputs": ["text", "file"] if files else ["text"],
        "requires_files_api": False,
        "url_input_supported": False,
        "file_kinds": ["image"] if files else [],
        "notices": [],
    }


def select(key: str, default: str, options: str, description: str = "") -> Param:
    """Return a `select` param. The options are separated by spaces."""
    return Param(key, "select", default, tuple(options.split()), description=description or humanize(key))


def humanize(key: str) -> str:
    """Turn `aspect_ratio` and `aspectRatio` into `Aspect ratio`."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in key)
    return spaced.replace("_", " ").capitalize()


SEED = Param("seed", "number", minimum=0, description="Seed")
NEGATIVE = Param("negative_prompt", "text", description="What the image must not show")
NAMED_SIZES = "square square_hd portrait_4_3 portrait_16_9 landscape_4_3 landscape_16_9"
FIVE_RATIOS = "1:1 4:3 3:4 16:9 9:16"
RESOLUTION = select("resolution", "1K", "1K 2K 4K")

CHAT_MODELS: Sequence[ChatModel] = (
    ChatModel("gpt-5-2-chat", "GPT-5.2", 3),
    ChatModel("gpt-5-codex-chat", "GPT-5 Codex", 3, web_search=False),
    ChatModel("gpt-5-3-codex-chat", "GPT-5.3 Codex", 4, web_search=False),
    ChatModel("gpt-5.4-codex-chat", "GPT-5.4 Codex", 4, web_search=False),
    ChatModel("gemini-2-5-flash-chat", "Gemini 2.5 Flash", 1),
    ChatModel("claude-sonnet-4-6-chat", "Claude Sonnet 4.6", 4, images=False),
)

IMAGE_MODELS: Sequence[ImageModel] = (
    ImageModel("z-image", "Z-Image", 1, (select("aspect_ratio", "1:1", FIVE_RATIOS),), 1000),
    ImageModel("4o-image", "4o Image", 3, (select("size", "1:1", "1:1 3:2 2:3"),)),
    ImageModel(
        "gpt-image-1-5",
        "GPT Image 1.5",
        4,
        (select("quality", "medium", "medium high"), select("aspect_ratio", "1:1", "1:1 2:3 3:2")),
        references=References(16),
    ),
    ImageModel(
        "gpt-image-2",
        "GPT Image 2",
        3,
        (select("aspect_ratio", "1:1", "auto 1:1 9:16 16:9 4:3 3:4"), RESOLUTION),
        20_000,
        References(16),
    ),
    ImageModel(
        "nano-banana",
        "Nano Banana",
        3,
        (
            select("imageSize", "1:1", "1:1 9:16 16:9 3:4 4:3 3:2 2:3 5:4 4:5 21:9 auto"),
            select("output_format", "png", "png jpeg"),
        ),
        5000,
        References(10),
    ),
    ImageModel(
        "nano-banana-2",
        "Nano Banana 2",
        5,
        (
            select("aspect_ratio", "auto", "auto 1:1 16:9 9:16 3:2 2:3 4:3 3:4 5:4 4:5 21:9 4:1 1:4 8:1 1:8"),
            RESOLUTION,
            select("output_format", "jpg", "jpg png"),
            select("google_search", "false", "false true"),
        ),
        20_000,
        References(14, 30),
    ),
    ImageModel(
        "nano-banana-pro",
        "Nano Banana Pro",
        8,
        (
            select("aspect_ratio", "1:1", "1:1 2:3 3:2 3:4 4:3 4:5 5:4 9:16 16:9 21:9 auto"),
            RESOLUTION,
            select("output_format", "png", "png jpg"),
        ),
        10_000,
        References(8, 30),
    ),
    ImageModel(
        "google-imagen4-fast",
        "Imagen 4 Fast",
        4,
        (select("aspect_ratio", "16:9", "1:1 16:9 9:16 3:4 4:3"), NEGATIVE, SEED),
        5000,
    ),
    ImageModel(
        "qwen-image",
        "Qwen Image",
        4,
        (select("image_size", "square_hd", NAMED_SIZES), select("output_format", "png", "png jpeg")),
        5000,
        References(1),
    ),
    ImageModel(
        "qwen2-image",
        "Qwen2 Image",
        6,
        (
            select("image_size", "16:9", "1:1 3:4 4:3 9:16 16:9"),
            select("output_format", "png", "png jpeg"),
            SEED,
            select("nsfw_checker", "false", "false true"),
        ),
        800,
        References(1),
    ),
    ImageModel(
        "ideogram-v3",
        "Ideogram V3",
        7,
        (
            select("rendering_speed", "BALANCED", "TURBO BALANCED QUALITY"),
            select("style", "AUTO", "AUTO GENERAL REALISTIC DESIGN"),
            select("expand_prompt", "true", "true false"),
            select("image_size", "square_hd", NAMED_SIZES),
            SEED,
            NEGATIVE,
        ),
        5000,
    ),
    # The pages of the last two are not known completely: the later options of `flux-2-flex` and the number of
    # references of both are assumptions.
    ImageModel("flux-2-flex", "FLUX.2 Flex", 14, (select("aspectRatio", "1:1", FIVE_RATIOS),), 5000, References(8)),
    ImageModel(
        "seedream-4-5",
        "Seedream 4.5",
        7,
        (
            select("aspectRatio", "1:1", "1:1 4:3 3:4 16:9 9:16 2:3 3:2 21:9"),
            select("quality", "basic", "basic high"),
        ),
        3000,
        References(10),
    ),
)

CHAT: Mapping[str, ChatModel] = MappingProxyType({model.id: model for model in CHAT_MODELS})
IMAGE: Mapping[str, ImageModel] = MappingProxyType({model.id: model for model in IMAGE_MODELS})


def uncallable_row(model_id: str, status: str) -> dict[str, Any]:
    """Return the entry of a model that no API path takes. Its name is invented."""
    row = shared_row(model_id, f"Sandbox {status}", "video", 20, files=False)
    extra = {"runtime": "async_task", "billing_type": "FIXED", "supported_modes": ["text-to-video"]}
    rest: dict[str, Any] = {"max_prompt_length": 2000, "reference_media": None, "params": [], "chat_capabilities": None}
    return {**row, **extra, **rest, "requires_upload_for_modes": [], "api_status": status}


def rows() -> list[dict[str, Any]]:
    """Return `data` of `GET /models`."""
    uncallable = [
        uncallable_row("sandbox-video-soon", "coming_soon"),
        uncallable_row("sandbox-video-studio", "studio_only"),
    ]
    chat, image = [model.row() for model in CHAT_MODELS], [model.row() for model in IMAGE_MODELS]
    return chat + image + uncallable
