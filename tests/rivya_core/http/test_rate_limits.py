"""A batch that meets a rate limit loses nothing: with a server of one's own in virtual time, and once on a real port."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from raw_server import RawServer, response
from reading import answer

from langchain_rivya import ChatOpenAICompatible
from rivya_core import errors
from rivya_core.http import rate_pacer
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Pause
from rivya_core.http.rate_pacer import RatePacer, pacer_for
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.providers import COMPATIBLE

Limiter = Callable[[float], bool]
URL = "https://limited.test/v1/chat/completions"


@pytest.fixture(autouse=True)
def no_pacers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_pacer, "_pacers", type(rate_pacer._pacers)())


def fixed(limit: int) -> Limiter:
    """So many in each second by the clock."""
    counts: dict[int, int] = {}

    def take(now: float) -> bool:
        counts[int(now)] = counts.get(int(now), 0) + 1
        return counts[int(now)] <= limit

    return take


def sliding(limit: int) -> Limiter:
    """So many in any second."""
    taken: deque[float] = deque()

    def take(now: float) -> bool:
        while taken and taken[0] <= now - 1:
            taken.popleft()
        if len(taken) == limit:
            return False
        taken.append(now)
        return True

    return take


def bucket(limit: int) -> Limiter:
    """A token bucket that begins full."""
    tokens, last = float(limit), 0.0

    def take(now: float) -> bool:
        nonlocal tokens, last
        tokens, last = min(limit, tokens + (now - last) * limit), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return take


class World:
    """Plans side by side in virtual time, and the server that they send to."""

    def __init__(self, limiter: Limiter, latency: float, **headers: str) -> None:
        self.now = 0.0
        self.limiter, self.latency, self.headers = limiter, latency, headers
        self.sends = 0
        self._random, self._number = random.Random(7), itertools.count()
        self._events: list[tuple[float, int, Any, Any]] = []

    def run(self, plans: Iterator[Any], at_once: int) -> list[Any]:
        """What becomes of all plans, so many at a time."""
        outcomes: list[Any] = []
        for plan in itertools.islice(plans, at_once):
            self._later(0.0, plan, None)
        while self._events:
            self.now, _, plan, value = heapq.heappop(self._events)
            try:
                step = plan.send(value)
            except (StopIteration, errors.RivyaError) as end:
                outcomes.append(end.value if isinstance(end, StopIteration) else end)
                if (following := next(plans, None)) is not None:
                    self._later(0.0, following, None)
                continue
            if isinstance(step, Pause):
                self._later(step.seconds, plan, None)
            else:
                self._answer(plan)
        return outcomes

    def _answer(self, plan: Any) -> None:
        self.sends += 1
        if self.limiter(self.now):
            self._later(self.latency, plan, answer(200, {}))
        else:
            self._later(0.005, plan, answer(429, b"", **self.headers))

    def _later(self, seconds: float, plan: Any, value: Any) -> None:
        spread = 0.01 * self._random.random()
        heapq.heappush(self._events, (self.now + seconds + spread, next(self._number), plan, value))


def request() -> httpx.Request:
    return httpx.Request("POST", URL, headers={"authorization": "Bearer k"}, content=b"{}")


def batch(world: World, count: int, at_once: int, monkeypatch: pytest.MonkeyPatch, retries: int = 2) -> list[Any]:
    monkeypatch.setattr(rate_pacer, "RatePacer", functools.partial(RatePacer, lambda: world.now))
    plans = (send_with_retries(request(), RetryPolicy(retries), stateless=True) for _ in range(count))
    return world.run(plans, at_once)


@pytest.mark.parametrize("hint", [{}, {"retry_after": "0"}, {"retry_after": "1"}, {"x_ratelimit_reset_requests": "1s"}])
@pytest.mark.parametrize("latency", [0.02, 2.0])
@pytest.mark.parametrize("at_once", [600, 100, 16])
@pytest.mark.parametrize("limit", [fixed, sliding, bucket])
def test_a_batch_of_600_loses_none_at_60_a_second(
    limit: Any, at_once: int, latency: float, hint: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the two retries that everybody has."""
    world = World(limit(60), latency, **hint)
    outcomes = batch(world, 600, at_once, monkeypatch)

    assert [type(one) for one in outcomes] == [httpx.Response] * 600
    assert world.now < 45 + 600 * latency / at_once
    assert world.sends <= 600 * 3


def test_without_retries_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(fixed(60), 0.02)
    outcomes = batch(world, 600, 600, monkeypatch, retries=0)

    assert sum(isinstance(one, errors.RateLimitError) for one in outcomes) == 540
    assert world.now < 1


def test_a_limit_that_is_never_lifted_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(lambda _: False, 0.02)
    outcomes = batch(world, 200, 200, monkeypatch)

    assert {type(one) for one in outcomes} == {errors.RateLimitError}
    assert world.now < 2 * RetryPolicy().max_retry_seconds


def test_a_single_caller_is_not_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequential requests do not wait for each other, whatever was refused before."""
    world = World(fixed(1), 0.02)
    monkeypatch.setattr(rate_pacer, "RatePacer", functools.partial(RatePacer, lambda: world.now))
    policy = RetryPolicy(2, random=lambda: 0.0)
    pauses = []
    for _ in range(5):
        plan = send_with_retries(request(), policy)
        step = next(plan)
        assert not isinstance(step, Pause)
        pauses.append(plan.send(answer(429, b"")).seconds)
        plan.close()

    assert pauses == [0.5] * 5


def test_a_request_that_is_given_up_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits, and while it waits for its turn."""
    pacer = RatePacer(lambda: 0.0)
    monkeypatch.setattr(rate_pacer, "RatePacer", lambda: pacer)
    first, second = (send_with_retries(request(), RetryPolicy()) for _ in range(2))
    next(first)
    assert isinstance(first.send(answer(429, b"")), Pause)
    assert isinstance(next(second), Pause) or pacer._waiting == 2
    first.close()
    second.close()

    assert pacer._waiting == 0
    assert pacer.join() is None


def test_limits_are_an_accounts_for_one_model() -> None:
    """And what tells accounts apart is not the key."""

    def pacer(key: str = "sk-a-key", url: str = "https://limited.test", path: str = "/chat", model: str = "m") -> Any:
        return pacer_for(Endpoint(COMPATIBLE, url, SecretStr(key)).request("POST", path, body={"model": model}))

    assert pacer() is pacer()
    others = [pacer(key="sk-b-key"), pacer(url="https://other.test"), pacer(path="/responses"), pacer(model="n")]
    assert len({id(one) for one in [pacer(), *others]}) == 5
    assert "sk-" not in str(list(rate_pacer._pacers))


def test_pacers_are_not_kept_for_ever() -> None:
    for number in range(rate_pacer.MOST_PACERS + 10):
        pacer_for(httpx.Request("POST", f"{URL}/{number}"))

    assert len(rate_pacer._pacers) == rate_pacer.MOST_PACERS


def test_a_batch_on_a_real_port() -> None:
    """All sent at once, by one event loop."""
    limiter = sliding(60)
    reply = response(
        b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}',
        headers=[b"content-type: application/json"],
    )

    def script(_: bytes) -> Iterator[bytes]:
        yield reply if limiter(time.monotonic()) else response(status="429 Too Many Requests")
        yield b""

    with RawServer(script) as server:
        model = ChatOpenAICompatible(model="m", base_url=server.url, api_key="key-of-this-test")
        outcomes = asyncio.run(model.abatch(["Hi"] * 150, return_exceptions=True))

    assert {getattr(one, "content", repr(one)) for one in outcomes} == {"hi"}
