"""Models: which ones an API lists (`GET /models`), and what is known of their sizes and abilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_core.errors import ConfigurationError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.providers import RIVYA, Provider

PATH = "/models"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that an API lists.

    Attributes:
        id: For `model`.
        owned_by: Whose it is.
        created: Unix seconds.
        raw: All that the API says of it.
    """

    id: str
    owned_by: str | None = None
    created: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


def list_models(endpoint: Endpoint, retry: RetryPolicy) -> Plan[tuple[ModelEntry, ...]]:
    """Return all models that the API lists.

    Raises:
        InvalidResponseError: The answer is no list of models.
    """
    response = yield from send_with_retries(endpoint.request("GET", PATH), retry)
    return read_models(response, parse_json(response))


def list_chat_models(endpoint: Endpoint, retry: RetryPolicy) -> Plan[list[ModelEntry]]:
    """Return the models that chat; where an API does not say what its models are for (`category`), all of them."""
    listed = yield from list_models(endpoint, retry)
    return [model for model in listed if model.raw.get("category", "chat") == "chat"]


def read_models(response: httpx.Response, value: Any) -> tuple[ModelEntry, ...]:
    """Return the models in the JSON *value* of *response*.

    Raises:
        InvalidResponseError: It is no list of models.
    """
    listed = value.get("data", value.get("models")) if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise invalid_response(response, "is not a list of models")
    return tuple(_entry(item) for item in listed if isinstance(item, Mapping) and isinstance(item.get("id"), str))


def _entry(item: Mapping[str, Any]) -> ModelEntry:
    owner, created = item.get("owned_by"), item.get("created")
    return ModelEntry(
        item["id"],
        owner if isinstance(owner, str) else None,
        created if isinstance(created, int) and not isinstance(created, bool) else None,
        item,
    )


IMAGE_MODELS = frozenset(
    "z-image 4o-image gpt-image-1-5 gpt-image-2 nano-banana nano-banana-2 nano-banana-pro google-imagen4-fast "
    "qwen-image qwen2-image ideogram-v3 flux-2-flex seedream-4-5".split()
)
"""Rivya's image models; `images/catalogue.py` has their options."""
IMAGES_ONLY = re.compile(r"(gpt-image|dall-e)-", re.IGNORECASE)
"""How the ids of models begin that chat nowhere."""


def check_chats(model: str, provider: Provider) -> None:
    """Refuse an image model where a chat model belongs.

    Raises:
        ConfigurationError: *model* makes images.
    """
    own = provider is RIVYA and model in IMAGE_MODELS
    if own or IMAGES_ONLY.match(model.rpartition("/")[2]):
        use = " Use `RivyaImageTool` (LangChain) or `RivyaImageToolSpec` (LlamaIndex)." if own else ""
        raise ConfigurationError(f"`{model}` makes images and does not chat.{use} `models()` lists the chat models.")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Sizes and abilities of a model.

    Attributes:
        context_window: Tokens of input and output together.
        max_output: Tokens of output.
        tools: Whether it calls tools.
        structured_output: Whether it takes a JSON schema as response format.
        images: Whether it takes images.
        reasoning: Whether it reasons before it answers.
    """

    context_window: int
    max_output: int
    tools: bool = True
    structured_output: bool = True
    images: bool = True
    reasoning: bool = True

    @property
    def max_input(self) -> int:
        """Tokens of input when the output may take all that it can."""
        return self.context_window - self.max_output


FACTS: dict[str, ModelFacts] = {
    # https://platform.openai.com/docs/models: 400K context with 128K output, the chat variants 128K with 16,384.
    "gpt-5": ModelFacts(400_000, 128_000),
    "gpt-5-chat": ModelFacts(128_000, 16_384, reasoning=False),
    "gpt-5.1": ModelFacts(400_000, 128_000),
    "gpt-5.1-chat": ModelFacts(128_000, 16_384),
    "gpt-5.2": ModelFacts(400_000, 128_000),
    "gpt-5.2-chat": ModelFacts(128_000, 16_384),
}
"""By the id without the gateway's vendor prefix; a dated or suffixed id counts as the longest that it begins with."""


def facts_for(model: str) -> ModelFacts | None:
    """Return what is known of *model*, or None.

    A suffix behind a hyphen (a date, `latest`, `mini`) is taken for a variant of the same size; another version number
    is another model.
    """
    bare = model.rpartition("/")[2]
    fits = [name for name in FACTS if bare == name or bare.startswith(f"{name}-")]
    return FACTS[max(fits, key=len)] if fits else None
