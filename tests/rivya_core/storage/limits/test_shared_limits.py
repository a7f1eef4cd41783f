"""One limit for several processes, in both stores, and what the models of both frameworks report to it."""

from __future__ import annotations

import asyncio
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import redis_server
from both_frameworks import Backend, Way, every_framework, every_way, make

import langchain_rivya
import llamaindex_rivya
from rivya_core import errors
from rivya_core.http.clients import Clients
from rivya_core.storage.limits.limiter import RateLimiter
from rivya_core.storage.limits.stores import MemoryStore

WORKER = Path(__file__).parents[3] / "support" / "limited_worker.py"
LIMITERS: dict[str, Any] = {
    "langchain": langchain_rivya.SharedRateLimiter,
    "llamaindex": llamaindex_rivya.SharedRateLimiter,
}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    if (reason := redis_server.why_not()) is not None:
        pytest.skip(reason)
    with redis_server.running("limit-password-1") as server:
        yield server.url.replace("redis://", "redis://:limit-password-1@")


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "limits.db") if request.param == "sqlite" else request.getfixturevalue("redis_url")


class Crowd:
    """Processes that begin together."""

    def __init__(self, count: int, store: str, turns: int, per_minute: float) -> None:
        command = [sys.executable, str(WORKER), store, str(turns), str(per_minute)]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        for process in self.processes:
            assert process.stdout.readline() == "up\n"

    def begin(self) -> None:
        for process in self.processes:
            process.stdin.write("\n")
            process.stdin.flush()

    def turns(self) -> list[list[float]]:
        return [[float(line) for line in process.communicate(timeout=60)[0].split()] for process in self.processes]


def test_processes_share_one_limit_and_have_equal_shares(place: str) -> None:
    crowd = Crowd(6, place, turns=10, per_minute=1200)
    crowd.begin()
    each = crowd.turns()
    every = sorted(moment for turns in each for moment in turns)
    windows = [sum(moment <= other < moment + 1 for other in every) for moment in every]

    assert len(every) == 60
    assert every[-1] - every[0] >= 59 * 0.05 - 0.1
    assert max(windows) <= 20 + 6  # a late wake-up brings a turn nearer to the next
    halfway = every[len(every) // 2]
    assert max(sum(moment <= halfway for moment in turns) for turns in each) <= 8  # five each, if all are equal


def test_a_process_that_is_killed_stops_nobody(tmp_path: Path) -> None:
    crowd = Crowd(3, str(tmp_path / "limits.db"), turns=15, per_minute=1200)
    crowd.begin()
    killed = crowd.processes[0]
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)

    assert [len(turns) for turns in crowd.turns()[1:]] == [15, 15]


def test_a_pause_that_one_process_reports_is_kept_by_all(place: str) -> None:
    crowd = Crowd(3, place, turns=8, per_minute=1200)
    crowd.begin()
    time.sleep(0.3)
    RateLimiter(1200, store=place).hold(2)
    held = time.time()
    after = sorted(moment for turns in crowd.turns() for moment in turns if moment > held + 0.15)

    assert len(after) >= 10
    assert after[0] - held >= 1.9
    assert after[-1] - after[0] >= (len(after) - 1) * 0.05 - 0.2


def test_a_limiter_travels_to_other_processes(place: str) -> None:
    limiter = RateLimiter(60, store=place, name="travels")
    copy = pickle.loads(pickle.dumps(limiter))

    assert Clients().driver.run(limiter.try_now())
    assert not Clients().driver.run(copy.try_now())
    assert b"limit-password" not in pickle.dumps(limiter)
    assert "limit-password" not in repr(limiter)


def test_limits_of_other_names_are_others(place: str) -> None:
    for name in ("one", "two"):
        assert Clients().driver.run(RateLimiter(60, store=place, name=name).try_now())


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    for where in (tmp_path / "missing" / "limits.db", "redis://:hidden-word-1@127.0.0.1:1/0"):
        with pytest.raises(errors.ConfigurationError, match="nothing was sent") as caught:
            Clients().driver.run(RateLimiter(60, store=where).wait())
        assert "hidden-word" not in str(caught.value)


def test_a_state_that_is_no_state_begins_anew(tmp_path: Path) -> None:
    limiter = RateLimiter(60, store=tmp_path / "limits.db")
    Clients().driver.run(limiter.wait())
    with limiter.store._file.transaction() as database:
        database.execute("UPDATE rate_limits SET state = 'nonsense'")

    assert Clients().driver.run(limiter.try_now())


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"requests_per_minute": 0},
        {"requests_per_minute": "60"},
        {"tokens_per_minute": float("inf")},
        {"requests_per_minute": 60, "burst": 61},
        {"requests_per_minute": 60, "burst": 0},
        {"requests_per_minute": 60, "tokens_per_request": -1},
        {"requests_per_minute": 60, "store": ":memory:"},
        {"requests_per_minute": 60, "store": ""},
    ],
)
def test_what_cannot_be_right_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError):
        RateLimiter(**wrong)


@pytest.mark.parametrize("name", ["Rivya", "GMI", "OpenAICompatible"])
@every_way
def test_each_call_takes_one_turn(way: Way, name: str) -> None:
    limiter = LIMITERS[way.framework](60_000)
    model = make(way, name, Backend(answer=answered if name == "Rivya" else None), rate_limiter=limiter)
    before = turns_taken(limiter)
    way.ask(model)
    way.ask(model, "Again")

    assert turns_taken(limiter) - before == pytest.approx(2)


