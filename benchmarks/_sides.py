"""The models that are compared: this package's and the incumbents, all on the fast server."""

from __future__ import annotations

from typing import Any

from _measure import Server


def langchain_models(server: Server, key: str, how: str = "n=10") -> dict[str, Any]:
    """LangChain chat models, by the names of the rows."""
    from langchain_openai import ChatOpenAI

    from langchain_rivya import ChatOpenAICompatible, ChatRivya

    openai = {"model": "gpt-5.2", "api_key": key, "base_url": server.openai(how)}
    return {
        "ChatRivya": ChatRivya(api_key=key, base_url=server.rivya(how)),
        "ChatOpenAICompatible": ChatOpenAICompatible(**openai),
        "incumbent ChatOpenAI": ChatOpenAI(**openai, stream_usage=True),
    }


def llamaindex_models(server: Server, key: str, how: str = "n=10") -> dict[str, Any]:
    """LlamaIndex models, by the names of the rows."""
    from llama_index.llms.openai_like import OpenAILike

    from llamaindex_rivya import OpenAICompatible, Rivya

    openai = {"model": "gpt-5.2", "api_key": key}
    return {
        "Rivya": Rivya(api_key=key, base_url=server.rivya(how)),
        "OpenAICompatible": OpenAICompatible(**openai, base_url=server.openai(how)),
        "incumbent OpenAILike": OpenAILike(
            **openai, api_base=server.openai(how), is_chat_model=True, is_function_calling_model=True
        ),
    }
