"""When to look at a task again.

https://rivya.ai/docs/api-generation-status: wait 2 to 3 s after submitting, then every 5 to 10 s, growing, no tight
loop. Looks are spread a little, so that a batch does not ask all at once.
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
        deadline: Seconds after which waiting ends with `TaskTimeoutError`; the task goes on.
        first: Seconds before the first look, up to a second more.
        shortest: Seconds between the first and the second look.
        longest: Ceiling of the growing wait, in seconds.
        growth: By how much each wait is longer than the one before.
        clock: Gives the time in seconds.
        random: Gives numbers from 0 to 1.
    """

    deadline: float = 600.0
    first: float = 2.0
    shortest: float = 5.0
    longest: float = 10.0
    growth: float = 1.2
    clock: Callable[[], float] = field(default=time.monotonic, compare=False, repr=False)
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a deadline that no task could meet.

        Raises:
            ConfigurationError: The deadline is not a positive number of seconds.
        """
        if not self.deadline > 0:
            raise ConfigurationError(f"`deadline` must be a positive number of seconds, not {self.deadline!r}.")

    def delays(self) -> Iterator[float]:
        """Yield the seconds before each look, without end."""
        yield self.first + 0.5 * self.random()
        wait = self.shortest
        while True:
            yield min(self.longest, wait * (1 + 0.1 * self.random()))
            wait = min(self.longest, wait * self.growth)
