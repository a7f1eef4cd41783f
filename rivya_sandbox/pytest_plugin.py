"""A pytest plugin: the fixture `rivya_sandbox`, a sandbox on a real port for tests of your own chains.

Installing the package makes the fixture known; nothing is imported, opened or set until a test asks for it.
`-p no:rivya_sandbox` hides even the fixture. What the sandbox can do is told in the package; here is only its life.
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
    """Arguments of the sandbox; override it in your `conftest.py`, for example with `{"dialect": "openai"}`."""
    return {}


@pytest.fixture(scope="session")
def _rivya_sandbox_served(rivya_sandbox_options: Mapping[str, Any]) -> Iterator[Sandbox]:
    """The server that all tests of a process share, on a free port."""
    from rivya_sandbox import serve

    with serve(**rivya_sandbox_options) as sandbox:
        yield sandbox


@pytest.fixture
def rivya_sandbox(_rivya_sandbox_served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox as new, to which `ChatRivya()`, `ChatEvolink()`, `ChatGMI()` and their siblings talk.

    For the length of the test the providers' environment variables (`RIVYA_API_KEY`, `RIVYA_BASE_URL`, …) name it.

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
