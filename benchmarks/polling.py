"""Polling, measured on a simulated clock: how long a finished image waits to be fetched, and how often it is polled.

For tasks that take 3 s to 10 min, ours with and without earlier tasks against fixed intervals. Then ours alone, for tasks
that differ more or less from the earlier ones. A poll takes 0.1 s here. Nothing is sent.

The goal of a row is half the delay, with no more polls than without earlier tasks. The limit is the least mean delay that
polls 5 s apart can have, by someone who knows exactly how likely each duration is.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from statistics import mean

import httpx

from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.images.api import ImageTask, wait_for_task
from rivya_core.images.expectation import best_polls
from rivya_core.images.polling import PollingPolicy
from rivya_core.providers import RIVYA

DURATIONS = (3, 5, 8, 15, 30, 60, 120, 300, 600)
POLL = 0.1
"""Seconds that a poll takes."""
ROUNDS = 40


@dataclass
class Simulation:
    """One task on a clock that only pauses and polls move."""

    ready_at: float
    now: float = 0.0
    polls: int = 0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.polls += 1
        done = self.now >= self.ready_at
        self.now += POLL
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
    """The same wait before every poll."""

    def delays(self) -> Iterator[float]:
        return repeat(self.first)


class TwoThenTen(PollingPolicy):
    """2 s, then 10 s: the slowest that the provider recommends."""

    def delays(self) -> Iterator[float]:
        return chain([2.0], repeat(10.0))


Make = Callable[[Callable[[], float], float], PollingPolicy]
"""Makes a policy from a clock and the seconds that tasks take on average."""


def measure(make: Make, duration: float) -> tuple[float, float, float]:
    """Return mean and longest delay, and the mean number of polls, over tasks of about *duration* seconds."""
    dice = random.Random(7)
    found = [once(duration * dice.uniform(0.9, 1.1), lambda clock: make(clock, duration)) for _ in range(ROUNDS)]
    delays = [delay for delay, _ in found]
    return mean(delays), max(delays), mean(polls for _, polls in found)


def once(ready_at: float, make: Callable[[Callable[[], float]], PollingPolicy]) -> tuple[float, int]:
    """Return the delay and the polls of one task."""
    simulation = Simulation(ready_at)
    return simulation.run(make(lambda: simulation.now))


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


Duration = Callable[[float, random.Random], float]
"""Returns how long one task takes, from the seconds that tasks take on average."""


def within(share: float) -> Duration:
    """Durations that differ from the average by at most a share of it, each as likely as the other."""
    return lambda seconds, dice: seconds * dice.uniform(1 - share, 1 + share)


def queued(seconds: float, dice: random.Random) -> float:
    """A task of which three in ten wait in a queue first."""
    return within(0.03)(seconds if dice.random() < 0.7 else 2.5 * seconds, dice)


@dataclass(frozen=True)
class Case:
    """How long the earlier tasks took, and how long the next one takes.

    Attributes:
        name: Name of the table.
        takes: Duration of a task.
        earlier: Number of earlier tasks.
        change: By how much a task takes longer than the one before it.
        factor: By how much the next task takes longer than all the others.
    """

    name: str
    takes: Duration
    earlier: int = 20
    change: float = 0.0
    factor: float = 1.0

    def history(self, seconds: float, dice: random.Random) -> list[float]:
        return [self.takes(seconds * (1 - self.change * ago), dice) for ago in range(self.earlier, 0, -1)]

    def next(self, seconds: float, dice: random.Random) -> float:
        return self.factor * self.takes(seconds, dice)

    def limit(self, seconds: float) -> float:
        """Return the least mean delay of polls that keep the shortest delay, and of any polls before them."""
        dice = random.Random(3)
        ready = sorted(self.next(seconds, dice) for _ in range(2000))
        begin = max(2.0, ready[0])
        width = max(0.0, ready[-1] - begin)
        parts = max(1, min(250, int(2500 / max(width, 0.001))))
        step = (5.0 + POLL) / parts
        moments = [begin + place * step for place in range(math.ceil(width / step) + 1)]
        likely = [*(bisect_right(ready, moment) / len(ready) for moment in moments[:-1]), 1.0]
        polls = [moments[0] + place * step for place in best_polls(likely, step, parts, len(likely), 0.0)]
        return mean(next(poll for poll in polls if poll >= one) - one for one in ready) + POLL


CASES = (
    Case("always the same", within(0)),
    Case("within 2 %", within(0.02)),
    Case("within 10 %", within(0.1)),
    Case("within 30 %", within(0.3)),
    Case("three in ten queue first", queued),
    Case("log-normal, sigma 0.25", lambda seconds, dice: seconds * math.exp(dice.gauss(0, 0.25))),
    Case("each task 2 % slower, within 2 %", within(0.02), change=0.02),
    *(Case(f"within 10 %, {number} earlier", within(0.1), earlier=number) for number in (1, 2, 3, 5)),
    Case("within 10 %, but the next takes a third", within(0.1), factor=1 / 3),
    Case("within 10 %, but the next takes three times as long", within(0.1), factor=3),
)


def compare(case: Case, seconds: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the mean delay and the mean number of polls, without and with earlier tasks."""
    dice, plain, knowing = random.Random(7), list[tuple[float, int]](), list[tuple[float, int]]()
    for _ in range(ROUNDS):
        earlier, ready_at = case.history(seconds, dice), case.next(seconds, dice)
        plain.append(once(ready_at, lambda clock: PollingPolicy(deadline=4000, clock=clock)))
        knowing.append(once(ready_at, partial(_after, earlier)))
    return _means(plain), _means(knowing)


def _after(earlier: Sequence[float], clock: Callable[[], float]) -> PollingPolicy:
    return PollingPolicy(deadline=4000, clock=clock).expecting(earlier)


def _means(found: Sequence[tuple[float, int]]) -> tuple[float, float]:
    return mean(delay for delay, _ in found), mean(polls for _, polls in found)


def print_case(case: Case) -> None:
    print(f"\n{case.name}\ntask takes       without earlier     with earlier     goal    limit")
    for seconds in DURATIONS:
        (delay, polls), (sooner, fewer) = compare(case, seconds)
        goal, limit = delay / 2, case.limit(seconds)
        reached = "goal" if sooner <= goal else "limit" if sooner <= 1.1 * limit else "neither"
        verdict = reached + (", more polls" if fewer > polls else "")
        print(
            f"{seconds:8d} s {delay:14.2f} {polls:7.1f} {sooner:9.2f} {fewer:6.1f} {goal:8.2f} {limit:8.2f}  {verdict}"
        )


def main() -> None:
    print("Mean (longest) seconds from ready to downloaded, and mean number of polls.\n")
    print("task takes" + "".join(f"{name:>24}" for name in WAYS))
    for duration in DURATIONS:
        cells = []
        for make in WAYS.values():
            average, longest, polls = measure(make, duration)
            cells.append(f"{average:6.2f} ({longest:5.2f}) {polls:7.1f}")
        print(f"{duration:8d} s" + "".join(f"{cell:>24}" for cell in cells))
    print("\nMean delay in seconds and mean number of polls, ours without and with earlier tasks.")
    for case in CASES:
        print_case(case)


if __name__ == "__main__":
    main()
