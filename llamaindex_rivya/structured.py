"""Structured prediction that leaves the caller's objects as they were.

LlamaIndex's programs set their output parser on the prompt that they are given and take keys out of the
`llm_kwargs`; a template that was used once would carry its schema text into every later call. So each call works
on copies.
"""

from collections.abc import AsyncGenerator, Generator
from typing import Any

from llama_index.core.llms.llm import LLM


class StructuredPrediction(LLM):
    """`structured_predict` and its siblings, on copies of the caller's prompt and keywords."""

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* made from the reply to *prompt*."""
        return super().structured_predict(output_cls, _copy(prompt), dict(llm_kwargs or {}), **prompt_args)

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """Return an *output_cls* made from the reply to *prompt*."""
        return await super().astructured_predict(output_cls, _copy(prompt), dict(llm_kwargs or {}), **prompt_args)

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        return super()._structured_stream_call(output_cls, _copy(prompt), dict(llm_kwargs or {}), **prompt_args)

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        copied = dict(llm_kwargs or {})
        return await super()._structured_astream_call(output_cls, _copy(prompt), copied, **prompt_args)


def _copy(prompt: Any) -> Any:
    return prompt.model_copy()
