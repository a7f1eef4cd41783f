"""Which LLM classes the conformance tests run against: ours, or one that the environment names.

`CONFORMANCE_CANDIDATE=package.module:function` names a function that takes the back end's URL and keyword fields
and returns an LLM that speaks chat completions; `benchmarks/conformance.py` uses it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from llama_backend import OpenAIRouter, RivyaWire

from rivya_core.providers import GMI, PROVIDERS, RIVYA, Provider

KEY = "sk-secret-0123456789abcdef"


@dataclass(frozen=True)
class Candidate:
    """A class under test: how to make one, and which wire it speaks."""

    name: str
    make: Callable[..., Any]
    wire: Callable[[], Any] = OpenAIRouter
    tools: bool = True


def candidate(provider: Provider) -> Candidate:
    """The class of *provider*."""

    def make(url: str, **fields: Any) -> Any:
        import llamaindex_rivya

        needed = {} if provider.default_model else {"model": "some-model"}
        kind = getattr(llamaindex_rivya, provider.class_name)
        return kind(**{"api_key": KEY, "base_url": url, **needed, **fields})

    sessions = provider is RIVYA
    return Candidate(provider.class_name, make, RivyaWire if sessions else OpenAIRouter)


def candidates(*, tools: bool = False) -> list[Candidate]:
    """All that are asked for. Our models of chat completions share a class, so they share the points between them."""
    named = os.environ.get("CONFORMANCE_CANDIDATE")
    if named:
        module, _, function = named.partition(":")
        return [Candidate(function, getattr(import_module(module), function))]
    plain = (RIVYA, GMI)
    return [candidate(provider) for provider in PROVIDERS if (provider in plain) != tools]


with_tools = pytest.mark.parametrize("candidate", candidates(tools=True), ids=lambda c: c.name)
"""For what only classes with function calling can do."""