def answered(request: httpx.Request) -> httpx.Response:
    reply = {"session_id": "s1", "choices": [{"message": {"role": "assistant", "content": "ok"}}]}
    return httpx.Response(200, json={"id": "c1", **reply})


def turns_taken(limiter: RateLimiter) -> float:
    """How many requests the limit's own line has grown by, with the clock standing still."""
    stopped(limiter)
    state = limiter.store._states.get(limiter.name)
    return 0.0 if state is None else (state.next_request - 1000.0) / limiter.rates.request_seconds


def stopped(limiter: RateLimiter) -> None:
    """Let the limiter's clock stand still; a thousand requests per second need no waiting in a test."""
    if not isinstance(limiter.store, MemoryStore) or limiter.store._clock() != 1000.0:
        limiter.store = MemoryStore(lambda: 1000.0)
        limiter.rates = type(limiter.rates)(limiter.rates.requests, limiter.rates.tokens, 1, 10)
        limiter.wait = free(limiter)


def free(limiter: RateLimiter) -> Any:
    """Reserve without waiting."""

    def wait(tokens: float | None = None) -> Any:
        limiter._reserve(tokens)
        return True
        yield

    return wait


@every_way
def test_retries_take_turns_and_everybody_waits_as_the_server_asks(way: Way) -> None:
    refusals = [httpx.Response(429, headers={"retry-after": "0.2"}, json={"error": {"message": "slow"}})]
    backend = Backend()
    backend.answer = lambda request: refusals.pop() if refusals else reply_to(request)
    limiter = LIMITERS[way.framework](60_000)
    stopped(limiter)
    way.ask(make(way, "GMI", backend, rate_limiter=limiter))
    state = limiter.store._states["default"]

    assert len(backend.requests) == 2
    assert state.held_until == pytest.approx(1000.2)
    assert state.next_request + state.shift >= 1000.2


def reply_to(request: httpx.Request) -> httpx.Response:
    from both_frameworks import reply

    return reply(request)


def with_usage(tokens: int) -> Any:
    usage = {"prompt_tokens": tokens - 2, "completion_tokens": 2, "total_tokens": tokens}

    def answer(request: httpx.Request) -> httpx.Response:
        message = {"role": "assistant", "content": "ok"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return httpx.Response(200, json={"id": "x", "model": "m", "choices": choices, "usage": usage})

    return answer


@every_framework
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_tokens_of_replies_are_charged(way: Way, asynchronous: bool) -> None:
    way = Way(way.framework, asynchronous)
    limiter = LIMITERS[way.framework](tokens_per_minute=60_000)
    stopped(limiter)
    way.ask(make(way, "GMI", Backend(answer=with_usage(5000)), rate_limiter=limiter))
    state = limiter.store._states["default"]

    assert state.next_token + state.shift == pytest.approx(1000 + 5)  # 5,000 of 1,000 per second
    assert state.expected == 5000


@every_framework
def test_a_call_that_sends_nothing_gives_its_tokens_back(way: Way) -> None:
    limiter = LIMITERS[way.framework](tokens_per_minute=600)
    stopped(limiter)
    model = make(way, "GMI", Backend(), rate_limiter=limiter)
    with pytest.raises(errors.RivyaError):
        way.ask(model, extra_body={"n": 2})
    state = limiter.store._states["default"]

    assert state.next_token + state.shift <= 1000


@every_framework
def test_a_pickled_model_keeps_a_shared_limiter(way: Way, tmp_path: Path) -> None:
    limiter = LIMITERS[way.framework](60, store=tmp_path / "limits.db")
    copy = pickle.loads(pickle.dumps(make(way, "GMI", rate_limiter=limiter)))

    assert copy.rate_limiter.rates == limiter.rates
    assert copy.rate_limiter.store._file.path == limiter.store._file.path


def test_a_limiter_that_counts_for_its_process_alone_stays_in_it() -> None:
    from langchain_core.rate_limiters import InMemoryRateLimiter

    model = make(Way("langchain"), "GMI", rate_limiter=InMemoryRateLimiter(requests_per_second=1))

    assert pickle.loads(pickle.dumps(model)).rate_limiter is None


def test_a_report_that_fails_loses_no_reply(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reply is paid for; that the store has gone is a warning."""
    limiter = LIMITERS["langchain"](tokens_per_minute=600_000, store=tmp_path / "limits.db")
    backend = Backend()

    def answer(request: httpx.Request) -> httpx.Response:
        limiter.store._file.path = str(tmp_path / "gone" / "limits.db")
        return with_usage(10)(request)

    backend.answer = answer

    assert make(Way("langchain"), "GMI", backend, rate_limiter=limiter).invoke("Hi").text == "ok"
    assert "cannot be used" in caplog.text


def test_langchains_question_without_waiting() -> None:
    limiter = langchain_rivya.SharedRateLimiter(60)

    assert [limiter.acquire(blocking=False), limiter.acquire(blocking=False)] == [True, False]
    assert asyncio.run(limiter.aacquire(blocking=False)) is False


def test_threads_and_event_loops_wait_in_one_line(place: str) -> None:
    limiter = RateLimiter(1200, store=place, name="mixed")
    began, moments = time.time(), []

    def wait() -> None:
        Clients().driver.run(limiter.wait())
        moments.append(time.time())

    async def several() -> None:
        async def one() -> None:
            await Clients().async_driver.run(limiter.wait())
            moments.append(time.time())

        await asyncio.gather(*[one() for _ in range(10)])

    threads = [Thread(target=wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    asyncio.run(several())
    for thread in threads:
        thread.join()

    assert max(moments) - began >= 19 * 0.05 - 0.02
