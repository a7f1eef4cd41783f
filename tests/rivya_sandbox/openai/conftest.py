"""The official clients that a test makes are closed after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import referee


@pytest.fixture(autouse=True)
def clients_are_closed() -> Iterator[None]:
    yield
    while referee.made:
        referee.made.pop().close()
