"""When a task is polled that is expected to take as long as earlier ones. The clocks are simulated; nothing waits."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from statistics import mean

import httpx
import pytest
from pydantic import SecretStr

from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.images import expectation
from rivya_core.images.api import ImageTask, wait_for_task
from rivya_core.images.expectation import best_polls
from rivya_core.images.polling import PollingPolicy
from rivya_core.providers import RIVYA

ENDPOINT = Endpoint(RIVYA, "https://api.test/v1", SecretStr("rvya_sk_secret"))
DURATIONS = (3, 5, 8, 15, 30, 60, 120, 300, 600)
DELAY = 0.001
"""Seconds that may differ by rounding."""


class Clock:
    """A task on a clock that pauses and polls move; it records when each request is sent and when it is answered."""

    def __init__(self, ready_at: float, poll: float = 0.1, asked: Callable[[int], int] = lambda _: 0) -> None:
        self.now, self.ready_at, self.poll, self.asked = 0.0, ready_at, poll, asked
        self.sent, self.answered = list[float](), list[float]()

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self.sent.append(self.now)
        done = self.now >= self.ready_at
        self.now += self.poll
        self.answered.append(self.now)
        result = {"primary_url": "https://m.test/1"} if done else None
        body = {"id": "t", "status": "succeeded" if done else "processing", "result": result}
        wait = self.asked(len(self.sent))
        return httpx.Response(200, json=body, headers={"retry-after": str(wait)} if wait else {})

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def after(self, earlier: list[float], age: float = 0.0, seed: int = 1) -> Clock:
        """Wait for the task, knowing how long earlier ones took."""
        dice = random.Random(seed)
        policy = PollingPolicy(deadline=1e6, clock=lambda: self.now, random=dice.random).expecting(earlier, age)
        client = httpx.Client(transport=httpx.MockTransport(self))
        Driver(lambda: client, self.pause).run(wait_for_task(ENDPOINT, "t", policy, _ignore))
        return self

    @property
    def late(self) -> float:
        return self.now - self.ready_at


def _ignore(_: ImageTask) -> Plan[None]:
    yield from ()


def histories() -> Iterator[list[float]]:
    """Lists of earlier durations of every shape, also nonsense that a store may hold."""
    yield from ([], [0.0], [-5.0], [math.nan], [math.inf], [1e300], [1e-9], [4.0], [600.0], [5.0] * 20, [1.0, 900.0])
    dice = random.Random(5)
    for _ in range(40):
        centre, spread = 10 ** dice.uniform(0, 2.6), dice.choice([0, 0.02, 0.1, 0.5, 0.95])
        humps = [centre * factor for factor in dice.sample([1, 1.5, 2.5, 6], dice.randint(1, 3))]
        yield [dice.choice(humps) * dice.uniform(1 - spread, 1 + spread) for _ in range(dice.randint(1, 20))]


def test_polls_are_never_denser_than_the_advice() -> None:
    """Wait 2 s, then at least 5 s each: for any earlier tasks, age, duration of a poll, and wishes of the provider."""
    dice = random.Random(3)
    for earlier in histories():
        usual = max([one for one in earlier if 0 < one < 10_000], default=30.0)
        for _ in range(4):
            ready, poll = usual * dice.uniform(0, 3), dice.choice([0.0, 0.1, 3.0])
            wishes = dice.choice([[0], [0, 0, 7, 60]])
            clock = Clock(ready, poll, lambda number, wishes=wishes: wishes[number % len(wishes)])
            clock.after(earlier, age=dice.choice([0.0, usual / 2, usual * 5]), seed=dice.randint(1, 99))
            assert clock.sent[0] >= 2.0
            gaps = [sent - before for before, sent in zip(clock.answered, clock.sent[1:], strict=False)]
            assert all(gap >= 5.0 - DELAY for gap in gaps)
            assert len(clock.sent) <= 1 + max(0.0, clock.sent[-1] - 2.0 + DELAY) // 5.0


def test_a_task_is_never_left_alone_for_long() -> None:
    """However the earlier tasks ran, the next one may be ready at any moment."""
    for earlier in histories():
        clock = Clock(300.0, poll=0.0).after(earlier)
        assert max(sent - before for before, sent in pairwise([0.0, *clock.sent])) <= 30.0


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("number", [3, 20])
def test_a_steady_task_is_found_in_half_the_time_with_no_more_polls(duration: int, number: int) -> None:
    """Averaged over the moments at which it may be ready."""
    dice = random.Random(duration)
    knowing, plain = list[Clock](), list[Clock]()
    for seed in range(30):
        steady = duration * dice.uniform(0.8, 1.2)
        knowing.append(Clock(steady).after([steady] * number))
        plain.append(Clock(steady).after([], seed=seed))
    assert mean(clock.late for clock in knowing) <= 0.5 * mean(clock.late for clock in plain)
    assert mean(len(clock.sent) for clock in knowing) <= mean(len(clock.sent) for clock in plain)


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.3])
def test_a_varying_task_is_found_about_as_soon_as_polls_5_s_apart_can(duration: int, spread: float) -> None:
    """If it varies by more than 5 s, the mean delay is half of 5 s at best, and the duration of a poll comes on top."""
    dice = random.Random(duration)
    knowing, plain = list[Clock](), list[Clock]()
    for seed in range(40):
        earlier = [duration * dice.uniform(1 - spread, 1 + spread) for _ in range(20)]
        ready = duration * dice.uniform(1 - spread, 1 + spread)
        knowing.append(Clock(ready).after(earlier))
        plain.append(Clock(ready).after([], seed=seed))
    within, limit = mean(clock.late for clock in knowing), min(2 * spread * duration, 5.1) / 2 + 0.1
    assert within <= max(0.5 * mean(clock.late for clock in plain), 1.6 * limit)
    assert mean(len(clock.sent) for clock in knowing) <= mean(len(clock.sent) for clock in plain)


@pytest.mark.parametrize("humps", [(4.0, 10.0), (20.0, 50.0), (20.0, 90.0)])
def test_tasks_that_queue_or_do_not_queue_are_found_at_both_moments(humps: tuple[float, float]) -> None:
    earlier = [*humps] * 10
    assert all(Clock(ready).after(earlier).late <= 1.5 for ready in humps)


def test_the_newest_tasks_count_most() -> None:
    """Since yesterday the tasks take longer."""
    slower, faster = [30.0] * 10 + [32.5] * 10, [32.5] * 10 + [30.0] * 10
    assert Clock(32.5).after(slower).late < 1.0
    assert Clock(30.0).after(faster).late < 1.0


def test_a_task_that_takes_unexpectedly_long_is_polled_as_usual_then() -> None:
    clock = Clock(200.0, poll=0.0).after([8.0] * 20)
    gaps = [after - before for before, after in pairwise(clock.sent)]
    assert all(5.0 - DELAY <= gap <= 10.0 + DELAY for gap in gaps)
    assert gaps[-1] >= 9.0


def test_the_time_since_the_task_was_submitted_counts() -> None:
    """A task that is resumed after 30 s of 60 is expected in 30 s, and one after 90 s at once."""
    assert 0 <= Clock(30.0).after([60.0] * 20, age=30.0).late < 0.5
    assert Clock(0.0).after([60.0] * 20, age=90.0).sent[0] <= 2.5
    assert Clock(0.0).after([60.0] * 20, age=1e9).sent[0] <= 2.5


def test_the_time_that_polls_take_does_not_delay_the_expected_poll() -> None:
    assert Clock(120.0, poll=2.0).after([120.0] * 20).late < 3.0


@pytest.mark.parametrize("seed", range(20))
def test_the_best_polls_are_the_best_of_all(seed: int) -> None:
    """Compared with every possible list of polls."""
    dice = random.Random(seed)
    size, shortest, rare = 9, dice.randint(1, 3), dice.randint(3, 9)
    ready = [*sorted(dice.random() for _ in range(size - 1)), 1.0]

    def cost(polls: list[int]) -> float:
        before = [0.0, *(ready[min(place, size - 1)] for place in polls)]
        gaps = [after - place for place, after in pairwise([0, *polls])]
        found = sum(gap * (1 - known) for gap, known in zip(gaps, before, strict=False))
        return found + expectation.PRICE * sum(1 - known for known in before[:-1])

    def allowed(polls: list[int]) -> bool:
        gaps = [after - place for place, after in pairwise(polls)]
        return polls[-1] >= size - 1 and all(shortest <= gap for gap in gaps) and all(gap <= rare for gap in gaps)

    places = range(size + shortest - 1)
    every = [list(some) for number in range(1, size + 1) for some in combinations(places, number)]
    ends = [polls for polls in every if all(place < size - 1 for place in polls[:-1])]
    best = min(cost(polls) for polls in ends if allowed(polls))
    assert cost(best_polls(ready, 1.0, shortest, rare)) == pytest.approx(best)
