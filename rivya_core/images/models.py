"""The options of an image model as data, and the translation of common arguments to each model's own keys.

The models use five keys for the aspect ratio (`aspect_ratio`, `aspectRatio`, `size`, `imageSize`, `image_size`) and
two ways to write its values (`16:9`, `landscape_16_9`). Callers and agents write `aspect_ratio="16:9"`; the request
uses the model's own key and value. The table of models is in `catalogue.py`; this module sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from rivya_core.errors import InvalidInputError

ParamKind = Literal["select", "number", "text"]
ASPECT_KEYS = ("aspect_ratio", "aspectRatio", "size", "imageSize", "image_size")
"""Keys of the models that all mean `aspect_ratio`."""
RATIO_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "1:1": "square_hd",
        "3:4": "portrait_4_3",
        "9:16": "portrait_16_9",
        "4:3": "landscape_4_3",
        "16:9": "landscape_16_9",
    }
)
"""Names of the ratios in models with named sizes."""
SWITCH = frozenset({"true", "false"})
"""Options of a `select` that is a boolean: strings on the wire, `bool` for callers."""
REFERENCES_KEY = "referenceMediaItems"
MEGABYTE = 1024 * 1024
LONGEST_TEXT = 20_000
"""Most characters of a text argument if the model names no limit."""


@dataclass(frozen=True, slots=True)
class ImageParam:
    """One key of a model's `params`.

    Attributes:
        key: The model's name for it.
        kind: `select` (values are strings, even those that look boolean), `number` or `text`.
        default: Value that the provider uses if none is sent; None if it is not documented.
        options: Values of a `select`; empty if any value is allowed.
        minimum: Smallest value of a `number`.
        maximum: Largest value of a `number`.
        description: Description for people and agents.
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
        """Name of the argument for callers."""
        return "aspect_ratio" if self.key in ASPECT_KEYS else self.key

    @property
    def is_switch(self) -> bool:
        """Whether callers may pass True and False."""
        return self.kind == "select" and frozenset(self.options) == SWITCH

    def wire(self, value: Any) -> str | int | float:
        """Return *value* in the form that the model takes.

        Raises:
            InvalidInputError: The model does not take this value; the message lists the valid ones.
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
    """Limits on the reference images of a model.

    Attributes:
        most: Largest number of images.
        largest: Largest size of each image, in bytes.
    """

    most: int
    largest: int = 10 * MEGABYTE


@dataclass(frozen=True, slots=True)
class ImageModel:
    """An image model.

    Attributes:
        id: Model id, as sent.
        name: Name for people.
        credits: Price of an image with default options; None for an unknown model.
        params: The model's options.
        prompt_limit: Most characters of a prompt; None if it is not documented.
        references: Limits on reference images; None if the model takes none.
        known: False for a model of which only the id is known. Its `params` are not checked.
    """

    id: str
    name: str
    credits: int | None = None
    params: tuple[ImageParam, ...] = ()
    prompt_limit: int | None = None
    references: ReferenceRules | None = None
    known: bool = field(default=True, kw_only=True)

    def wire_params(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return *arguments* with the model's own keys and values. An argument that is None is left out.

        Args:
            arguments: Options by their common names; the model's own keys are accepted too.

        Raises:
            InvalidInputError: The model has no such option, or does not take the value.
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
            raise InvalidInputError("The prompt is empty: describe the image. Nothing was sent.")
        if self.prompt_limit is not None and len(prompt) > self.prompt_limit:
            raise InvalidInputError(
                f"The prompt has {len(prompt):,} characters; `{self.id}` takes at most {self.prompt_limit:,}. Nothing "
                "was sent."
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
        """Largest size of a reference image, in bytes."""
        return (self.references or ReferenceRules(0)).largest

    def _no_such(self, name: str) -> str:
        names = ", ".join(dict.fromkeys(param.name for param in self.params)) or "none"
        return f"`{self.id}` has no option `{name[:100]}`. Its options are: {names}. Nothing was sent."


def unknown_model(model_id: str) -> ImageModel:
    """Return the assumptions about a model that is not in the table: it takes any option, and its price is unknown."""
    return ImageModel(model_id, model_id, references=ReferenceRules(16, 30 * MEGABYTE), known=False)
