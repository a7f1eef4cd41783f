"""When a task is polled.

https://rivya.ai/docs/api-generation-status: wait 2 to 3 s after submitting, then poll every 5 to 10 s with growing
delays. The delays vary a little, so that the tasks of a batch are not all polled at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rivya_core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """How long and how often a task is polled.

    Attributes:
        deadline: Seconds after which waiting ends with `TaskTimeoutError`; the task keeps running.
        first: Seconds before the first poll; up to half a second is added.
        shortest: Seconds between the first and the second poll.
        longest: Longest delay, in seconds.
        growth: Factor by which each delay is longer than the one before.
        clock: Returns the time in seconds.
        random: Returns a number from 0 to 1.
    """

    deadline: float = 600.0
    first: float = 2.0
    shortest: float = 5.0
    longest: float = 10.0
    growth: float = 1.2
    clock: Callable[[], float] = field(default=time.monotonic, compare=False, repr=False)
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the deadline.

        Raises:
            ConfigurationError: The deadline is not a positive number of seconds.
        """
        if not self.deadline > 0:
            raise ConfigurationError(f"`deadline` must be a positive number of seconds, not {self.deadline!r}.")

    def delays(self) -> Iterator[float]:
        """Yield the seconds to wait before each poll, without end."""
        yield self.first + 0.5 * self.random()
        wait = self.shortest
        while True:
            yield min(self.longest, wait * (1 + 0.1 * self.random()))
            wait = min(self.longest, wait * self.growth)
