"""The common part of the providers' docstrings: how to set up and call a chat model."""

from __future__ import annotations

from inspect import cleandoc
from string import Template

from rivya_core.providers import Provider

SHARED = Template('''\
Setup:
    Install `rivya-integrations[langchain]`$setup.

Key init args:
    model: Model id$model.
    api_key: Key, or a sync or async function that returns one for each request$api_key.
    base_url: URL of the API$base_url.
    temperature, max_tokens, top_p, stop, seed, reasoning_effort, ...: sent only when set.
    timeout: Seconds to connect and between two reads. Default: 10 and 120.
    max_retries: Extra requests after a retryable failure. Default 2.
    max_retry_seconds: Total seconds that a call may wait between its requests. Default 60.
    retry_lost_answers: Whether to repeat a call whose response was lost, although it may be charged. Default False.
    stream_idle_timeout: Seconds that a stream may last without a piece of the reply. Default 600.
    max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.

Instantiate:
    ```python
    from langchain_rivya import $name

    model = $name($arguments)
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
        """Get the weather in a city."""
        return f"It is 21 degrees in {city}."


    model.bind_tools([get_weather]).invoke("What is the weather in Basel?").tool_calls
    # [{"name": "get_weather", "args": {"city": "Basel"}, "id": "call_...", "type": "tool_call"}]
    ```

Structured output:
    ```python
    from pydantic import BaseModel


    class River(BaseModel):
        """A river."""

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
    # {"model_provider": "$provider", "model_name": "...", "id": "chatcmpl-...",
    #  "finish_reason": "stop", "created": ...}
    ```
''')


def described(name: str, own: str, provider: Provider) -> str:
    """Return the docstring of the class *name*: its own text, and what its provider's data and all classes add."""
    fixed = provider.default_model
    text = SHARED.substitute(
        name=name,
        provider=provider.name,
        setup=f" and set the environment variable `{provider.key_variable}`" if provider.key_variable else "",
        model=f". Default `{fixed}`" if fixed else "; there is no default",
        api_key=f". Default from `{provider.key_variable}`"
        if provider.key_variable
        else ", where the server wants one",
        base_url=f". Default from `{provider.url_variable}`, else `{provider.base_url}`"
        if provider.base_url
        else "; there is no default",
        arguments="max_tokens=500" if fixed else 'model="qwen3", base_url="http://localhost:8000/v1"',
    )
    return f"{cleandoc(own)}\n\n{text}"
