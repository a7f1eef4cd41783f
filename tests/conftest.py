"""What all tests share: a sandbox on a real port, and an environment without anybody's keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from rivya_core.providers import PROVIDERS
from rivya_sandbox import Sandbox, serve

VARIABLES = {name for provider in PROVIDERS for name in (provider.key_variable, provider.url_variable) if name}

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")  # how long an example takes is no property of the code

pytest_plugins = ["image_fixtures", "session_fixtures"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no URL of the developer's reaches a test."""
    for name in VARIABLES | {"OPENAI_API_KEY", "OPENAI_BASE_URL", "COMPATIBLE_API_KEY"}:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def served() -> Iterator[Sandbox]:
    """The sandbox that a whole test process shares."""
    with serve(ready_after=2) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """The sandbox, as new."""
    served.reset()
    return served
