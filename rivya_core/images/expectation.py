"""When to poll a task whose duration is expected from earlier tasks.

Each earlier duration stands for durations near it; together they say how likely it is that the new task is ready at a
moment. Of all polls that keep the shortest delay, those with the least mean delay are found backwards, from the last
moment to the first: after each possible poll, the best next one is the one that costs least together with what follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

PRICE = 0.1
"""Seconds of delay that are worth one poll."""
MOMENTS = 60
"""About how many moments are compared; more if the window is wide."""
FINEST = 250
"""Most moments within the shortest delay."""
LONGEST = 2 * 3600.0
"""Longest duration that counts, in seconds."""
DOUBT = 0.2
"""By how much the next task may differ from a single earlier one."""
LEAST_DOUBT = 0.001
"""By how much the next task may differ from many earlier ones that took equally long."""

FADING = 0.9
"""What an earlier task counts, compared with the one after it."""


class Spread(NamedTuple):
    """An earlier duration, by how many seconds the next one may differ from it, and how much it counts."""

    seconds: float
    around: float
    weight: float


def expected_moments(durations: Sequence[float], first: float, shortest: float, rare: float) -> list[float]:
    """Return the moments of the best polls, from the first one that can find the task.

    Args:
        durations: Seconds that earlier tasks took, the newest last; at least one.
        first: Earliest moment of a poll.
        shortest: Least seconds between two polls.
        rare: Most seconds between two polls.
    """
    spreads = _spreads(durations)
    begin = max(first, min(one.seconds - one.around for one in spreads))
    width = max(0.0, max(one.seconds + one.around for one in spreads) - begin)
    parts = max(1, min(FINEST, int(shortest * MOMENTS / max(width, LEAST_DOUBT))))
    step = shortest / parts
    ready = _readiness([begin + place * step for place in range(math.ceil(width / step) + 1)], spreads)
    return [begin + place * step for place in best_polls(ready, step, parts, max(parts, int(rare / step)))]


def _spreads(durations: Sequence[float]) -> list[Spread]:
    """Return each duration with its distance to its nearest fifth, and with some doubt if there are few."""
    number = len(durations)
    nearest, doubt = min(math.ceil(number / 5), number - 1), DOUBT / number**2 + LEAST_DOUBT
    return [
        Spread(
            seconds,
            sorted(abs(seconds - other) for other in durations)[nearest] + doubt * seconds,
            FADING ** (number - place),
        )
        for place, seconds in enumerate(durations)
    ]


def _readiness(moments: Sequence[float], spreads: Sequence[Spread]) -> list[float]:
    """Return how likely the task is ready at each moment; certain at the last one.

    The task itself counts like one of the earlier ones, and may be ready at any of the moments.
    """
    last, all_weights = max(1, len(moments) - 1), sum(one.weight for one in spreads)
    own = all_weights / len(spreads)
    ready = [
        (sum(one.weight * _share(moment, one) for one in spreads) + own * place / last) / (all_weights + own)
        for place, moment in enumerate(moments)
    ]
    return [*ready[:-1], 1.0]


def _share(moment: float, spread: Spread) -> float:
    """Return how much of a spread, which is highest in its middle, lies before a moment."""
    away = max(-1.0, min(1.0, (moment - spread.seconds) / spread.around))
    return (1 + away) ** 2 / 2 if away < 0 else 1 - (1 - away) ** 2 / 2


def best_polls(ready: Sequence[float], step: float, shortest: int, rare: int, price: float = PRICE) -> list[int]:
    """Return the places of the polls that cost least: until the task is found, each second and each poll counts.

    Args:
        ready: How likely the task is ready at each place; 1 at the last one.
        step: Seconds from place to place.
        shortest: Least places between two polls.
        rare: Most places between two polls.
        price: Seconds of delay that are worth one poll.
    """
    last = len(ready) - 1
    costs, following = [0.0] * (last + shortest + 1), [0] * last
    for place in reversed(range(last)):
        unready = 1 - ready[place]
        least, most = place + shortest, min(last, place + rare)
        following[place] = after = min(
            range(least, max(least, most) + 1), key=lambda to: to * step * unready + costs[to]
        )
        costs[place] = ((after - place) * step + price) * unready + costs[after]
    polls = [min(range(last + 1), key=lambda to: to * step + costs[to])]
    while polls[-1] < last:
        polls.append(following[polls[-1]])
    return polls
