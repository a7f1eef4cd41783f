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

KEY = "sk-secret-0123456789abcdef"


@dataclass(frozen=True)
class Candidate:
    """A class under test: how to make one, and which wire it speaks."""

    name: str
    make: Callable[..., Any]
    wire: Callable[[], Any] = OpenAIRouter
    tools: bool = True


def rivya(url: str, **fields: Any) -> Any:
    from llamaindex_rivya import Rivya

    return Rivya(**{"api_key": KEY, "base_url": url, **fields})


def evolink(url: str, **fields: Any) -> Any:
    from llamaindex_rivya import Evolink

    return Evolink(**{"api_key": KEY, "base_url": url, **fields})


def gmi(url: str, **fields: Any) -> Any:
    from llamaindex_rivya import GMI

    return GMI(**{"api_key": KEY, "base_url": url, **fields})


def compatible(url: str, **fields: Any) -> Any:
    from llamaindex_rivya import OpenAICompatible

    return OpenAICompatible(**{"model": "some-model", "api_key": KEY, "base_url": url, **fields})


def candidates(*, tools: bool = False) -> list[Candidate]:
    """All that are asked for. Our three models of chat completions share a class, so they share the points between them."""
    named = os.environ.get("CONFORMANCE_CANDIDATE")
    if named:
        module, _, function = named.partition(":")
        return [Candidate(function, getattr(import_module(module), function))]
    if tools:
        return [Candidate("Evolink", evolink), Candidate("OpenAICompatible", compatible)]
    return [Candidate("Rivya", rivya, RivyaWire, tools=False), Candidate("GMI", gmi)]


with_tools = pytest.mark.parametrize("candidate", candidates(tools=True), ids=lambda c: c.name)
"""For what only classes with function calling can do."""
