"""OpenAI, Evolink and GMI as data: paths, models, error bodies, deviations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.errors import ApiError
from rivya_sandbox.openai.errors import evolink_body, gmi_body, openai_body
from rivya_sandbox.values import Usage

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CREATED = 1_765_000_000


@dataclass(frozen=True)
class ChatModel:
    """A chat model and the parameters that it accepts.

    Attributes:
        id: The id in requests.
        owner: The value of `owned_by`.
        efforts: The accepted values of `reasoning_effort`.
        max_tokens: Whether it accepts `max_tokens` as the name of the limit.
        temperature: Whether it accepts another temperature than 1.
        shows_reasoning: Whether replies contain `reasoning_content`.
        needs_reasoning: Whether a tool loop must send its reasoning back.
        routes_to: The model that really replies, if it is another one.
    """

    id: str
    owner: str = "openai"
    efforts: tuple[str, ...] = EFFORTS
    max_tokens: bool = False
    temperature: bool = True
    shows_reasoning: bool = False
    needs_reasoning: bool = False
    routes_to: str | None = None


def openai_usage(usage: Usage) -> dict[str, Any]:
    """Return OpenAI's `usage`."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def evolink_usage(usage: Usage) -> dict[str, Any]:
    """Return Evolink's `usage`, which also has the Responses API's keys, without values."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "text_tokens": usage.input_tokens,
            "audio_tokens": 0,
            "image_tokens": 0,
        },
        "completion_tokens_details": {
            "text_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "input_tokens": 0,
        "output_tokens": 0,
        "input_tokens_details": None,
    }


@dataclass(frozen=True)
class Provider:
    """One provider.

    Attributes:
        name: The API's name in the journal.
        prefix: Base path.
        models: The models, by id.
        error_body: Formats an error.
        usage: Formats `usage`.
        plain_text_404: Whether an unknown model is reported as plain text.
        unknown_keys: Whether it ignores keys that OpenAI does not know.
        usage_in_last_chunk: Whether the last chunk of a stream has the usage even if the request does not ask for it.
        model_before_key: Whether it checks the model before the API key.
        model_keys: More keys of every entry of `GET /models`.
        dated_ids: Whether a reply's id begins with its time.
        minimal: Whether replies lack OpenAI's newer keys (`system_fingerprint`, `refusal`, …).
    """

    name: str
    prefix: str
    models: Mapping[str, ChatModel]
    error_body: Callable[[ApiError, str], dict[str, Any]]
    usage: Callable[[Usage], dict[str, Any]] = openai_usage
    plain_text_404: bool = False
    unknown_keys: bool = True
    usage_in_last_chunk: bool = False
    model_before_key: bool = False
    model_keys: tuple[tuple[str, Any], ...] = ()
    dated_ids: bool = False
    minimal: bool = False


def by_id(*models: ChatModel) -> Mapping[str, ChatModel]:
    """Return models by id."""
    return {model.id: model for model in models}


OPENAI = Provider(
    "openai",
    "/v1",
    by_id(
        ChatModel("stand-in", "rivya-sandbox", max_tokens=True, shows_reasoning=True),
        ChatModel("gpt-4.1", max_tokens=True),
        ChatModel("gpt-5.2", efforts=("none", "low", "medium", "high", "xhigh")),
        ChatModel("gpt-5.5", temperature=False),
    ),
    openai_body,
    unknown_keys=False,
)
EVOLINK = Provider(
    "evolink",
    "/evolink/v1",
    by_id(
        ChatModel("gpt-5.2", efforts=("low", "medium", "high", "xhigh"), max_tokens=True),
        ChatModel("gpt-5.1", max_tokens=True),
        ChatModel("gpt-5.1-chat", max_tokens=True),
        ChatModel("gpt-5.1-thinking", max_tokens=True, shows_reasoning=True),
        ChatModel("gpt-5.6-sol", max_tokens=True, temperature=False),
        ChatModel("kimi-k3", "moonshot", efforts=("max",), max_tokens=True),
        ChatModel("deepseek-v4", "deepseek", max_tokens=True, shows_reasoning=True, needs_reasoning=True),
        ChatModel("evolink/auto", "evolink", max_tokens=True, routes_to="gpt-5.2"),
    ),
    evolink_body,
    usage=evolink_usage,
    model_keys=(("supported_endpoint_types", ["openai"]),),
    dated_ids=True,
    minimal=True,
)
GMI = Provider(
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
    gmi_body,
    plain_text_404=True,
    usage_in_last_chunk=True,
    model_before_key=True,
)
PROVIDERS = (OPENAI, EVOLINK, GMI)
