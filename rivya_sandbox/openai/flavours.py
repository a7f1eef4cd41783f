"""Evolink, GMI and any other OpenAI-compatible back end as data: paths, models, envelopes, quirks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rivya_sandbox.openai import errors

if TYPE_CHECKING:
    from starlette.responses import Response

    from rivya_sandbox.refusals import Refusal

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CREATED = 1_765_000_000


@dataclass(frozen=True)
class ChatModel:
    """A chat model and what it turns down.

    Attributes:
        id: As requests name it.
        owner: For `owned_by`.
        efforts: Values of `reasoning_effort` that it takes.
        max_tokens: Whether the limit may be called so.
        temperature: Whether another temperature than 1 is taken.
        shows_reasoning: Whether its reasoning stands in `reasoning_content`.
        wants_reasoning: Whether it wants its reasoning back in the next step of a tool loop.
        picks: The model that really answers, if another.
    """

    id: str
    owner: str = "openai"
    efforts: tuple[str, ...] = EFFORTS
    max_tokens: bool = False
    temperature: bool = True
    shows_reasoning: bool = False
    wants_reasoning: bool = False
    picks: str | None = None


@dataclass(frozen=True)
class Counts:
    """Tokens of a completion."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


def plain_usage(counts: Counts) -> dict[str, Any]:
    """OpenAI's `usage`."""
    return {
        "prompt_tokens": counts.input_tokens,
        "completion_tokens": counts.output_tokens,
        "total_tokens": counts.total_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def evolink_usage(counts: Counts) -> dict[str, Any]:
    """Evolink's `usage`: the names of the Responses API are there too, and empty."""
    return {
        "prompt_tokens": counts.input_tokens,
        "completion_tokens": counts.output_tokens,
        "total_tokens": counts.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "text_tokens": counts.input_tokens,
            "audio_tokens": 0,
            "image_tokens": 0,
        },
        "completion_tokens_details": {
            "text_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": counts.reasoning_tokens,
        },
        "input_tokens": 0,
        "output_tokens": 0,
        "input_tokens_details": None,
    }


Envelope: TypeAlias = Callable[["Refusal", str], "dict[str, Any]"]


@dataclass(frozen=True)
class Flavour:
    """One back end.

    Attributes:
        name: For the journal.
        prefix: Base path.
        models: By id.
        refuse: An error as an answer.
        envelope: An error as a value, for streams.
        usage: The form of `usage`.
        unknown_keys: Whether keys that OpenAI does not know are let pass.
        usage_in_last_chunk: Whether the last chunk of a stream has the usage although nobody asked for it.
        model_before_key: Whether an unknown model is refused before the key is looked at.
        model_facts: Further keys of every entry of `GET /models`.
        dated_ids: Whether a reply's id begins with its time.
        bare: Whether replies have none of OpenAI's newer keys (`system_fingerprint`, `refusal`, …).
    """

    name: str
    prefix: str
    models: Mapping[str, ChatModel]
    refuse: Callable[[Refusal, str], Response]
    envelope: Envelope
    usage: Callable[[Counts], dict[str, Any]] = plain_usage
    unknown_keys: bool = True
    usage_in_last_chunk: bool = False
    model_before_key: bool = False
    model_facts: tuple[tuple[str, Any], ...] = ()
    dated_ids: bool = False
    bare: bool = False


def by_id(*models: ChatModel) -> Mapping[str, ChatModel]:
    """Models in a table."""
    return {model.id: model for model in models}


PLAIN = Flavour(
    "openai",
    "/v1",
    by_id(
        ChatModel("stand-in", "rivya-sandbox", max_tokens=True, shows_reasoning=True),
        ChatModel("gpt-4.1", max_tokens=True),
        ChatModel("gpt-5.2", efforts=("none", "low", "medium", "high", "xhigh")),
        ChatModel("gpt-5.5", temperature=False),
    ),
    errors.plain,
    errors.plain_body,
    unknown_keys=False,
)
EVOLINK = Flavour(
    "evolink",
    "/evolink/v1",
    by_id(
        ChatModel("gpt-5.2", efforts=("low", "medium", "high", "xhigh"), max_tokens=True),
        ChatModel("gpt-5.1", max_tokens=True),
        ChatModel("gpt-5.1-chat", max_tokens=True),
        ChatModel("gpt-5.1-thinking", max_tokens=True, shows_reasoning=True),
        ChatModel("gpt-5.6-sol", max_tokens=True, temperature=False),
        ChatModel("kimi-k3", "moonshot", efforts=("max",), max_tokens=True),
        ChatModel("deepseek-v4", "deepseek", max_tokens=True, shows_reasoning=True, wants_reasoning=True),
        ChatModel("evolink/auto", "evolink", max_tokens=True, picks="gpt-5.2"),
    ),
    errors.evolink,
    errors.evolink_body,
    usage=evolink_usage,
    model_facts=(("supported_endpoint_types", ["openai"]),),
    dated_ids=True,
    bare=True,
)
GMI = Flavour(
    "gmi",
    "/gmi/v1",
    by_id(
        ChatModel("openai/gpt-5.2-chat", efforts=("medium",)),
        ChatModel("openai/gpt-5.2", efforts=("none", "low", "medium", "high", "xhigh")),
        ChatModel("openai/gpt-5.1"),
        ChatModel("openai/gpt-5", efforts=("minimal", "low", "medium", "high"), temperature=False),
        ChatModel("openai/gpt-5.4-mini"),
        ChatModel("openai/gpt-5.5", temperature=False),
        ChatModel("deepseek-ai/DeepSeek-V3.2", "deepseek-ai", max_tokens=True, shows_reasoning=True),
    ),
    errors.gmi,
    errors.gmi_body,
    usage_in_last_chunk=True,
    model_before_key=True,
)
FLAVOURS = (PLAIN, EVOLINK, GMI)
