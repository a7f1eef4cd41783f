"""The chat models behind OpenAI-compatible APIs: one class a provider, each little more than its data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from langchain_rivya.chat_models.openai_wire import OpenAIWireChat
from rivya_core.providers import COMPATIBLE, EVOLINK, GMI, Provider


class ChatEvolink(OpenAIWireChat):
    """Chat models behind Evolink.

    Source: https://docs.evolink.ai

    Setup:
        Install `rivya-integrations[langchain]` and set the environment variable `EVOLINK_API_KEY`.

    Key init args:
        model: Default `gpt-5.2`.
        api_key: Key; default from `EVOLINK_API_KEY`.
        base_url: Default from `EVOLINK_BASE_URL`, else `https://api.evolink.ai/v1`.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort, …: sent only when set.
        timeout: Seconds; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.

    Instantiate:
        ```python
        from langchain_rivya import ChatEvolink

        model = ChatEvolink(max_tokens=500)
        ```

    Invoke, stream and async as with every LangChain chat model.

    Tool calling:
        ```python
        model.bind_tools([get_weather]).invoke("Weather in Basel?").tool_calls
        ```

    Structured output:
        ```python
        model.with_structured_output(Joke).invoke("Tell me a joke.")
        ```

    Response metadata:
        `model_provider`, `model_name`, `id`, `finish_reason`, `created` and what else the provider says.
    """

    provider: ClassVar[Provider] = EVOLINK


class ChatGMI(OpenAIWireChat):
    """Chat models behind GMI Cloud.

    Source: https://docs.gmicloud.ai

    Setup:
        Install `rivya-integrations[langchain]` and set the environment variable `GMI_API_KEY`.

    Key init args:
        model: Default `openai/gpt-5.2-chat`; ids carry their vendor's prefix.
        api_key: Key; default from `GMI_API_KEY`.
        base_url: Default from `GMI_BASE_URL`, else `https://api.gmi-serving.com/v1`.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort, …: sent only when set; `max_tokens` goes out as
            `max_completion_tokens` where the model wants that.
        timeout: Seconds; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.

    Instantiate:
        ```python
        from langchain_rivya import ChatGMI

        model = ChatGMI(max_tokens=500)
        ```

    Invoke, stream and async as with every LangChain chat model.

    Tool calling, structured output and response metadata as in `ChatEvolink`.
    """

    provider: ClassVar[Provider] = GMI


class ChatOpenAICompatible(OpenAIWireChat):
    """Chat models behind any other server that speaks chat completions: vLLM, Ollama, LM Studio, a gateway.

    Source: https://platform.openai.com/docs/api-reference/chat

    Nothing is read from the environment, least of all `OPENAI_API_KEY`.

    Key init args:
        model: Model id; there is no default.
        base_url: Where the API is, for example `http://localhost:8000/v1`; there is no default.
        api_key: Key, where the server wants one.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort, …: sent only when set.
        timeout: Seconds; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.

    Instantiate:
        ```python
        from langchain_rivya import ChatOpenAICompatible

        model = ChatOpenAICompatible(model="qwen3", base_url="http://localhost:8000/v1")
        ```

    Invoke, stream, async, tools and structured output as with every LangChain chat model.
    """

    provider: ClassVar[Provider] = COMPATIBLE

    model: str = Field(min_length=1)
    """Model id."""
    base_url: str = Field(min_length=1)
    """Where the API is."""
