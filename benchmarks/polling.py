"""Polling, measured on a simulated clock: how long a finished image waits to be fetched, and how often one looks.

For tasks that take 3 s to 10 min, ours with and without earlier tasks against fixed intervals. A look takes 0.1 s here.
Nothing is sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from statistics import mean

import httpx

from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.images.api import ImageTask, wait_for_task
from rivya_core.images.polling import PollingPolicy
from rivya_core.providers import RIVYA

DURATIONS = (3, 5, 8, 15, 30, 60, 120, 300, 600)
LOOK = 0.1
ROUNDS = 40


@dataclass
class Simulation:
    """One task on a clock that only pauses and looks move."""

    ready_at: float
    now: float = 0.0
    polls: int = 0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.polls += 1
        done = self.now >= self.ready_at
        self.now += LOOK
        result = {"primary_url": "https://m.test/1", "urls": []} if done else None
        return httpx.Response(200, json={"id": "t", "status": "succeeded" if done else "processing", "result": result})

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def seen(self, _: ImageTask) -> Plan[None]:
        yield from ()

    def run(self, polling: PollingPolicy) -> tuple[float, int]:
        """Return the seconds between ready and downloaded, and the number of polls."""
        endpoint = Endpoint(RIVYA, "https://api.test/v1")
        Driver(lambda: self.client, self.sleep).run(wait_for_task(endpoint, "t", polling, self.seen))
        return self.now - self.ready_at, self.polls


class Fixed(PollingPolicy):
    """The same wait before every look."""

    def delays(self) -> Iterator[float]:
        return repeat(self.first)


class TwoThenTen(PollingPolicy):
    """2 s, then 10 s: the slowest that the provider recommends."""

    def delays(self) -> Iterator[float]:
        return chain([2.0], repeat(10.0))


Make = Callable[[Callable[[], float], float], PollingPolicy]
"""Makes a policy from a clock and the seconds that tasks take on average."""


def measure(make: Make, duration: float) -> tuple[float, float, float]:
    """Return mean and longest delay, and the mean number of looks, over tasks of about *duration* seconds."""
    dice, found = random.Random(7), list[tuple[float, int]]()
    for _ in range(ROUNDS):
        simulation = Simulation(duration * dice.uniform(0.9, 1.1))
        found.append(simulation.run(make(lambda simulation=simulation: simulation.now, duration)))
    delays = [delay for delay, _ in found]
    return mean(delays), max(delays), mean(polls for _, polls in found)


def knowing(clock: Callable[[], float], duration: float) -> PollingPolicy:
    """Ours, after twenty tasks of the same kind."""
    dice = random.Random(11)
    earlier = [duration * dice.uniform(0.9, 1.1) for _ in range(20)]
    return PollingPolicy(deadline=2000, clock=clock).expecting(earlier)


WAYS: dict[str, Make] = {
    "ours": lambda clock, _: PollingPolicy(deadline=2000, clock=clock),
    "ours, after 20 tasks": knowing,
    "every 2 s": lambda clock, _: Fixed(deadline=2000, first=2.0, clock=clock),
    "every 5 s": lambda clock, _: Fixed(deadline=2000, first=5.0, clock=clock),
    "every 10 s": lambda clock, _: Fixed(deadline=2000, first=10.0, clock=clock),
    "2 s, then 10 s": lambda clock, _: TwoThenTen(deadline=2000, clock=clock),
}


def main() -> None:
    print("Mean (longest) seconds from ready to downloaded, and mean number of polls.\n")
    print("task takes" + "".join(f"{name:>24}" for name in WAYS))
    for duration in DURATIONS:
        cells = []
        for make in WAYS.values():
            average, longest, polls = measure(make, duration)
            cells.append(f"{average:6.2f} ({longest:5.2f}) {polls:7.1f}")
        print(f"{duration:8d} s" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
