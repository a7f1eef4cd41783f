"""Pacing after a rate limit: requests that were refused together come back one after the other.

Without it a batch of some hundred requests meets the limit together, waits together, and meets it again until its
retries are used up. A pacer belongs to one account, URL and model, and is shared by all threads and event loops of the
process. While requests wait for their turn, new ones join the queue. The rate is learned: it begins with what the
server has just accepted, grows with successes, and is cut when a paced request is refused. A single caller is never
delayed.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from threading import Lock

from rivya_core.http.library import httpx

WINDOW = 1.0
"""Seconds in which accepted requests are counted."""
SLOTS = 100
"""Parts of a window, in which requests are counted."""
KEPT_WINDOWS = 5
"""Windows that are remembered: a refusal may come late, and the busiest one tells what the server accepts."""
MARGIN = 0.8
"""Share of what was accepted that the first rate is."""
CUT = 0.6
"""What a refusal makes of the rate, at most once in `WINDOW`."""
SLOWEST = 1.0
"""Requests per second, at least."""
EARLY_GROWTH, MOST_EARLY_GROWTH, LATER_GROWTH, LAST_GROWTH = 0.15, 2.0, 0.02, 0.003
"""Share that the rate grows by in a second, and at most how much: before it is cut, after, and near where it was."""
NEAR = 0.9
RELIABLE = 6.0
"""Requests per second that are enough to take what was accepted for the limit, which is then not searched for."""
FORGOTTEN_AFTER = 10.0
"""Seconds without a refusal after which a rate counts no more."""
HOLD = 0.3
"""Seconds without a refusal of a request that had not waited, before the first turn."""
MOST_PACERS = 256
MOST_SENT = 10_000
LANE = "rivya_lane"
"""Under which a request's extensions name what has a limit of its own, for example account, URL and model."""


class RatePacer:
    """Gives turns to requests that wait for a rate limit. Safe to use from any thread.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._sent: deque[float] = deque(maxlen=MOST_SENT)
        self._accepted: OrderedDict[int, int] = OrderedDict()
        """Requests by the slot in which they were sent, but for those that were refused."""
        self._waiting = self._issued = 0
        self._rate = self._ceiling = 0.0
        """Requests per second, and the rate that was refused; 0 if there is none."""
        self._base_time = self._base_turn = 0.0
        self._cut_at = -FORGOTTEN_AFTER

    def now(self) -> float:
        """Return the time by the pacer's clock."""
        return self._clock()

    def join(self) -> int | None:
        """Return a turn for a new request, or None if no request waits."""
        if not self._waiting:  # as nearly always
            return None
        with self._lock:
            return self._issue() if self._waiting and self._rate else None

    def refuse(self, sent_at: float, *, paced: bool) -> int:
        """Take note that the request of *sent_at* was refused, and return a turn for its repetition."""
        with self._lock:
            self._count_sent()
            if _slot(sent_at) in self._accepted:
                self._accepted[_slot(sent_at)] -= 1
            self._adapt(paced=paced)
            return self._issue()

    def delay(self, turn: int) -> float:
        """Return the seconds until *turn* at the current rate, which may change meanwhile."""
        with self._lock:
            return self._base_time + (turn - self._base_turn - 1) / self._rate - self._clock()

    def leave(self) -> None:
        """A request has had its turn, or does not want it any more."""
        with self._lock:
            self._waiting -= 1

    def send(self) -> float:
        """Take note that a request is sent, and return when."""
        now = self._clock()
        self._sent.append(now)
        return now

    def accept(self) -> None:
        """A paced request was accepted."""
        with self._lock:
            if self._rate:
                self._set_rate(self._rate + self._growth() / self._rate)

    def _issue(self) -> int:
        if not self._waiting:
            self._base_time, self._base_turn = self._clock(), float(self._issued)
        self._waiting += 1
        self._issued += 1
        return self._issued

    def _adapt(self, *, paced: bool) -> None:
        now, accepted = self._clock(), self._most_accepted()
        if not self._rate or now - self._cut_at > FORGOTTEN_AFTER:
            self._rate, self._cut_at = accepted, now
            self._ceiling = self._rate / MARGIN if self._rate >= RELIABLE else 0.0
            self._base_time, self._base_turn = now, float(self._issued - self._waiting)
        elif paced and now - self._cut_at > WINDOW:
            self._ceiling, self._cut_at = self._rate, now
            self._set_rate(max(SLOWEST, min(self._rate * CUT, accepted)))
        elif accepted < self._rate:
            self._set_rate(accepted)
            self._ceiling = self._rate / MARGIN if self._rate >= RELIABLE else 0.0
        if not paced and self._waiting:  # the requests that were sent together are still being refused
            self._base_time, self._base_turn = now + HOLD, float(self._issued - self._waiting)

    def _count_sent(self) -> None:
        while self._sent:
            slot = _slot(self._sent.popleft())
            self._accepted[slot] = self._accepted.get(slot, 0) + 1
        newest = _slot(self._clock())
        while self._accepted and next(iter(self._accepted)) < newest - KEPT_WINDOWS * SLOTS:
            self._accepted.popitem(last=False)

    def _most_accepted(self) -> float:
        """The rate that the server accepts, from the busiest window: what was sent in it and is not refused."""
        slots = list(self._accepted.items())
        most = total = first = 0
        for slot, accepted in slots:
            total += accepted
            while slots[first][0] <= slot - SLOTS:
                total -= slots[first][1]
                first += 1
            most = max(most, total)
        return max(SLOWEST, MARGIN * most / WINDOW)

    def _growth(self) -> float:
        if not self._ceiling:
            return min(MOST_EARLY_GROWTH, EARLY_GROWTH * self._rate)
        return self._rate * (LATER_GROWTH if self._rate < NEAR * self._ceiling else LAST_GROWTH)

    def _set_rate(self, rate: float) -> None:
        """Change the rate from now on; the turns that were due are not due again."""
        now = self._clock()
        if now > self._base_time:
            passed = (now - self._base_time) * self._rate
            self._base_turn = min(self._base_turn + passed, float(self._issued))
            self._base_time = now
        self._rate = rate


def _slot(moment: float) -> int:
    return int(moment * SLOTS / WINDOW)


_pacers: OrderedDict[Hashable, RatePacer] = OrderedDict()
_lock = Lock()


def pacer_for(request: httpx.Request) -> RatePacer:
    """Return the pacer of the account, URL and model of *request*."""
    lane = request.extensions.get(LANE) or (str(request.url), request.method)
    found = _pacers.get(lane)
    if found is not None:
        return found
    with _lock:
        found = _pacers.setdefault(lane, RatePacer())
        while len(_pacers) > MOST_PACERS:
            _pacers.popitem(last=False)
        return found
