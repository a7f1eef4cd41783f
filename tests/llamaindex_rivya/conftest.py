"""Fixtures of the LlamaIndex tests: the scripted back end, the class under test, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_backend import Backend
from llama_calls import Calls
from llama_candidates import Candidate, candidates

from llamaindex_rivya import Rivya
from rivya_sandbox import Sandbox


@pytest.fixture(autouse=True)
def loop_of_ones_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """LlamaIndex's sync engines leave an implicit event loop open; this fixture closes it."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def scripted() -> Iterator[Backend]:
    """The scripted back end that a whole test process shares."""
    with Backend() as backend:
        yield backend


@pytest.fixture(params=candidates(), ids=lambda candidate: candidate.name)
def candidate(request: pytest.FixtureRequest) -> Candidate:
    """Each class under test."""
    return request.param


@pytest.fixture
def backend(scripted: Backend, candidate: Candidate) -> Backend:
    """The back end, as new, in the wire of the class under test."""
    scripted.reset(candidate.wire())
    return scripted


@pytest.fixture
def make(backend: Backend, candidate: Candidate) -> Callable[..., Any]:
    """Makes an LLM of the class under test that talks to the back end."""
    return lambda **fields: candidate.make(backend.url, **fields)


@pytest.fixture
def llm(make: Callable[..., Any]) -> Any:
    """An LLM of the class under test that talks to the back end."""
    return make()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def calls(request: pytest.FixtureRequest) -> Calls:
    """Calls methods, sync and async."""
    return Calls(is_async=request.param)


@pytest.fixture
def rivya(sandbox: Sandbox) -> Rivya:
    """A `Rivya` on the sandbox."""
    return Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)
