"""Image tasks on the wire: what is read, when they are polled, how waiting ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from rivya_core.errors import (
    ConfigurationError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    ResponseLostError,
    TaskFailedError,
    TaskTimeoutError,
)
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.images.api import ImageTask, create_task, wait_for_task
from rivya_core.images.polling import PollingPolicy
from rivya_core.providers import RIVYA

ENDPOINT = Endpoint(RIVYA, "https://api.test/v1", SecretStr("rvya_sk_secret"))
URL = "https://media.test/1.png"


def task(status: str = "processing", **changes: Any) -> dict[str, Any]:
    result = {"primary_url": URL, "urls": [URL]} if status == "succeeded" else None
    return {"id": "task_1", "status": status, "model": "z-image", "result": result, "error": None} | changes


class World:
    """A provider with scripted responses, and a clock that only pauses advance."""

    def __init__(self, *answers: Any) -> None:
        self.answers: Iterator[Any] = iter(answers)
        self.now, self.slept = 100.0, list[float]()
        self.requests: list[httpx.Request] = []
        self.seen: list[ImageTask] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self.answers, task())
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def polling(self, deadline: float = 600, random: Callable[[], float] = lambda: 0.0) -> PollingPolicy:
        return PollingPolicy(deadline, clock=lambda: self.now, random=random)

    def note(self, task: ImageTask) -> Plan[None]:
        yield from ()
        self.seen.append(task)

    def wait(self, way: str = "sync", **options: Any) -> ImageTask:
        return self.run(wait_for_task(ENDPOINT, "task_1", self.polling(**options), self.note), way)

    def run(self, plan: Plan[Any], way: str = "sync") -> Any:
        transport = httpx.MockTransport(self)
        if way == "sync":
            return Driver(lambda: httpx.Client(transport=transport), self.sleep).run(plan)
        return asyncio.run(AsyncDriver(lambda: httpx.AsyncClient(transport=transport), self.asleep).run(plan))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_polls_after_two_seconds_then_with_growing_delays(way: str) -> None:
    """The first poll comes after 2 s, the others 5 to 10 s apart, as the provider recommends."""
    world = World(*[task()] * 7, task("succeeded"))

    assert "succeeded" == world.wait(way).status
    assert 2.0 == world.slept[0]
    assert 5.0 == world.slept[1]
    assert all(5 <= wait <= 10 for wait in world.slept[1:])
    assert all(before <= after for before, after in pairwise(world.slept))
    assert 10.0 == world.slept[-1]


def test_polls_are_spread() -> None:
    """Two tasks of a batch are not polled in step, and never outside the recommended times."""
    delays = [next(iter(World().polling(random=lambda r=r: r).delays())) for r in (0.0, 0.5, 1.0)]

    assert [2.0, 2.25, 2.5] == delays
    every = World().polling(random=lambda: 1.0).delays()
    assert all(2 <= next(every) <= 10 for _ in range(20))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_obeys_retry_after_on_good_and_bad_responses(way: str) -> None:
    world = World(
        httpx.Response(200, json=task(), headers={"retry-after": "20"}),
        httpx.Response(429, headers={"retry-after": "30"}),
        task("succeeded"),
    )
    world.wait(way)

    assert [2.0, 20.0, 30.0] == world.slept


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(429),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
def test_errors_of_a_single_poll_are_retried(trouble: Any) -> None:
    world = World(trouble, trouble, trouble, trouble, task("succeeded"))

    assert URL == world.wait().urls[0]
    assert 5 == len(world.requests)


def test_the_deadline_error_has_the_id_and_the_last_error() -> None:
    """Waiting ends on time; the error resumes the task and names the error of the last poll."""
    world = World(*[httpx.Response(502)] * 50)
    with pytest.raises(TaskTimeoutError, match=r"not ready after 30 s.*Resume it.*502") as caught:
        world.wait(deadline=30)

    assert "task_1" == caught.value.task_id
    assert 130.0 == world.now


def test_a_provider_that_asks_to_wait_beyond_the_deadline_ends_the_wait() -> None:
    world = World(httpx.Response(200, json=task(), headers={"retry-after": "3600"}))
    with pytest.raises(TaskTimeoutError):
        world.wait(deadline=60)

    assert [2.0] == world.slept


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ({"code": "generation_failed", "message": "Unsafe prompt."}, "generation_failed", "Unsafe prompt"),
        ({"code": "too_busy"}, "too_busy", "gave no reason"),
        (None, "generation_failed", "gave no reason"),
        ("plain words", "generation_failed", "plain words"),
    ],
)
def test_a_failed_task_is_a_typed_error(error: Any, code: str, said: str) -> None:
    """Even if the provider gives no error object."""
    with pytest.raises(TaskFailedError, match=said) as caught:
        World(task("failed", error=error, final_credits=0)).wait()

    assert ("task_1", code) == (caught.value.task_id, caught.value.code)
    assert "Nothing was charged" in str(caught.value)


def test_a_task_of_another_account_is_not_waited_for() -> None:
    world = World(httpx.Response(404, json={"error": {"code": "not_found", "message": "No."}}))
    with pytest.raises(NotFoundError):
        world.wait()

    assert 1 == len(world.requests)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "succeeded", "id": "t", "result": None},
        {"status": "succeeded", "id": "t", "result": {"urls": [5, None, ""]}},
        {"status": "succeeded", "id": "t", "result": [URL]},
        {"hello": 1},
        [],
        "text",
        httpx.Response(200, text="<html>"),
        {"id": "x" * 600, "status": "queued"},
    ],
)
def test_a_response_without_a_task_is_a_typed_error(answer: Any) -> None:
    with pytest.raises(InvalidResponseError):
        World(answer).run(create_task(ENDPOINT, {"model": "m"}, "k", RetryPolicy()))


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("queued", "queued"),
        ("WAITING", "queued"),
        ("GENERATING", "processing"),
        ("new", "processing"),
        (7, "processing"),
    ],
)
def test_the_products_internal_states_are_read_too(status: Any, read: str) -> None:
    created = World({"data": task(status)}).run(create_task(ENDPOINT, {}, "k", RetryPolicy()))

    assert read == created.status


def test_all_results_are_kept_the_primary_one_first() -> None:
    urls = [URL, "https://media.test/2.png", URL]
    found = World(task("succeeded", result={"primary_url": urls[1], "urls": urls})).wait()

    assert ("https://media.test/2.png", URL) == found.urls


def test_creating_is_repeated_with_one_key_after_a_lost_response() -> None:
    """The lost response may be a charged task; the same key returns the same task."""
    world = World(httpx.ReadError("lost"), httpx.Response(502), task("queued"))
    created = world.run(create_task(ENDPOINT, {"model": "m", "prompt": "p"}, "key-1", RetryPolicy(2)))

    assert "task_1" == created.id
    assert ["key-1"] * 3 == [request.headers["idempotency-key"] for request in world.requests]
    assert 1 == len({request.content for request in world.requests})


def test_a_create_without_any_response_says_so() -> None:
    with pytest.raises(ResponseLostError):
        World(*[httpx.ReadError("lost")] * 3).run(create_task(ENDPOINT, {}, "k", RetryPolicy(2)))


def test_a_refused_create_is_not_repeated_beyond_its_retries() -> None:
    world = World(*[httpx.Response(429)] * 3)
    with pytest.raises(RateLimitError):
        world.run(create_task(ENDPOINT, {}, "k", RetryPolicy(1)))

    assert 2 == len(world.requests)


def test_an_id_cannot_lead_to_another_path() -> None:
    """Ids come from a server and from callers; in a path they are one segment."""
    world = World(task("succeeded"))
    world.run(wait_for_task(ENDPOINT, "../files/x?y#z", world.polling(), world.note))

    assert b"/v1/generations/..%2Ffiles%2Fx%3Fy%23z" == world.requests[0].url.raw_path


@pytest.mark.parametrize("deadline", [0, -1, float("nan")])
def test_a_deadline_must_be_positive(deadline: float) -> None:
    with pytest.raises(ConfigurationError, match="deadline"):
        PollingPolicy(deadline)


def test_no_two_polls_are_close_at_the_deadline() -> None:
    """The last poll comes at the deadline, and the one before it at least 5 s earlier."""
    for deadline in range(10, 60):
        world = World()
        with pytest.raises(TaskTimeoutError):
            world.wait(deadline=deadline)
        assert deadline == pytest.approx(sum(world.slept))
        assert all(wait >= 5.0 for wait in world.slept[1:])


def test_a_short_deadline_is_kept() -> None:
    world = World()
    with pytest.raises(TaskTimeoutError):
        world.wait(deadline=1)
    assert [1.0] == world.slept
