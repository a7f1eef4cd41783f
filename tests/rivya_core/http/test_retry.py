"""Which failures are repeated, how often, after how long, and what is raised in the end."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import respx
from both_drivers import Runner
from reading import answer

from rivya_core import errors
from rivya_core.http.plan import Pause, Send
from rivya_core.http.retry import RetryPolicy, send_with_retries

URL = "https://rivya.test/api/v1/chat/completions"
POST = httpx.Request("POST", URL, headers={"idempotency-key": "k"}, content=b"{}")
GET = httpx.Request("GET", URL)
STEADY = RetryPolicy(max_retries=2, random=lambda: 0.0)
RATE = {"error": {"code": "rate_limited", "message": "Slow"}}
MONEY = {"error": {"code": "insufficient_quota", "message": "Empty"}}
IN_FLIGHT = {"error": {"code": "idempotency_conflict", "message": "In flight"}}


def walked(
    outcomes: list[Any], request: httpx.Request = POST, retry: RetryPolicy = STEADY, **how: bool
) -> tuple[list[Any], Any]:
    """The steps that an exchange takes when its requests end in *outcomes*, and its result or error."""
    plan, steps, left = send_with_retries(request, retry, **how), [], list(outcomes)
    try:
        step = next(plan)
        while True:
            steps.append(step.seconds if isinstance(step, Pause) else "send")
            if isinstance(step, Pause):
                step = plan.send(None)
            elif isinstance(outcome := left.pop(0), Exception):
                step = plan.throw(outcome)
            else:
                step = plan.send(outcome)
    except StopIteration as stop:
        return steps, stop.value
    except errors.RivyaError as error:
        return steps, error


def test_a_success_is_returned_as_it_is() -> None:
    good = answer(200, {})

    assert walked([good]) == (["send"], good)


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_max_retries_is_the_number_of_extra_requests_exactly(retries: int) -> None:
    steps, error = walked([answer(429, RATE)] * 9, retry=RetryPolicy(retries, random=lambda: 0.0))

    assert steps.count("send") == retries + 1
    assert isinstance(error, errors.RateLimitError)


def test_waits_double_up_to_a_ceiling() -> None:
    steps, _ = walked([answer(503)] * 9, retry=RetryPolicy(6, random=lambda: 0.0))

    assert [step for step in steps if step != "send"] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_waits_are_spread_by_up_to_a_quarter() -> None:
    """Many clients that were turned away together do not come back together."""
    assert walked([answer(503)] * 9, retry=RetryPolicy(1, random=lambda: 1.0))[0] == ["send", 0.375, "send"]
    assert {RetryPolicy().delay_before(1, errors.ServerError("x")) for _ in range(9)} != {0.5}


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"retry_after": "7"}, [7.0]),
        ({"retry_after": "0"}, [0.5]),
        ({"retry_after": "Sat, 01 Jan 2000 00:00:00 GMT"}, [0.5]),
        ({"x_ratelimit_reset_requests": "6s"}, [6.0]),
        ({"x_ratelimit_reset_requests": "6m0s"}, None),
        ({"retry_after_ms": "40"}, [0.04]),
        ({"retry_after": "60"}, [60.0]),
        ({"retry_after": "61"}, None),
        ({"retry_after": "999999999999"}, None),
        ({"retry_after": "soon"}, [0.5]),
        ({"retry_after": "-3"}, [0.5]),
    ],
)
def test_retry_after_is_obeyed_up_to_a_cap(headers: dict[str, str], waits: list[float] | None) -> None:
    """A provider that asks for more than a minute is not waited for: the error says how long it wants."""
    steps, result = walked([answer(429, RATE, **headers), answer(200, {})])

    assert [step for step in steps if step != "send"] == (waits or [])
    assert isinstance(result, httpx.Response if waits else errors.RateLimitError)


def test_every_wait_has_jitter() -> None:
    """Those that were asked for too: what was turned away together does not come back together."""
    lively = RetryPolicy(max_retries=3, random=lambda: 1.0)
    steps, _ = walked([answer(429, RATE, retry_after="8"), answer(503), answer(200, {})], retry=lively)

    assert [step for step in steps if step != "send"] == [10.0, 0.75]


def test_a_server_that_asks_for_too_little_twice_is_given_more() -> None:
    steps, _ = walked([answer(429, RATE, retry_after_ms="120")] * 9, retry=RetryPolicy(3, random=lambda: 0.0))

    assert [step for step in steps if step != "send"] == [0.12, 1.0, 1.0]


@pytest.mark.parametrize(("seconds", "waits"), [(60.0, [0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8]), (3.0, [0.5, 1.0]), (0.0, [])])
def test_all_waits_together_have_an_end(seconds: float, waits: list[float]) -> None:
    policy = RetryPolicy(max_retries=50, max_retry_seconds=seconds, random=lambda: 0.0)
    steps, error = walked([answer(503)] * 60, retry=policy)

    assert [step for step in steps if step != "send"] == waits
    assert isinstance(error, errors.ServiceUnavailableError)


def test_a_wait_that_was_asked_for_may_take_all_the_time_there_is() -> None:
    lively = RetryPolicy(max_retries=3, random=lambda: 1.0)

    assert walked([answer(429, RATE, retry_after="60"), answer(200, {})], retry=lively)[0] == ["send", 60.0, "send"]


def test_many_retries_are_no_overflow() -> None:
    assert RetryPolicy(5000, random=lambda: 0.0).delay_before(4000, errors.ServerError("x")) == 8.0


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=20), usegmt=True)
    steps, _ = walked([answer(429, RATE, retry_after=date), answer(200, {})])

    assert 15 < steps[1] <= 20


TURNED_AWAY = [
    answer(429, RATE),
    answer(503),
    answer(529),
    answer(425),
    httpx.ConnectError("x"),
    httpx.ConnectTimeout("x"),
]
TURNED_AWAY += [httpx.PoolTimeout("x"), httpx.ProxyError("407")]
FROM_A_GATEWAY = [(answer(425), 2), (answer(503), 1), (answer(529), 1), (answer(503, RATE), 2), (answer(529, RATE), 2)]
LOST = [answer(500), answer(502), answer(504), answer(524), answer(408), httpx.ReadTimeout("x"), httpx.ReadError("x")]
LOST += [httpx.RemoteProtocolError("x"), httpx.WriteError("x"), httpx.WriteTimeout("x"), httpx.DecodingError("x")]
FINAL = [
    answer(400),
    answer(401),
    answer(402),
    answer(403),
    answer(404),
    answer(409),
    answer(413),
    answer(422),
    answer(307),
]
FINAL += [answer(429, MONEY), answer(403, MONEY), answer(503, MONEY), answer(409, IN_FLIGHT)]
FINAL += [httpx.UnsupportedProtocol("x"), httpx.LocalProtocolError("x")]


def named(outcome: Any) -> str:
    return type(outcome).__name__ if isinstance(outcome, Exception) else f"{outcome.status_code} {outcome.text[:40]}"


@pytest.mark.parametrize(("failure", "requests"), FROM_A_GATEWAY)
def test_where_a_gateway_may_speak_only_its_own_code_proves_a_refusal(failure: Any, requests: int) -> None:
    """But 425 means by definition that nothing was carried out."""
    steps, _ = walked([failure, answer(200, {})], bare_503_is_unknown=True)

    assert steps.count("send") == requests


@pytest.mark.parametrize("how", [{}, {"idempotent": True}], ids=["charged", "idempotent"])
@pytest.mark.parametrize("failure", TURNED_AWAY, ids=named)
def test_what_never_left_or_was_turned_away_is_repeated(failure: Any, how: dict[str, bool]) -> None:
    steps, result = walked([failure, answer(200, {})], **how)

    assert steps == ["send", 0.5, "send"]
    assert result.status_code == 200


@pytest.mark.parametrize("failure", LOST, ids=named)
@pytest.mark.parametrize(
    ("request_", "how", "sends"),
    [(POST, {}, 1), (POST, {"idempotent": True}, 2), (GET, {}, 2)],
    ids=["POST", "idempotent", "GET"],
)
def test_what_may_have_been_carried_out_is_repeated_only_where_it_cannot_be_charged_twice(
    failure: Any, request_: httpx.Request, how: dict[str, bool], sends: int
) -> None:
    """Some of the services take a header for it but do not promise to honour it; there nothing is repeated."""
    steps, result = walked([failure, answer(200, {})], request_, **how)

    assert steps.count("send") == sends
    if sends == 1:
        assert result.retryable == "if_idempotent"
        assert "may have been carried out and charged" in str(result)


@pytest.mark.parametrize("failure", LOST, ids=named)
@pytest.mark.parametrize("asked", [False, True], ids=["by default", "retry_lost_answers"])
def test_a_stateless_chat_is_repeated_after_every_5xx(failure: Any, *, asked: bool) -> None:
    """As all clients of such APIs do; a lost response only if the user asked for it, for it may have been charged."""
    policy = RetryPolicy(2, retry_lost_answers=asked, random=lambda: 0.0)
    steps, result = walked([failure, answer(200, {})], retry=policy, stateless=True)
    repeated = asked or isinstance(failure, httpx.Response)

    assert steps.count("send") == 1 + repeated
    if not repeated:
        assert isinstance(result, errors.ResponseLostError)
        assert "may have been carried out and charged" in str(result)


@pytest.mark.parametrize("failure", FINAL, ids=named)
def test_a_stateless_chat_is_not_repeated_in_vain(failure: Any) -> None:
    assert walked([failure, answer(200, {})], stateless=True)[0] == ["send"]


def test_a_stateless_chat_ends_with_its_last_error() -> None:
    """Its class is kept, and its message says what may have happened before."""
    _, error = walked([answer(502), answer(401)], stateless=True)

    assert type(error) is errors.AuthenticationError
    assert "may have been carried out and charged" in str(error)


class Connection:
    """As far as httpcore's connections are asked: how many requests they have had, and where they fail."""

    def __init__(self, requests: int) -> None:
        self._request_count = requests

    def handle_request(self, failure: Exception) -> None:
        raise failure

    def receive_body(self, failure: Exception) -> None:
        raise failure


