"""The ways of carrying out a turn, and a process that has learned nothing yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai_asking import Way

from rivya_core.openai.chat import quirks

WAYS = {
    "sync whole": (False, False),
    "async whole": (True, False),
    "sync stream": (False, True),
    "async stream": (True, True),
}


@pytest.fixture(autouse=True)
def nothing_learned() -> Iterator[None]:
    quirks.forget()
    yield
    quirks.forget()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each of the four ways."""
    return Way(*WAYS[request.param])


@pytest.fixture(params=["sync stream", "async stream"])
def stream(request: pytest.FixtureRequest) -> Way:
    """The two ways of streaming."""
    return Way(*WAYS[request.param])


@pytest.fixture(params=["sync whole", "async whole"])
def whole(request: pytest.FixtureRequest) -> Way:
    """The two ways of asking for a whole reply."""
    return Way(*WAYS[request.param])
