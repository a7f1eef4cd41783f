"""A pytest plugin with the fixture `rivya_sandbox`: a sandbox on a real port for tests of your own chains.

The installed package registers the fixture. Nothing is imported, opened or set until a test requests it.
`-p no:rivya_sandbox` hides the fixture too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rivya_sandbox.sandbox import Sandbox

PROVIDERS = ("rivya", "evolink", "gmi")


@pytest.fixture(scope="session")
def rivya_sandbox_options() -> Mapping[str, Any]:
    """Arguments of the sandbox. Override this in your `conftest.py`, for example with `{"dialect": "openai"}`."""
    return {}


@pytest.fixture(scope="session")
def _rivya_sandbox_served(rivya_sandbox_options: Mapping[str, Any]) -> Iterator[Sandbox]:
    """The server that all tests of one process share, on a free port."""
    from rivya_sandbox import serve

    with serve(**rivya_sandbox_options) as sandbox:
        yield sandbox


@pytest.fixture
def rivya_sandbox(_rivya_sandbox_served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A fresh sandbox. `ChatRivya()`, `ChatEvolink()`, `ChatGMI()` and the LlamaIndex classes use it.

    During the test, the providers' environment variables (`RIVYA_API_KEY`, `RIVYA_BASE_URL`, …) point to it.

        def test_greets(rivya_sandbox):
            rivya_sandbox.answer("Good morning, Ada.")
            assert "Ada" in my_chain.invoke("I am Ada.")
            assert rivya_sandbox.journal.turns[0].context[-1].text == "I am Ada."
    """
    _rivya_sandbox_served.reset()
    for provider in PROVIDERS:
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", _rivya_sandbox_served.api_key)
        monkeypatch.setenv(f"{provider.upper()}_BASE_URL", getattr(_rivya_sandbox_served, f"{provider}_url"))
    return _rivya_sandbox_served