def cut_off(failure: Exception, *requests: int, where: str = "handle_request") -> int:
    """How often a stateless request is sent over connections that have had so many requests and then fail."""
    plan = send_with_retries(POST, RetryPolicy(5, random=lambda: 0.0), stateless=True)
    step, sends, left = next(plan), 0, [*requests]
    try:
        while True:
            if isinstance(step, Pause):
                step = plan.send(None)
                continue
            sends += 1
            try:
                getattr(Connection(left.pop(0) if len(left) > 1 else left[0]), where)(failure)
            except httpx.RequestError as exc:
                step = plan.throw(exc)
    except errors.RivyaError:
        return sends


CUT_OFF = [httpx.RemoteProtocolError("x"), httpx.ReadError("x"), httpx.WriteError("x")]


@pytest.mark.parametrize("failure", CUT_OFF, ids=named)
def test_a_reused_connection_that_ends_before_a_response_is_replaced_once(failure: Exception) -> None:
    assert cut_off(failure.with_traceback(None), 2, 1) == 2
    assert cut_off(failure.with_traceback(None), 2) == 2
    assert cut_off(failure.with_traceback(None), 1) == 1
    assert cut_off(failure.with_traceback(None), 2, where="receive_body") == 1


def test_a_timeout_on_a_reused_connection_is_a_timeout() -> None:
    assert cut_off(httpx.ReadTimeout("x"), 2) == 1


