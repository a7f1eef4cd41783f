"""What is known about models before a request: sizes, abilities, and which ones make images only.

Sizes and abilities come from the model profiles of LangChain's packages for vendors, where some are installed. They are
taken from https://models.dev with every release of a package, and are a file of data. It is read without an import of
its package, so neither a framework nor a vendor's client is loaded for it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from rivya_core.errors import ConfigurationError
from rivya_core.providers import RIVYA, Provider

IMAGE_MODELS = frozenset(
    "z-image 4o-image gpt-image-1-5 gpt-image-2 nano-banana nano-banana-2 nano-banana-pro google-imagen4-fast "
    "qwen-image qwen2-image ideogram-v3 flux-2-flex seedream-4-5".split()
)
"""Rivya's image models; `images/catalogue.py` has their options."""
IMAGES_ONLY = re.compile(r"(gpt-image|dall-e)-", re.IGNORECASE)
"""Prefixes of the ids of models that do not chat with any provider."""
VERSION = re.compile(r"\d{1,2}(?![\w])")
"""What follows the name of another model: `gpt-5-2` is not a variant of `gpt-5`, `gpt-5-2025-08-07` is one."""

PROFILE_PACKAGES = (
    "langchain_openai",
    "langchain_anthropic",
    "langchain_deepseek",
    "langchain_google_genai",
    "langchain_mistralai",
    "langchain_xai",
)
GATEWAY_PACKAGE = "langchain_openrouter"
"""Lists the models of most vendors, with the sizes that one gateway gives them; read where nothing else is known."""
PROFILES_AT = Path("data", "_profiles.py")
log = logging.getLogger("rivya")


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
        max_input: Tokens of input.
        tools: Whether it calls tools.
        structured_output: Whether it accepts a JSON schema as response format.
        images: Whether it accepts images.
        reasoning: Whether it reasons before it replies.
    """

    context_window: int
    max_output: int
    max_input: int
    tools: bool = True
    structured_output: bool = True
    images: bool = True
    reasoning: bool = True


def _own(context_window: int, max_output: int, *, reasoning: bool = True) -> ModelFacts:
    """Return the facts of a model that takes any input that leaves room for its largest output."""
    return ModelFacts(context_window, max_output, context_window - max_output, reasoning=reasoning)


AS_OF = date(2026, 11, 28)
"""When `FACTS` was last compared with the models that the providers list."""
FACTS: dict[str, ModelFacts] = {
    # https://platform.openai.com/docs/models: 400K context with 128K output, the chat variants 128K with 16,384.
    "gpt-5": _own(400_000, 128_000),
    "gpt-5-chat": _own(128_000, 16_384, reasoning=False),
    "gpt-5.1": _own(400_000, 128_000),
    "gpt-5.1-chat": _own(128_000, 16_384),
    "gpt-5.2": _own(400_000, 128_000),
    "gpt-5.2-chat": _own(128_000, 16_384),
    # https://models.dev, as packaged in langchain-openai 1.7.4.
    "gpt-5.4": _own(1_050_000, 128_000),
    "gpt-5.4-mini": _own(400_000, 128_000),
    "gpt-5.4-nano": _own(400_000, 128_000),
    "gpt-5.5": _own(1_050_000, 128_000),
    "gpt-5.6": _own(1_050_000, 128_000),
}
"""By the id without the gateway's vendor prefix; only what the installed profiles do not say is read here."""


@lru_cache(maxsize=256)
def facts_for(model: str) -> ModelFacts | None:
    """Return what is known about *model*, or None.

    Installed profiles come first, the table here fills their gaps. An id with a suffix after
    a hyphen (a date, `latest`, `mini`) counts as a variant of the same size; another version number is another model.
    """
    wanted = _plain(model)
    listed, kept = _own_facts(), installed_profiles()
    name = max((one for one in {*listed, *kept} if _is_variant(wanted, one)), key=len, default=None)
    if name is None:
        return None
    return _merged(kept[name], listed.get(name)) if name in kept else listed[name]


def _merged(profile: Mapping[str, Any], own: ModelFacts | None) -> ModelFacts:
    """Return the facts of *profile*, which does not tell the whole window from the part for input."""
    largest_input = int(profile["max_input_tokens"])
    return ModelFacts(
        max(own.context_window if own else 0, largest_input),
        int(profile["max_output_tokens"]),
        largest_input,
        tools=bool(profile.get("tool_calling")),
        structured_output=bool(profile.get("structured_output")),
        images=bool(profile.get("image_inputs")),
        reasoning=bool(profile.get("reasoning_output")),
    )


def _plain(model: str) -> str:
    """Return an id without vendor prefix; vendors and gateways differ in case and in the dot of a version."""
    return model.rpartition("/")[2].lower().replace(".", "-")


def _is_variant(model: str, base: str) -> bool:
    return model == base or (model.startswith(f"{base}-") and not VERSION.match(model[len(base) + 1 :]))


@lru_cache(maxsize=1)
def installed_profiles() -> Mapping[str, Mapping[str, Any]]:
    """Return the installed profiles that say both sizes, by plain id."""
    found = {name: profile for name, profile in _profiles_of(GATEWAY_PACKAGE).items() if name not in _own_facts()}
    for package in reversed(PROFILE_PACKAGES):
        found |= _profiles_of(package)
    return found


@lru_cache(maxsize=1)
def _own_facts() -> Mapping[str, ModelFacts]:
    return {_plain(name): facts for name, facts in FACTS.items()}


def _profiles_of(package: str) -> dict[str, Mapping[str, Any]]:
    try:
        spec = find_spec(package)
    except ValueError:  # a module that was put together by hand
        return {}
    places = [Path(folder, PROFILES_AT) for folder in (spec and spec.submodule_search_locations) or ()]
    path = next((place for place in places if place.is_file()), None)
    listed = {} if path is None else _read(package, path)
    return {_plain(name): profile for name, profile in listed.items() if _has_sizes(profile)}


def _read(package: str, path: Path) -> Mapping[str, Any]:
    """Return what the file says. Its form is the package's own affair, so one that has changed is left out."""
    try:
        spec = spec_from_file_location(f"_rivya_profiles_{package}", path)
        module = module_from_spec(spec)  # type: ignore[arg-type]  # None raises, too
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        profiles = module._PROFILES  # noqa: SLF001 - the name under which every package has its data
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the data of another package
        log.warning("The model profiles of %s could not be read (%s) and are left out.", package, type(error).__name__)
        return {}
    return profiles if isinstance(profiles, Mapping) else {}


def _has_sizes(profile: Any) -> bool:
    sizes = ("max_input_tokens", "max_output_tokens")
    return isinstance(profile, Mapping) and all(isinstance(profile.get(size), int) and profile[size] for size in sizes)
