"""When a task is polled.

https://rivya.ai/docs/api-generation-status: wait 2 to 3 s after submitting, then poll every 5 to 10 s with growing
delays. The delays vary a little, so that the tasks of a batch are not all polled at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rivya_core.errors import ConfigurationError

ENOUGH = 3
"""Durations of earlier tasks that are needed to expect a moment."""
MARGIN = 1.02
"""By how much a task may take longer than the earlier ones."""


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """How long and how often a task is polled.

    Attributes:
        deadline: Seconds after which waiting ends with `TaskTimeoutError`; the task keeps running.
        first: Seconds before the first poll; up to half a second is added.
        shortest: Seconds between the first and the second poll.
        longest: Longest delay, in seconds.
        growth: Factor by which each delay is longer than the one before.
        rare: Delay while the expected moment is far away, in seconds.
        expected: Earliest and latest expected moment, in seconds from now; None if it is unknown.
        clock: Returns the time in seconds.
        random: Returns a number from 0 to 1.
    """

    deadline: float = 600.0
    first: float = 2.0
    shortest: float = 5.0
    longest: float = 10.0
    growth: float = 1.2
    rare: float = 30.0
    expected: tuple[float, float] | None = None
    clock: Callable[[], float] = field(default=time.monotonic, compare=False, repr=False)
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the deadline.

        Raises:
            ConfigurationError: The deadline is not a positive number of seconds.
        """
        if not self.deadline > 0:
            raise ConfigurationError(f"`deadline` must be a positive number of seconds, not {self.deadline!r}.")

    def expecting(self, durations: Sequence[float], age: float = 0.0) -> PollingPolicy:
        """Return the policy for a task that may take as long as earlier ones of its kind did.

        Args:
            durations: Seconds that the earlier ones took.
            age: Seconds since this one was submitted.
        """
        window = expected_window(durations)
        if window is None or window[1] - age < self.first:
            return self
        return replace(self, expected=(window[0] - age, window[1] - age))

    def delays(self) -> Iterator[float]:
        """Yield the seconds before each poll, without end."""
        if self.expected is not None:
            yield from self._around(*self.expected)
        else:
            yield self.first + 0.5 * self.random()
        wait = self.shortest
        while True:
            yield min(self.longest, wait * (1 + 0.1 * self.random()))
            wait = min(self.longest, wait * self.growth)

    def _around(self, earliest: float, latest: float) -> Iterator[float]:
        """Yield few waits before the earliest moment, then the shortest ones; a poll falls on the latest moment."""
        steps = int((latest - earliest) // self.shortest)
        begins = max(self.first + 0.5 * self.random(), latest - steps * self.shortest)
        now = 0.0
        while begins - now > 1.5 * self.rare:
            yield self.rare
            now += self.rare
        yield begins - now
        for _ in range(steps):
            yield self.shortest


def expected_window(durations: Sequence[float]) -> tuple[float, float] | None:
    """Return the earliest and the latest moment at which a task may be ready, or None if too little is known.

    A single slow task does not stretch the window: the slowest tenth does not count.
    """
    if len(durations) < ENOUGH:
        return None
    ordered = sorted(durations)
    latest = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return ordered[0], latest * MARGIN