@pytest.mark.parametrize("how", [{}, {"idempotent": True}], ids=["charged", "idempotent"])
@pytest.mark.parametrize("failure", FINAL, ids=named)
def test_what_another_try_cannot_mend_is_not_repeated(failure: Any, how: dict[str, bool]) -> None:
    """Above all money, as whatever status it comes."""
    steps, error = walked([failure, answer(200, {})], **how)

    assert steps == ["send"]
    assert error.retryable == "never"


def test_a_conflict_after_a_lost_answer_is_the_first_try_still_at_work() -> None:
    """Our own key is in use: the answer will be had under it, and nothing is charged twice."""
    steps, result = walked([httpx.ReadTimeout("x"), answer(409, IN_FLIGHT), answer(200, {})], idempotent=True)

    assert steps.count("send") == 3
    assert result.status_code == 200


def test_a_lost_answer_is_told_even_if_the_last_failure_is_another() -> None:
    """The caller must know that it may have been charged."""
    _, error = walked([httpx.ReadTimeout("x"), answer(409, IN_FLIGHT), answer(409, IN_FLIGHT)], idempotent=True)
    _, other = walked([httpx.ReadTimeout("x"), httpx.ConnectError("down"), httpx.ConnectError("down")], idempotent=True)

    assert type(error) is type(other) is errors.ResponseLostError
    assert "In flight" in str(error)
    assert isinstance(error.__cause__, errors.IdempotencyConflictError)
    assert "may have been carried out and charged" in str(other)


def test_a_lost_read_only_request_has_nothing_to_warn_of() -> None:
    _, error = walked([httpx.ReadTimeout("x"), answer(404), answer(404)], GET)

    assert type(error) is errors.NotFoundError


KINDS = [
    (httpx.ConnectError("refused"), errors.APIConnectionError, "Could not connect to rivya.test"),
    (httpx.ReadTimeout(""), errors.APITimeoutError, "did not answer in time (ReadTimeout)"),
    (httpx.ReadError("reset"), errors.ResponseLostError, "was lost (ReadError: reset)"),
    (httpx.UnsupportedProtocol("no scheme"), errors.ConfigurationError, "base_url"),
    (httpx.LocalProtocolError("Illegal header value b'secret'"), errors.ConfigurationError, "default_headers"),
]


