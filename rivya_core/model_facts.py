"""What is known of models behind OpenAI-compatible APIs: sizes and abilities, as data.

Frameworks choose by it: how long a prompt may get, whether an agent uses tools or a response format. A model that is
not here is not guessed at; callers say `context_window=` or `profile=` for it.
"""

from __future__ import annotations

from dataclasses import dataclass


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
