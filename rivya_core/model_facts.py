"""What is known about models before a request: sizes, abilities, and which ones make images only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rivya_core.errors import ConfigurationError
from rivya_core.providers import RIVYA, Provider

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
        structured_output: Whether it accepts a JSON schema as response format.
        images: Whether it accepts images.
        reasoning: Whether it reasons before it replies.
    """

    context_window: int
    max_output: int
    tools: bool = True
    structured_output: bool = True
    images: bool = True
    reasoning: bool = True

    @property
    def max_input(self) -> int:
        """Tokens of input that leave room for the largest output."""
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
    """Return what is known about *model*, or None.

    An id with a suffix after a hyphen (a date, `latest`, `mini`) counts as a variant of the same size; another version
    number is another model.
    """
    bare = model.rpartition("/")[2]
    fits = [name for name in FACTS if bare == name or bare.startswith(f"{name}-")]
    return FACTS[max(fits, key=len)] if fits else None
