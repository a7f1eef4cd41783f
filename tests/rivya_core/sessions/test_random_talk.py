"""The promise, under thousands of random operations: the context is the caller's, paid once, and sessions are reused.

A short run of what `make soak` does for long. It prints the three figures; each must be 100 %.
"""

from __future__ import annotations

from typing import Any

import pytest
from talk_figures import Figures
from talk_rounds import no_waiting, round_of

from rivya_core.http.retry import RetryPolicy
from rivya_sandbox import Sandbox

ROUNDS = [("memory", 180), ("workers", 120), ("sqlite", 40), ("redis", 40)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryPolicy, "delay_before", RetryPolicy.delay_before)
    no_waiting()


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
@pytest.mark.parametrize(("kind", "operations"), ROUNDS)
def test_the_model_sees_what_the_caller_passes_and_it_is_paid_once(
    sandbox: Sandbox, framework: str, kind: str, operations: int, request: pytest.FixtureRequest, capsys: Any
) -> None:
    """Edits, forks, crowds, aborts and every fault, in both frameworks, sync and async, whole and streamed."""
    redis_url = request.getfixturevalue("redis_url") if kind == "redis" else None
    figures = round_of(sandbox, framework, kind, 20261121, operations, redis_url)
    with capsys.disabled():
        print(f"\n{framework} with {kind}: {figures}")  # noqa: T201 - the figures are to be seen

    assert figures.perfect, "\n".join(figures.faults)
    assert min(figures.context[True], figures.charged[True]) > operations
    assert figures.reused[True] > operations / 5


def test_a_broken_promise_would_be_seen(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the digest and the ledger the same operations do go wrong, so the figures mean something."""
    from rivya_core.sessions.ledger import MemoryLedger
    from rivya_core.sessions.pointers import Origin

    monkeypatch.setattr(Origin, "owns", lambda *_: True)
    monkeypatch.setattr(MemoryLedger, "claim", lambda *_: True)
    figures: Figures = round_of(sandbox, "langchain", "memory", 20261121, 60)

    assert figures.context[False] > 5