@pytest.mark.parametrize(
    ("failure", "kind", "words"), KINDS, ids=lambda value: named(value) if isinstance(value, Exception) else None
)
def test_a_transports_failure_is_one_of_our_errors(failure: Exception, kind: type[Exception], words: str) -> None:
    """With the original as its cause, and the next move in its message."""
    _, error = walked([failure] * 3)

    assert type(error) is kind
    assert words in str(error)
    assert "secret" not in str(error)


def test_the_host_in_a_message_has_no_credentials() -> None:
    request = httpx.Request("GET", "https://user:pass@rivya.test/x")
    _, error = walked([httpx.ConnectError("x")] * 3, request)

    assert "pass" not in str(error)


def test_cancelling_while_waiting_ends_the_exchange() -> None:
    plan = send_with_retries(POST, STEADY)
    assert isinstance(next(plan), Send)
    assert isinstance(plan.send(answer(503)), Pause)

    with pytest.raises(KeyboardInterrupt):
        plan.throw(KeyboardInterrupt())


# --- the same through the drivers


@respx.mock
def test_through_a_driver(runner: Runner) -> None:
    """Two failures, the waits between, then the answer; the same request with the same key each time."""
    route = respx.post(URL).mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": "3"}),
            httpx.ConnectError("x"),
            httpx.Response(200, json={"a": 1}),
        ]
    )
    request = httpx.Request("POST", URL, headers={"idempotency-key": "k"}, content=b"{}")
    response = runner.run(send_with_retries(request, STEADY))

    assert (response.json(), runner.slept) == ({"a": 1}, [3.0, 1.0])
    assert [call.request.headers["idempotency-key"] for call in route.calls] == ["k", "k", "k"]


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends early."""

    def __iter__(self) -> Any:
        yield b'{"error":'
        raise httpx.ReadError("reset")

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


@pytest.mark.parametrize("keep_open", [False, True])
@respx.mock
def test_of_an_error_the_status_is_enough(runner: Runner, keep_open: bool) -> None:
    """A refusal whose body ends early is a refusal, not a lost response."""
    respx.post(URL).mock(return_value=httpx.Response(401, stream=Broken()))

    with pytest.raises(errors.AuthenticationError):
        runner.run(send_with_retries(httpx.Request("POST", URL), STEADY, keep_open=keep_open))


@respx.mock
def test_a_success_whose_body_breaks_off_is_a_lost_answer(runner: Runner) -> None:
    respx.post(URL).mock(return_value=httpx.Response(200, stream=Broken()))

    with pytest.raises(errors.ResponseLostError, match="may have been carried out"):
        runner.run(send_with_retries(httpx.Request("POST", URL), STEADY))


@respx.mock
def test_a_callers_client_is_used_with_all_that_it_was_set_up_with(runner: Runner) -> None:
    """Its headers (ours win), its timeout and its event hooks."""
    route = respx.get(URL).mock(return_value=httpx.Response(200, json={}))
    seen: list[str] = []

    def note(_: Any) -> None:
        seen.append("hook")

    async def anote(_: Any) -> None:
        seen.append("hook")

    hooks = {"request": [note if runner.kind == "sync" else anote]}
    client = runner.client(headers={"x-team": "blue", "authorization": "theirs"}, timeout=33, event_hooks=hooks)
    runner.run(send_with_retries(httpx.Request("GET", URL, headers={"authorization": "ours"}), STEADY), client)
    sent = route.calls.last.request

    assert (sent.headers["x-team"], sent.headers["authorization"], seen) == ("blue", "ours", ["hook"])
    assert sent.extensions["timeout"]["read"] == 33


@pytest.mark.parametrize(
    ("own", "client", "expected"),
    [
        (None, {}, {"connect": 10.0, "read": 120.0, "write": 120.0, "pool": 120.0}),
        (None, {"timeout": None}, {"connect": 10.0, "read": 120.0, "write": 120.0, "pool": 120.0}),
        (None, {"timeout": httpx.Timeout(7, read=None)}, {"connect": 7, "read": 120.0, "write": 7, "pool": 7}),
        ({"read": 3.0}, {"timeout": 9}, {"connect": 10.0, "read": 3.0, "write": 120.0, "pool": 120.0}),
    ],
)
@respx.mock
def test_no_request_waits_for_ever(
    runner: Runner, own: Any, client: dict[str, Any], expected: dict[str, float]
) -> None:
    """Not even with a client that has no timeout; and httpx's default of five seconds is not the caller's choice."""
    route = respx.get(URL).mock(return_value=httpx.Response(200, json={}))
    request = httpx.Request("GET", URL, extensions={"timeout": own} if own else {})
    runner.run(send_with_retries(request, STEADY), runner.client(**client))

    assert route.calls.last.request.extensions["timeout"] == expected
