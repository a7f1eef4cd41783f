"""The models of OpenAI-compatible back ends: one class per provider, with its data."""

from typing import ClassVar

from pydantic import Field

from llamaindex_rivya.llms.openai_base import BaseOpenAILLM
from rivya_core import providers
from rivya_core.providers import Provider

__all__ = ["GMI", "Evolink", "OpenAICompatible"]


class Evolink(BaseOpenAILLM):
    """Chat models behind Evolink, with tools, structured output and media.

    Source: https://docs.evolink.ai

    Args:
        model: Default `gpt-5.2`.
        api_key: Key; default from `EVOLINK_API_KEY`.
        base_url: Default from `EVOLINK_BASE_URL`, else `https://api.evolink.ai/v1`.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort: Sent only when set; a call may override them.
        context_window: Tokens of input and output, for a model whose size is not known.

    Raises:
        ConfigurationError: The key is missing, a URL is invalid, or an argument does not exist.

    Example:
        ```python
        from llama_index.core.agent.workflow import FunctionAgent
        from llamaindex_rivya import Evolink


        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"It is 21 degrees in {city}."


        agent = FunctionAgent(llm=Evolink(max_tokens=500), tools=[get_weather])
        print(await agent.run("What is the weather in Basel?"))
        ```
    """

    provider: ClassVar[Provider] = providers.EVOLINK

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex's serialised forms know the class."""
        return "evolink_llm"


class GMI(BaseOpenAILLM):
    """Chat models behind GMI Cloud, with tools, structured output and media.

    Source: https://docs.gmicloud.ai

    Args:
        model: Default `openai/gpt-5.2-chat`; ids carry their vendor's prefix.
        api_key: Key; default from `GMI_API_KEY`.
        base_url: Default from `GMI_BASE_URL`, else `https://api.gmi-serving.com/v1`.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort: Sent only when set; a call may override them.
        context_window: Tokens of input and output, for a model whose size is not known.

    Raises:
        ConfigurationError: The key is missing, a URL is invalid, or an argument does not exist.

    Example:
        ```python
        from llamaindex_rivya import GMI

        print(GMI(max_tokens=500).complete("Name three rivers of Europe."))
        ```
    """

    provider: ClassVar[Provider] = providers.GMI

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex's serialised forms know the class."""
        return "gmi_llm"


class OpenAICompatible(BaseOpenAILLM):
    """Chat models behind any other server that speaks chat completions: vLLM, Ollama, LM Studio, a gateway.

    No setting is read from the environment, not even `OPENAI_API_KEY`.

    Source: https://platform.openai.com/docs/api-reference/chat

    Args:
        model: Model id; there is no default.
        base_url: URL of the API, for example `http://localhost:8000/v1`; there is no default.
        api_key: Key, where the server wants one.
        is_function_calling_model: Whether the model calls tools. Default True.
        context_window: Tokens of input and output. Default 32,000 for a model whose size is not known.

    Raises:
        ConfigurationError: A URL that cannot be one, or an argument that does not exist.

    Example:
        ```python
        from llamaindex_rivya import OpenAICompatible

        llm = OpenAICompatible(model="qwen3", base_url="http://localhost:8000/v1", context_window=16_000)
        ```
    """

    provider: ClassVar[Provider] = providers.COMPATIBLE

    model: str = Field(min_length=1, description="Model id.")
    base_url: str = Field(min_length=1, description="Where the API is.")

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex's serialised forms know the class."""
        return "openai_compatible_llm"
