"""Rivya, Evolink and GMI Cloud as data.

What the pages of a provider leave open is a value here, so that one edit corrects it when the real service differs. The
code asks for capabilities; it never compares provider names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rivya_core.types import SendBack


@dataclass(frozen=True, slots=True)
class CompletionsProfile:
    """How chat completion requests are written for a model.

    Attributes:
        limit_key: Name of the limit of the reply's tokens, `max_tokens` or `max_completion_tokens`.
        stream_options: Whether streams request usage with `stream_options`. After one refusal it is no longer sent.
        developer_role: Whether `developer` is a role; otherwise its messages are sent as `system`.
        one_system_message: Whether the API takes one system message only, at the beginning; several are joined.
        names: Whether a message may have a `name`.
        reasoning_key: Where the API wants every assistant's reasoning, for example `reasoning_content`: also that of
            messages that do not say where they come from. None elsewhere.
        send_back: Which state of a reply may go back to the back end that sent it: all (`own`), none (`none`), or the
            keys with these names. A chat class can narrow it.
        tool_media: Whether a tool's message may hold images; else they follow in a user's message of their own.
        json_schema: Whether `response_format` takes a JSON schema.
    """

    limit_key: str = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    one_system_message: bool = False
    names: bool = True
    reasoning_key: str | None = None
    send_back: SendBack = "own"
    tool_media: bool = False
    json_schema: bool = True


# https://docs.evolink.ai and https://docs.gmicloud.ai have the reasoning of DeepSeek's models sent back on later turns.
DEEPSEEK = CompletionsProfile(reasoning_key="reasoning_content", send_back=("reasoning_content",), json_schema=False)


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """Everything that is known about a provider before the first request. There is one value per provider.

    Attributes:
        name: As frameworks report it (`ls_provider`, `model_provider`).
        class_name: Of its chat class: `GMI` is `ChatGMI` in LangChain and `GMI` in LlamaIndex.
        base_url: Where its API is, without a trailing slash.
        key_variable: Environment variable that holds the key.
        url_variable: Environment variable that overrides `base_url`.
        default_model: Chat model when none is named.
        chat: How chat completions are to be written.
        completions_by_model: The same for the models whose id begins with the key; the longest that fits counts.
        balance_at: Where the response of `GET /credits` holds what can still be spent; empty without such an endpoint.
        idempotent_paths: Paths where a POST with the same `Idempotency-Key` is carried out once. Only where a page
            of the provider says so; elsewhere a request whose response was lost is not repeated.
    """

    name: str
    class_name: str
    base_url: str
    key_variable: str
    url_variable: str
    default_model: str
    chat: CompletionsProfile = CompletionsProfile()
    completions_by_model: Mapping[str, CompletionsProfile] = field(default_factory=dict, hash=False)
    balance_at: tuple[str, ...] = ()
    idempotent_paths: frozenset[str] = frozenset()

    @property
    def stored_key_variable(self) -> str:
        """Environment variable that holds the key of a stored model; a stored model never holds its key."""
        return self.key_variable or "COMPATIBLE_API_KEY"

    @property
    def stored_headers_variable(self) -> str:
        """Environment variable with its headers, a JSON object."""
        return self.stored_key_variable.replace("_API_KEY", "_DEFAULT_HEADERS")

    def completions_profile(self, model: str) -> CompletionsProfile:
        """Return how chat completions for *model* are to be written."""
        fits = [prefix for prefix in self.completions_by_model if model.startswith(prefix)]
        return self.completions_by_model[max(fits, key=len)] if fits else self.chat


RIVYA = Provider(
    name="rivya",
    class_name="Rivya",
    base_url="https://rivya.ai/api/v1",
    key_variable="RIVYA_API_KEY",
    url_variable="RIVYA_BASE_URL",
    default_model="gpt-5-2-chat",
    balance_at=("current_credits",),
    # https://rivya.ai/docs/api-chat and /api-generations show the header; the stream's page is silent.
    idempotent_paths=frozenset({"/chat/completions", "/generations"}),
)
EVOLINK = Provider(
    name="evolink",
    class_name="Evolink",
    base_url="https://api.evolink.ai/v1",
    key_variable="EVOLINK_API_KEY",
    url_variable="EVOLINK_BASE_URL",
    default_model="gpt-5.2",
    balance_at=("data", "user", "remaining_credits"),  # https://docs.evolink.ai, "Get credits"
    # Its pages prefer the new name of the limit; `response_format` is shown with `json_object` alone, and the upstream
    # of the `gpt-` models is OpenAI.
    chat=CompletionsProfile(limit_key="max_completion_tokens", json_schema=False),
    completions_by_model={
        "gpt-": CompletionsProfile(limit_key="max_completion_tokens"),
        "deepseek": DEEPSEEK,
    },
)
GMI = Provider(
    name="gmi",
    class_name="GMI",
    base_url="https://api.gmi-serving.com/v1",
    key_variable="GMI_API_KEY",
    url_variable="GMI_BASE_URL",
    default_model="openai/gpt-5.2-chat",
    # https://docs.gmicloud.ai: the general parameter table has `max_tokens` and `json_object`; the `openai/` models'
    # pages show the `developer` role and hand `max_tokens` back as an error.
    chat=CompletionsProfile(json_schema=False),
    completions_by_model={
        "openai/": CompletionsProfile(limit_key="max_completion_tokens", developer_role=True),
        "deepseek-ai/": DEEPSEEK,
    },
)
COMPATIBLE = Provider(
    name="openai-compatible",
    class_name="OpenAICompatible",
    base_url="",
    key_variable="",
    url_variable="",
    default_model="",
)
"""Any other OpenAI-compatible back end: nothing is read from the environment, a key is optional."""
PROVIDERS = (RIVYA, EVOLINK, GMI, COMPATIBLE)
"""Every provider that has a chat class in both packages; what lists them (exports, registration, tests) reads this."""
