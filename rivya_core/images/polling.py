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
from rivya_core.images.expectation import LONGEST, expected_moments


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """How long and how often a task is polled.

    Attributes:
        deadline: Seconds after which waiting ends with `TaskTimeoutError`; the task keeps running.
        first: Seconds before the first poll; up to half a second is added.
        shortest: Seconds between the first and the second poll.
        longest: Longest delay, in seconds.
        growth: Factor by which each delay is longer than the one before.
        rare: Longest delay while the expected moment is far away, in seconds.
        expected: Seconds that earlier tasks of the kind took, the newest last; empty if unknown.
        age: Seconds since the task was submitted, when waiting begins.
        clock: Returns the time in seconds.
        random: Returns a number from 0 to 1.
    """

    deadline: float = 600.0
    first: float = 2.0
    shortest: float = 5.0
    longest: float = 10.0
    growth: float = 1.2
    rare: float = 20.0
    expected: tuple[float, ...] = ()
    age: float = 0.0
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
            durations: Seconds that the earlier ones took, the newest last.
            age: Seconds since this one was submitted.
        """
        expected = tuple(seconds for seconds in durations if 0 < seconds <= LONGEST)
        return replace(self, expected=expected, age=age)

    def delays(self) -> Iterator[float]:
        """Yield the seconds before each poll, without end. The time that a poll takes shortens the next delay."""
        begun, now, least = self.clock(), 0.0, self.first + 0.5 * self.random()
        for moment in self._moments() if self.expected else [least]:
            if moment >= now:  # the provider may have asked to wait longer
                wait = max(least, moment - now)
                yield wait
                now, least = max(now + wait, self.clock() - begun), self.shortest
        wait = self.shortest
        while True:
            yield min(self.longest, wait * (1 + 0.1 * self.random()))
            wait = min(self.longest, wait * self.growth)

    def _moments(self) -> list[float]:
        """Return when to poll: with growing delays before the earliest expected moment, and then where it pays most."""
        best = expected_moments(self.expected, self.age + self.first, self.shortest, self.rare)
        before, now, wait = list[float](), self.age, self.longest
        while best[0] - now > 1.5 * wait:
            now += wait
            before.append(now)
            wait = min(self.rare, wait * self.growth)
        return [moment - self.age for moment in (*before, *best)]
