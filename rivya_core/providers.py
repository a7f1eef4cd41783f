"""Rivya, Evolink and GMI Cloud as data.

What the pages of a provider leave open stands here as a value, so that one edit mends it when the real service
says otherwise. Capabilities are consulted where they matter; nothing compares provider names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rivya_core.chat_rules import ChatRules

VERSION = "0.1.0"


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """What there is to know about a provider before the first request; one value each, compared by identity.

    Attributes:
        name: As frameworks report it (`ls_provider`, `model_provider`).
        base_url: Where its API is, without a trailing slash.
        key_variable: Environment variable that holds the key.
        url_variable: Environment variable that overrides `base_url`.
        default_model: Chat model when none is named.
        chat: How chat completions are to be written.
        chat_by_model: The same for the models whose id begins with the key; the longest that fits counts.
        balance_at: Where the answer of `GET /credits` holds what can still be spent; empty without such an endpoint.
        idempotent_paths: Paths where a POST with the same `Idempotency-Key` is carried out once. Only where a page
            of the provider says so; elsewhere a lost answer is not repeated.
    """

    name: str
    base_url: str
    key_variable: str
    url_variable: str
    default_model: str
    chat: ChatRules = ChatRules()
    chat_by_model: Mapping[str, ChatRules] = field(default_factory=dict, hash=False)
    balance_at: tuple[str, ...] = ()
    idempotent_paths: frozenset[str] = frozenset()

    def chat_rules(self, model: str) -> ChatRules:
        """Return how chat completions for *model* are to be written."""
        fits = [prefix for prefix in self.chat_by_model if model.startswith(prefix)]
        return self.chat_by_model[max(fits, key=len)] if fits else self.chat


RIVYA = Provider(
    name="rivya",
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
    base_url="https://api.evolink.ai/v1",
    key_variable="EVOLINK_API_KEY",
    url_variable="EVOLINK_BASE_URL",
    default_model="gpt-5.2",
    balance_at=("data", "user", "remaining_credits"),  # https://docs.evolink.ai, "Get credits"
    # Its pages prefer the new name of the limit; `response_format` is shown with `json_object` alone, and the upstream
    # of the `gpt-` models is OpenAI. https://docs.evolink.ai has DeepSeek's reasoning sent back on later turns.
    chat=ChatRules(limit_key="max_completion_tokens", json_schema=False),
    chat_by_model={
        "gpt-": ChatRules(limit_key="max_completion_tokens"),
        "deepseek": ChatRules(reasoning_key="reasoning_content", json_schema=False),
    },
)
GMI = Provider(
    name="gmi",
    base_url="https://api.gmi-serving.com/v1",
    key_variable="GMI_API_KEY",
    url_variable="GMI_BASE_URL",
    default_model="openai/gpt-5.2-chat",
    # https://docs.gmicloud.ai: the general parameter table has `max_tokens` and `json_object`; the `openai/` models'
    # pages show the `developer` role and hand `max_tokens` back as an error.
    chat=ChatRules(json_schema=False),
    chat_by_model={
        "openai/": ChatRules(limit_key="max_completion_tokens", developer_role=True),
        "deepseek-ai/": ChatRules(reasoning_key="reasoning_content", json_schema=False),
    },
)
COMPATIBLE = Provider(
    name="openai-compatible", base_url="", key_variable="", url_variable="", default_model="", chat=ChatRules()
)
"""Any other OpenAI-compatible back end: nothing is read from the environment, a key is optional."""
