"""Point 7: usage where token counters find it, and every call counted once."""

from __future__ import annotations

import pytest
from llama_backend import Reply
from llama_calls import user
from llama_events import watched
from llama_index.core.callbacks import TokenCountingHandler
from llama_index.core.callbacks.token_counting import get_tokens_from_response

METHODS = [("run", "chat"), ("run", "complete"), ("each", "stream_chat"), ("each", "stream_complete")]


def ask(calls, llm, how, name):
    return getattr(calls, how)(llm, name, "Hi" if "complete" in name else [user("Hi")])


@pytest.mark.parametrize(("how", "name"), METHODS)
def test_token_counts_are_the_providers(llm, backend, calls, how, name):
    """`TokenCountingHandler` finds the provider's counts and need not estimate."""
    counter = TokenCountingHandler()
    watched(llm, counter)
    backend.say(Reply("Four words of text.", usage=(1234, 567)))

    ask(calls, llm, how, name)

    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (1234, 567)


@pytest.mark.parametrize(("how", "name"), METHODS)
def test_each_call_is_one_event(llm, backend, calls, how, name):
    """No public method goes through another one: tokens would be counted twice."""
    ledger = watched(llm)

    ask(calls, llm, how, name)

    assert (len(ledger.starts), len(ledger.ends)) == (1, 1)


def test_counters_are_equal_whole_and_streamed(llm, backend, calls):
    """The three counters are in `additional_kwargs`, whole and streamed."""
    whole = calls.run(llm, "chat", [user("Hi")])
    last = calls.each(llm, "stream_chat", [user("Hi")])[-1]

    expected = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert whole.additional_kwargs == expected == last.additional_kwargs


def test_no_usage_is_no_usage(llm, backend, calls):
    """A back end that says nothing of tokens is not taken to say zero."""
    backend.say(Reply("ok", usage=None))

    response = calls.run(llm, "chat", [user("Hi")])

    assert response.message.content == "ok"
    assert get_tokens_from_response(response) == (0, 0)
    assert "prompt_tokens" not in response.additional_kwargs
