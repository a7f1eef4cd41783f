"""The chat models behind OpenAI-compatible APIs: one class a provider, each little more than its data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from langchain_rivya.chat_models.openai_base import BaseOpenAIChat
from rivya_core.providers import COMPATIBLE, EVOLINK, GMI, Provider

__all__ = ["ChatEvolink", "ChatGMI", "ChatOpenAICompatible"]


class ChatEvolink(BaseOpenAIChat):
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
        max_retry_seconds: Seconds that a call may wait between its requests, all together. Default 60.
        stream_idle_timeout: Seconds that a stream may go on without a piece of the reply. Default 600.
        max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.
        retry_lost_answers: Whether to repeat a call whose answer was lost, although it may be charged. Default False.

    Instantiate:
        ```python
        from langchain_rivya import ChatEvolink

        model = ChatEvolink(max_tokens=500)
        ```

    Invoke:
        ```python
        reply = model.invoke("Name three rivers of Europe.")
        reply.text
        ```

    Stream:
        ```python
        for chunk in model.stream("Name three rivers of Europe."):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        reply = await model.ainvoke("Name three rivers of Europe.")
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"It is 21 degrees in {city}."


        model.bind_tools([get_weather]).invoke("What is the weather in Basel?").tool_calls
        # [{"name": "get_weather", "args": {"city": "Basel"}, "id": "call_...", "type": "tool_call"}]
        ```

    Structured output:
        ```python
        from pydantic import BaseModel


        class River(BaseModel):
            '''A river.'''

            name: str
            length_km: int


        model.with_structured_output(River).invoke("The Rhine is 1230 kilometres long.")
        # River(name="Rhine", length_km=1230)
        ```

    Token usage:
        ```python
        reply.usage_metadata
        # {"input_tokens": 13, "output_tokens": 9, "total_tokens": 22}
        ```

    Response metadata:
        ```python
        reply.response_metadata
        # {"model_provider": "evolink", "model_name": "gpt-5.2", "id": "chatcmpl-...",
        #  "finish_reason": "stop", "created": ...}
        ```
    """

    provider: ClassVar[Provider] = EVOLINK


class ChatGMI(BaseOpenAIChat):
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
        max_retry_seconds: Seconds that a call may wait between its requests, all together. Default 60.
        stream_idle_timeout: Seconds that a stream may go on without a piece of the reply. Default 600.
        max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.
        retry_lost_answers: Whether to repeat a call whose answer was lost, although it may be charged. Default False.

    Instantiate:
        ```python
        from langchain_rivya import ChatGMI

        model = ChatGMI(max_tokens=500)
        ```

    Invoke:
        ```python
        reply = model.invoke("Name three rivers of Europe.")
        reply.text
        ```

    Stream:
        ```python
        for chunk in model.stream("Name three rivers of Europe."):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        reply = await model.ainvoke("Name three rivers of Europe.")
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"It is 21 degrees in {city}."


        model.bind_tools([get_weather]).invoke("What is the weather in Basel?").tool_calls
        # [{"name": "get_weather", "args": {"city": "Basel"}, "id": "call_...", "type": "tool_call"}]
        ```

    Structured output:
        ```python
        from pydantic import BaseModel


        class River(BaseModel):
            '''A river.'''

            name: str
            length_km: int


        model.with_structured_output(River).invoke("The Rhine is 1230 kilometres long.")
        # River(name="Rhine", length_km=1230)
        ```

    Token usage:
        ```python
        reply.usage_metadata
        # {"input_tokens": 13, "output_tokens": 9, "total_tokens": 22}
        ```

    Response metadata:
        ```python
        reply.response_metadata
        # {"model_provider": "gmi", "model_name": "openai/gpt-5.2-chat", "id": "chatcmpl-...",
        #  "finish_reason": "stop", "created": ...}
        ```

    Responses API:
        ```python
        model = ChatGMI(use_responses_api=True, use_previous_response_id=True)
        reply = model.invoke("Name three rivers of Europe.")
        reply.response_metadata["session_route"]
        # "new"; "continue" where the server's stored response is what the messages say
        ```
    """

    provider: ClassVar[Provider] = GMI


class ChatOpenAICompatible(BaseOpenAIChat):
    """Chat models behind any other server that speaks chat completions: vLLM, Ollama, LM Studio, a gateway.

    Source: https://platform.openai.com/docs/api-reference/chat

    Nothing is read from the environment, least of all `OPENAI_API_KEY`.

    Setup:
        Install `rivya-integrations[langchain]`.

    Key init args:
        model: Model id; there is no default.
        base_url: Where the API is, for example `http://localhost:8000/v1`; there is no default.
        api_key: Key, where the server wants one.
        temperature, max_tokens, top_p, stop, seed, reasoning_effort, …: sent only when set.
        timeout: Seconds; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.
        max_retry_seconds: Seconds that a call may wait between its requests, all together. Default 60.
        stream_idle_timeout: Seconds that a stream may go on without a piece of the reply. Default 600.
        max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.
        retry_lost_answers: Whether to repeat a call whose answer was lost, although it may be charged. Default False.

    Instantiate:
        ```python
        from langchain_rivya import ChatOpenAICompatible

        model = ChatOpenAICompatible(model="qwen3", base_url="http://localhost:8000/v1")
        ```

    Invoke:
        ```python
        reply = model.invoke("Name three rivers of Europe.")
        reply.text
        ```

    Stream:
        ```python
        for chunk in model.stream("Name three rivers of Europe."):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        reply = await model.ainvoke("Name three rivers of Europe.")
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"It is 21 degrees in {city}."


        model.bind_tools([get_weather]).invoke("What is the weather in Basel?").tool_calls
        # [{"name": "get_weather", "args": {"city": "Basel"}, "id": "call_...", "type": "tool_call"}]
        ```

    Structured output:
        ```python
        from pydantic import BaseModel


        class River(BaseModel):
            '''A river.'''

            name: str
            length_km: int


        model.with_structured_output(River).invoke("The Rhine is 1230 kilometres long.")
        # River(name="Rhine", length_km=1230)
        ```

    Token usage:
        ```python
        reply.usage_metadata
        # {"input_tokens": 13, "output_tokens": 9, "total_tokens": 22}
        ```

    Response metadata:
        ```python
        reply.response_metadata
        # {"model_provider": "openai-compatible", "model_name": "qwen3", "id": "chatcmpl-...",
        #  "finish_reason": "stop", "created": ...}
        ```
    """

    provider: ClassVar[Provider] = COMPATIBLE

    model: str = Field(min_length=1)
    """Model id."""
    base_url: str = Field(min_length=1)
    """Where the API is."""
