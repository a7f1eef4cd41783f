"""Counts the steps of our own code, which do not depend on how busy the machine is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

OURS = ("/rivya_core/", "/langchain_rivya/", "/llamaindex_rivya/")
MOST_GROWTH = 1.05
"""How much more the third hundred may cost than the second one; what is quadratic costs two thirds more."""


def steps_of(work: Callable[[], Any]) -> int:
    """How many instructions of our own code run while *work* runs once more."""
    work()
    found = 0

    def count(frame: Any, event: str, _: Any) -> Any:
        nonlocal found
        if event == "call":
            if not any(part in frame.f_code.co_filename for part in OURS):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        found += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return found


def assert_linear(make: Callable[[int], Callable[[], Any]]) -> None:
    """Check that what *make* returns for a number of items costs the same for each further item."""
    short, longer, longest = (steps_of(make(count)) for count in (100, 200, 300))

    assert longest - longer <= MOST_GROWTH * (longer - short)
