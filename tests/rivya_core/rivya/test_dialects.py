"""Every dialect that the sandbox speaks is understood, over a real port and through both drivers."""

from __future__ import annotations

import pytest
from both_drivers import Runner
from pydantic import SecretStr
from reading import message

from rivya_core import errors
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.providers import RIVYA
from rivya_core.rivya.session_chat import RivyaWire
from rivya_core.rivya.wire import ChatOptions
from rivya_core.sessions.ledger import MemoryLedger
from rivya_core.types import Message, Text
from rivya_sandbox import DIALECTS, Fault, Sandbox

ASKED = "Name three rivers of Europe."


def conversation(sandbox: Sandbox) -> RivyaWire:
    where = Endpoint(RIVYA, sandbox.rivya_url, SecretStr(sandbox.api_key))
    options = ChatOptions("gpt-5-2-chat", reasoning_effort="high")
    return RivyaWire(where, options, MemoryLedger(), RetryPolicy(0))


def said(text: str) -> tuple[Message, ...]:
    return (Message("user", (Text(text),)),)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_the_same_reply(name: str, runner: Runner, sandbox: Sandbox) -> None:
    """As in the sandbox's own journal, with usage, credits, the session and a pointer to it."""
    sandbox.dialect = name
    text, reasoning, usage, facts = message(runner.stream(conversation(sandbox).stream(said(ASKED))))
    turn = sandbox.journal.turns[-1]

    assert (text, reasoning) == (turn.reply, turn.reasoning)
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0
    assert (facts["id"], facts["session_id"], facts.get("model", turn.model)) == (turn.id, turn.session_id, turn.model)
    assert facts["credits"]["final"] == turn.charged
    assert facts["rivya_session"]["session_id"] == turn.session_id


@pytest.mark.parametrize("name", ["named", "openai", "flat", "blocks", "responses", "closing-short", "cr"])
def test_a_stream_that_is_cut_is_broken_in_every_dialect(name: str, runner: Runner, sandbox: Sandbox) -> None:
    sandbox.dialect = name
    sandbox.fault(Fault(cut=3))

    with pytest.raises(errors.StreamBrokenError):
        runner.stream(conversation(sandbox).stream(said(ASKED)))


def test_an_error_in_the_middle_comes_after_the_text_before_it(runner: Runner, sandbox: Sandbox) -> None:
    sandbox.fault(Fault(cut=4, code="rate_limited"))

    with pytest.raises(errors.RateLimitError):
        runner.stream(conversation(sandbox).stream(said(ASKED)))
