"""Point 15: what importing the class costs, counted in modules because seconds depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest
from llama_candidates import candidates

pytestmark = pytest.mark.parametrize("candidate", candidates()[-1:], ids=lambda candidate: candidate.name)

COUNT = """
import json, sys
import httpx, llama_index.core
before = set(sys.modules)
import {module}
{module}.{name}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@cache
def added(module: str, name: str) -> list[str]:
    """Modules that the class adds to its framework and httpx."""
    code = COUNT.format(module=module, name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_light_import(llm):
    """The class adds little to its framework."""
    home = type(llm).__module__.partition(".")[0]
    module = "llamaindex_rivya" if home == "llamaindex_rivya" else type(llm).__module__

    assert len(added(module, type(llm).__name__)) < 120


def test_no_sdk_and_no_other_framework(llm):
    """No provider's SDK, no other framework, no tokenizer."""
    home = type(llm).__module__.partition(".")[0]
    module = "llamaindex_rivya" if home == "llamaindex_rivya" else type(llm).__module__

    roots = {name.partition(".")[0] for name in added(module, type(llm).__name__)}
    assert roots & {"openai", "anthropic", "langchain_core", "tiktoken", "starlette", "uvicorn"} == set()
