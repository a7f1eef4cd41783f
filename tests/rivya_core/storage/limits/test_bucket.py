"""The arithmetic of a shared limit, in virtual time."""

from __future__ import annotations

import random

import pytest

from rivya_core.storage.limits import bucket
from rivya_core.storage.limits.bucket import Rates, Slot, State


class Line:
    """Requests that wait at one limit, with a clock of their own."""

    def __init__(self, rates: Rates, start: float = 1_000_000.0) -> None:
        self.rates, self.now = rates, start
        self.state = bucket.at_time(State(), start)
        self.waiting: list[Slot] = []

    def go(self, seconds: float) -> None:
        self.now += seconds
        self.state = bucket.at_time(self.state, self.now)

    def ask(self, tokens: float | None = None) -> float:
        """Reserve, and return the seconds to wait."""
        self.state, slot = bucket.reserve(self.state, self.rates, tokens)
        self.waiting.append(slot)
        return bucket.seconds_until(self.state, slot)

    def waits(self) -> list[float]:
        return [round(bucket.seconds_until(self.state, slot), 6) for slot in self.waiting]

    def hold(self, seconds: float) -> None:
        self.state = bucket.hold(self.state, self.rates, seconds)

    def settle(self, tokens: float, reserved: float) -> None:
        self.state = bucket.settle(self.state, self.rates, tokens, reserved)


def test_requests_are_spread_evenly_in_the_order_in_which_they_ask() -> None:
    line = Line(Rates(requests=60))

    assert [line.ask() for _ in range(4)] == pytest.approx([0, 1, 2, 3])


def test_a_quiet_time_earns_no_more_than_the_burst() -> None:
    line = Line(Rates(requests=60, burst=3))
    line.go(1000)
    waits = [line.ask() for _ in range(5)]

    assert waits[:3] == pytest.approx([0, 0, 0])
    assert waits[3] == pytest.approx(60 / 58)


@pytest.mark.parametrize("burst", [1, 2, 10, 59, 60])
@pytest.mark.parametrize("seed", range(5))
def test_no_minute_has_more_than_the_limit(burst: int, seed: int) -> None:
    """Whatever the arrivals, with quiet times and holds between them."""
    line, rng = Line(Rates(requests=60, burst=burst)), random.Random(seed)
    sent = []
    for _ in range(400):
        line.go(rng.choice([0, 0, 0, 0.3, rng.expovariate(0.5), 70]) if rng.random() < 0.9 else 0)
        if rng.random() < 0.02:
            line.hold(rng.random() * 20)
        sent.append(line.now + line.ask())
        line.go(max(0.0, sent[-1] - line.now))

    assert max(sum(moment <= other < moment + 59.999 for other in sent) for moment in sent) <= 60


def test_a_hold_moves_all_who_wait_and_keeps_their_order_and_pace() -> None:
    line = Line(Rates(requests=60))
    for _ in range(4):
        line.ask()
    line.go(0.5)
    line.hold(10)

    assert line.waits()[1:] == pytest.approx([10.5, 11.5, 12.5])
    assert line.ask() == pytest.approx(13.5)


def test_holds_at_the_same_time_count_once() -> None:
    """Twenty workers whose requests are refused together report one pause, not twenty."""
    line = Line(Rates(requests=60))
    line.ask()
    line.ask()
    for _ in range(20):
        line.hold(5)
        line.go(0.01)

    assert line.waits()[1] == pytest.approx(1 + 5 - 0.01 + 0.0, abs=0.3)


def test_after_a_hold_there_is_no_burst() -> None:
    line = Line(Rates(requests=60, burst=10))
    line.go(1000)
    line.hold(2)
    waits = [line.ask() for _ in range(3)]

    assert waits == pytest.approx([2, 2 + 60 / 51, 2 + 120 / 51])


def test_tokens_decide_where_they_are_scarcer() -> None:
    line = Line(Rates(requests=600, tokens=6000))

    assert [line.ask(500) for _ in range(3)] == pytest.approx([0, 5, 10])


def test_requests_decide_where_they_are_scarcer() -> None:
    line = Line(Rates(requests=60, tokens=60_000))

    assert [line.ask(10) for _ in range(3)] == pytest.approx([0, 1, 2])


def test_a_reply_with_more_tokens_than_reserved_moves_those_who_wait() -> None:
    line = Line(Rates(tokens=6000))
    for _ in range(3):
        line.ask(100)
    line.settle(700, 100)

    assert line.waits() == pytest.approx([6, 7, 8])


def test_a_reply_with_fewer_tokens_lets_those_who_wait_go_earlier() -> None:
    line = Line(Rates(tokens=6000))
    for _ in range(3):
        line.ask(1000)
    line.settle(400, 1000)

    assert line.waits()[1:] == pytest.approx([4, 14])


def test_tokens_that_are_not_scarce_move_nobody() -> None:
    line = Line(Rates(requests=60, tokens=600_000))
    for _ in range(3):
        line.ask(100)
    line.settle(5000, 100)

    assert line.waits() == pytest.approx([0, 1, 2])


def test_the_tokens_of_replies_are_learned_and_refusals_teach_nothing() -> None:
    line = Line(Rates(tokens=6000, expected_tokens=1000))
    line.ask()
    line.settle(200, 1000)
    line.settle(0, 200)
    line.ask()

    assert line.waiting[1].tokens == 200


@pytest.mark.parametrize("seed", range(10))
def test_tokens_of_any_size_keep_to_the_limit_in_the_long_run(seed: int) -> None:
    """Replies are settled a while after they were sent, by which time others have reserved too little or too much."""
    rng, line = random.Random(seed), Line(Rates(tokens=60_000, expected_tokens=100))
    spent, under_way = 0.0, []
    start = line.now
    for _ in range(600):
        line.ask()
        slot = line.waiting.pop()
        line.go(max(0.0, bucket.seconds_until(line.state, slot)))
        under_way.append(slot)
        if len(under_way) > 5:
            tokens = rng.choice([50, 500, 3000])
            spent += tokens
            line.settle(tokens, under_way.pop(0).tokens)

    assert spent / (line.now - start) == pytest.approx(1000, rel=0.1)


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    line = Line(Rates(requests=60))
    line.ask()
    line.hold(2)
    line.go(-3600)

    assert line.ask() == pytest.approx(3)


@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_hold_that_is_over_changes_nothing(seconds: float) -> None:
    line = Line(Rates(requests=60))
    before = line.state
    line.hold(seconds)

    assert line.state == before
