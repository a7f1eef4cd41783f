"""The chat models of OpenAI-compatible APIs: one class per provider, with its data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from langchain_rivya.chat_models.openai_base import BaseOpenAIChat
from rivya_core.providers import COMPATIBLE, EVOLINK, GMI, Provider

__all__ = ["ChatEvolink", "ChatGMI", "ChatOpenAICompatible"]


class ChatEvolink(BaseOpenAIChat):
    """Chat models behind Evolink.

    Source: https://docs.evolink.ai
    """

    provider: ClassVar[Provider] = EVOLINK


class ChatGMI(BaseOpenAIChat):
    """Chat models behind GMI Cloud. Model ids carry their vendor's prefix.

    Source: https://docs.gmicloud.ai

    `ChatGMI(use_responses_api=True, use_previous_response_id=True)` uses the Responses API and continues the response
    that the server stored, as long as it holds exactly the messages that you pass. The `session_route` of a reply's
    `response_metadata` says whether it did: `new`, `continue` or `replay`.
    """

    provider: ClassVar[Provider] = GMI


class ChatOpenAICompatible(BaseOpenAIChat):
    """Chat models behind any other server that speaks chat completions: vLLM, Ollama, LM Studio, a gateway.

    No setting is read from the environment, not even `OPENAI_API_KEY`.

    Source: https://platform.openai.com/docs/api-reference/chat
    """

    provider: ClassVar[Provider] = COMPATIBLE

    model: str = Field(min_length=1)
    """Model id."""
    base_url: str = Field(min_length=1)
    """URL of the API."""
