"""What the tests of the core share."""

from __future__ import annotations

import pytest
from both_drivers import Runner


@pytest.fixture(params=["sync", "async"])
def runner(request: pytest.FixtureRequest) -> Runner:
    """Carries plans out, with each of the drivers in turn."""
    return Runner(request.param)
