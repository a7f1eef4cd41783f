"""What an image model takes, as data, and how one set of friendly arguments becomes each model's own keys.

The same idea has five key names across the models (`aspect_ratio`, `aspectRatio`, `size`, `imageSize`, `image_size`)
and two ways of naming its values (`16:9`, `landscape_16_9`). Callers and agents say `aspect_ratio="16:9"`; what goes
out is the model's own. The table of models is in `catalogue.py`; nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from rivya_core.errors import InvalidInputError

ParamKind = Literal["select", "number", "text"]
ASPECT_KEYS = ("aspect_ratio", "aspectRatio", "size", "imageSize", "image_size")
"""Own keys that all mean the friendly `aspect_ratio`."""
RATIO_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "1:1": "square_hd",
        "3:4": "portrait_4_3",
        "9:16": "portrait_16_9",
        "4:3": "landscape_4_3",
        "16:9": "landscape_16_9",
    }
)
"""What models with named sizes call a ratio."""
SWITCH = frozenset({"true", "false"})
"""Options of a `select` that is a switch: strings on the wire, booleans for callers."""
REFERENCES_KEY = "referenceMediaItems"
MEGABYTE = 1024 * 1024
LONGEST_TEXT = 20_000
"""Characters of a text argument where the model names no limit."""


@dataclass(frozen=True, slots=True)
class ImageParam:
    """One key of a model's `params`.

    Attributes:
        key: The model's own name for it.
        kind: `select` (values are strings, also where they look boolean), `number` or `text`.
        default: What the provider uses when it is not sent; None where no page says.
        options: Values of a `select`; empty where any may be.
        minimum: Least value of a `number`.
        maximum: Greatest value of a `number`.
        description: For people and agents.
    """

    key: str
    kind: ParamKind = "select"
    default: str | None = None
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""

    @property
    def name(self) -> str:
        """The friendly argument."""
        return "aspect_ratio" if self.key in ASPECT_KEYS else self.key

    @property
    def is_switch(self) -> bool:
        """Whether callers may say True and False."""
        return self.kind == "select" and frozenset(self.options) == SWITCH

    def wire(self, value: Any) -> str | int | float:
        """Return *value* as the model takes it.

        Raises:
            InvalidInputError: The model does not take it; the message lists what it takes.
        """
        if self.kind == "number":
            return self._number(value)
        word = str(value).lower() if isinstance(value, bool) else value
        if not isinstance(word, str) or (self.kind == "text" and len(word) > LONGEST_TEXT):
            raise InvalidInputError(
                f"`{self.name}` must be text of at most {LONGEST_TEXT:,} characters, not {value!r}."
            )
        return self._option(word) if self.options else word

    def _option(self, word: str) -> str:
        for same in (word, RATIO_NAMES.get(word, word)):
            if same in self.options:
                return same
        raise InvalidInputError(
            f"`{self.name}` must be one of {', '.join(self.options)}, not {word[:100]!r}; nothing was sent."
        )

    def _number(self, value: Any) -> int | float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
        low, high = self.minimum, self.maximum
        if not good or (low is not None and value < low) or (high is not None and value > high):
            bounds = [f"at least {low:g}"] * (low is not None) + [f"at most {high:g}" if high is not None else ""]
            wanted = " and ".join(filter(None, bounds))
            raise InvalidInputError(f"`{self.name}` must be a number {wanted}, not {value!r}; nothing was sent.")
        number: int | float = value
        return number


@dataclass(frozen=True, slots=True)
class ReferenceRules:
    """Which reference images a model takes.

    Attributes:
        most: How many.
        largest: Bytes that each may have.
    """

    most: int
    largest: int = 10 * MEGABYTE


@dataclass(frozen=True, slots=True)
class ImageModel:
    """An image model.

    Attributes:
        id: As sent; opaque.
        name: For people.
        credits: What an image with default options costs; None for a model that is not known.
        params: Its options.
        prompt_limit: Characters of a prompt, or None where no page says.
        references: None where it takes no reference images.
        known: False for a model of which only the id is known; it takes any `params`, unchecked.
    """

    id: str
    name: str
    credits: int | None = None
    params: tuple[ImageParam, ...] = ()
    prompt_limit: int | None = None
    references: ReferenceRules | None = None
    known: bool = field(default=True, kw_only=True)

    def wire_params(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return *arguments* under the model's own keys, with the model's own values; None means not given.

        Args:
            arguments: By friendly names; a model's own key is understood too.

        Raises:
            InvalidInputError: The model has no such argument or does not take the value.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if not self.known:
            return given
        by_name = {name: param for param in self.params for name in (param.key, param.name)}
        params: dict[str, Any] = {}
        for name, value in given.items():
            param = by_name.get(name)
            if param is None:
                raise InvalidInputError(self._no_such(name))
            params[param.key] = param.wire(value)
        return params

    def check_prompt(self, prompt: str) -> None:
        """Raise `InvalidInputError` for a prompt that is empty or too long."""
        if not prompt.strip():
            raise InvalidInputError("The prompt is empty; say what the image shows. Nothing was sent.")
        if self.prompt_limit is not None and len(prompt) > self.prompt_limit:
            raise InvalidInputError(
                f"The prompt has {len(prompt):,} characters and `{self.id}` takes {self.prompt_limit:,}; nothing was "
                "sent."
            )

    def check_references(self, count: int) -> None:
        """Raise `InvalidInputError` for more reference images than the model takes."""
        if not count:
            return
        if self.references is None:
            raise InvalidInputError(f"`{self.id}` takes no reference images; nothing was sent.")
        if count > self.references.most:
            raise InvalidInputError(
                f"`{self.id}` takes at most {self.references.most} reference images, not {count}; nothing was sent."
            )

    @property
    def largest_reference(self) -> int:
        """Bytes that a reference image may have."""
        return (self.references or ReferenceRules(0)).largest

    def _no_such(self, name: str) -> str:
        names = ", ".join(dict.fromkeys(param.name for param in self.params)) or "no options"
        return f"`{self.id}` has no argument `{name[:100]}`; beside the prompt it takes {names}. Nothing was sent."


def unknown_model(model_id: str) -> ImageModel:
    """Return what is assumed of a model that the table does not have: it takes anything, and its price is unknown."""
    return ImageModel(model_id, model_id, references=ReferenceRules(16, 30 * MEGABYTE), known=False)
