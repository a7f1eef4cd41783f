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
from llama_backend import OpenAIWire, RivyaWire

KEY = "sk-secret-0123456789abcdef"


@dataclass(frozen=True)
class Candidate:
    """A class under test: how to make one, and which wire it speaks."""

    name: str
    make: Callable[..., Any]
    wire: Callable[[], Any] = OpenAIWire
    tools: bool = True


def rivya(url: str, **fields: Any) -> Any:
    from llamaindex_rivya import Rivya

    return Rivya(**{"api_key": KEY, "base_url": url, **fields})


def candidates() -> list[Candidate]:
    """All that there are."""
    named = os.environ.get("CONFORMANCE_CANDIDATE")
    if named:
        module, _, function = named.partition(":")
        return [Candidate(function, getattr(import_module(module), function))]
    return [Candidate("Rivya", rivya, RivyaWire, tools=False)]


with_tools = pytest.mark.parametrize("candidate", [c for c in candidates() if c.tools], ids=lambda c: c.name)
"""For what only classes with function calling can do."""
