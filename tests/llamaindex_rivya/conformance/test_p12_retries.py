"""Point 12: exactly so many requests, `Retry-After` obeyed, nothing repeated that may have been charged."""

from __future__ import annotations

import time

import pytest
from llama_backend import EVENTS, Raw, Reply
from llama_calls import user

ERROR = b'{"error": {"message": "try later", "code": "rate_limit_exceeded"}}'
AT_ONCE = (("content-type", "application/json"), ("retry-after-ms", "1"))


def failing(status, count=20, headers=AT_ONCE):
    return [Raw((ERROR,), status=status, headers=headers)] * count


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize(("how", "name"), [("run", "chat"), ("each", "stream_chat")])
def test_max_retries_is_the_number_of_extra_requests(make, backend, calls, how, name, retries):
    """One request and `max_retries` more, no layer multiplying another's."""
    backend.say(*failing(429))

    with pytest.raises(Exception, match="try later"):
        getattr(calls, how)(make(max_retries=retries), name, [user("Hi")])

    assert len(backend.requests) == retries + 1


@pytest.mark.parametrize(("how", "name"), [("run", "chat"), ("each", "stream_chat")])
def test_what_was_turned_away_is_repeated(make, backend, calls, how, name):
    """A 503 and then an answer: the caller sees the answer."""
    backend.say(*failing(503, 1), Reply("fine"))

    result = getattr(calls, how)(make(), name, [user("Hi")])

    assert (result if how == "run" else result[-1]).message.content == "fine"
    assert len(backend.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_is_wrong_is_not_repeated(make, backend, calls, status):
    """A request that was refused for what it is stays refused."""
    backend.say(Raw((b'{"error": {"message": "no"}}',), status=status))

    with pytest.raises(Exception, match="no"):
        calls.run(make(), "chat", [user("Hi")])

    assert len(backend.requests) == 1


def test_retry_after_is_obeyed(make, backend, calls):
    """Seconds that the server asks for are waited."""
    backend.say(*failing(429, 1, (("retry-after", "0.2"),)), Reply("fine"))
    begun = time.monotonic()

    calls.run(make(), "chat", [user("Hi")])

    assert time.monotonic() - begun >= 0.2


def test_an_absurd_retry_after_is_not_waited_for(make, backend, calls):
    """A server that asks for an hour gets an error to the caller instead."""
    backend.say(*failing(429, 1, (("retry-after", "3600"),)))

    with pytest.raises(Exception, match="try later"):
        calls.run(make(), "chat", [user("Hi")])


@pytest.mark.parametrize("code", ["insufficient_quota"])
def test_money_is_not_retried(make, backend, calls, code):
    """A 429 about quota is an empty wallet, not a busy server."""
    backend.say(Raw((f'{{"error": {{"message": "no money", "code": "{code}"}}}}'.encode(),), status=429))

    with pytest.raises(Exception, match="no money"):
        calls.run(make(), "chat", [user("Hi")])

    assert len(backend.requests) == 1


def test_nothing_is_repeated_after_a_streams_first_byte(make, backend, calls):
    """A stream that breaks is an error; a second request would pay and say twice."""

    def invalid(request):
        return Raw(backend.wire.render(Reply(("a", "b", "c")), request).pieces[:2], headers=EVENTS, cut=True)

    backend.say(invalid)

    with pytest.raises(Exception):  # noqa: B017 - each class under test has its own
        calls.each(make(), "stream_chat", [user("Hi")])

    assert len(backend.requests) == 1
