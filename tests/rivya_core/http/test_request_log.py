"""Requests and retries in the log: one tree of loggers, ids in every line, and never a key."""

from __future__ import annotations

import logging
import re

import httpx
import pytest
import respx
from both_drivers import Runner
from pydantic import SecretStr

from rivya_core import errors
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.providers import COMPATIBLE

KEY, TOKEN = "sk-never-in-a-log", "token-never-in-a-log"
URL = "https://host.test/v1/models"
QUIET = RetryPolicy(2, random=lambda: 0.0)


def ask(runner: Runner, policy: RetryPolicy = QUIET) -> None:
    where = Endpoint(COMPATIBLE, "https://host.test/v1", SecretStr(KEY), {"x-team": TOKEN}, query=(("sig", TOKEN),))
    runner.run(send_with_retries(where.request("GET", "/models"), policy))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [f"{record.levelname} {record.getMessage()}" for record in caplog.records if record.name == "rivya.http"]
    assert KEY not in caplog.text
    assert TOKEN not in "".join(found)
    return [re.sub(r"\d\.\d{3} s", "… s", line) for line in found]


@respx.mock
def test_a_call_with_a_retry(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    refused = httpx.Response(503, json={"error": {"code": "busy", "message": KEY}}, headers={"x-request-id": "req_1"})
    respx.get(URL).mock(side_effect=[refused, httpx.Response(200, json={}, headers={"x-request-id": "req_2"})])
    with caplog.at_level(logging.DEBUG, "rivya.http"):
        ask(runner)
    found = lines(caplog)
    number = re.findall(r"\[\d+\]", found[0])[0]

    assert found == [
        f"DEBUG {number} GET {URL}",
        f"INFO {number} GET {URL}: ServiceUnavailableError (503 busy), request req_1; retry 1 of 2 in 0.50 s",
        f"DEBUG {number} GET {URL}",
        f"DEBUG {number} 200 in … s, request req_2",
    ]


@respx.mock
def test_at_info_the_retries_alone(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    respx.get(URL).mock(side_effect=[httpx.ConnectError(KEY), httpx.Response(200, json={})])
    with caplog.at_level(logging.INFO, "rivya.http"):
        ask(runner)

    (line,) = lines(caplog)
    assert line.endswith(f"GET {URL}: APIConnectionError; retry 1 of 2 in 0.50 s")


@respx.mock
def test_the_last_failure_is_the_callers_to_log(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    respx.get(URL).respond(401)
    with caplog.at_level(logging.INFO, "rivya.http"), pytest.raises(errors.AuthenticationError):
        ask(runner)

    assert lines(caplog) == []
