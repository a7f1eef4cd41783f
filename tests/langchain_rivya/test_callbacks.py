"""Counting credits, limiting them, and `init_chat_model`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asking import WAYS
from langchain.chat_models import init_chat_model
from langchain_core.caches import InMemoryCache

import langchain_rivya
from langchain_rivya import ChatRivya, RivyaCreditsHandler, register
from rivya_sandbox import Fault, Sandbox


@pytest.fixture(autouse=True)
def account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", sandbox.api_key)
    monkeypatch.setenv("RIVYA_BASE_URL", sandbox.rivya_url)


@pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)
def test_credits_and_tokens_are_counted_by_model_and_run(sandbox: Sandbox, ask: Callable[..., Any]) -> None:
    """The sum is what the account was charged, however the model is called."""
    before = sandbox.credits()
    with RivyaCreditsHandler() as spent:
        ask(ChatRivya(), "one")
        ask(ChatRivya(model="gpt-5-codex-chat"), "two")
    ask(ChatRivya(), "outside")

    inside = sum(entry.final for entry in sandbox.ledger("default")[:2])
    assert spent.credits == inside
    assert before - sandbox.credits() > inside
    assert set(spent.by_model) == {"gpt-5-2-chat", "gpt-5-codex-chat"}
    assert [cost.calls for cost in spent.by_run.values()] == [1, 1]
    assert spent.total.input_tokens > 0
    assert spent.total.output_tokens > 0


def test_threads_of_a_batch_are_counted() -> None:
    """Every call of `batch` and `abatch`, given as callback."""
    spent = RivyaCreditsHandler()
    ChatRivya().batch(["a", "b", "c"], config={"callbacks": [spent]})
    asyncio.run(ChatRivya().abatch(["a", "b"], config={"callbacks": [spent]}))
    assert spent.total.calls == 5


@pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)
def test_the_limit_stops_before_the_next_call(sandbox: Sandbox, ask: Callable[..., Any]) -> None:
    """What is running ends; the next call is not made."""
    with RivyaCreditsHandler(limit=1) as spent:
        ask(ChatRivya(), "one")
        with pytest.raises(langchain_rivya.CreditLimitError, match="limit is 1"):
            ask(ChatRivya(), "two")
    assert len(sandbox.journal.turns) == 1
    assert spent.total.calls == 1


def test_a_cache_hit_costs_nothing() -> None:
    """It was paid the first time."""
    model = ChatRivya(cache=InMemoryCache())
    with RivyaCreditsHandler() as spent:
        model.invoke("one")
        once = spent.credits
        model.invoke("one")
    assert spent.credits == once > 0


def test_init_chat_model_knows_the_providers_once_registered() -> None:
    """Explicitly, and as often as one likes."""
    register()
    register()
    assert init_chat_model("rivya:gpt-5-codex-chat").invoke("hi").text
    assert init_chat_model("evolink:gpt-5.2", api_key="sk-evolink", temperature=0).temperature == 0
    assert init_chat_model("gmi:openai/gpt-5.2-chat", api_key="sk-gmi-key").model == "openai/gpt-5.2-chat"
    local = init_chat_model("openai_compatible:qwen3", base_url="http://localhost:8000/v1")
    assert local._identifying_params["base_url"] == "http://localhost:8000/v1"


def test_one_configuration_serves_several_providers() -> None:
    """What a provider lacks is refused with the reason, or ignored if the application says so once."""
    register()
    with pytest.raises(langchain_rivya.ConfigurationError, match=r"no sampling parameters.*ignore_unsupported"):
        init_chat_model("rivya:gpt-5-2-chat", temperature=0.1)
    register(ignore_unsupported=True)
    try:
        for name in ("rivya:gpt-5-2-chat", "gmi:openai/gpt-5.2-chat", "evolink:gpt-5.2"):
            model = init_chat_model(name, temperature=0.1, max_tokens=50, api_key="sk-0123456789")
            assert model.ignore_unsupported
        any_model = init_chat_model(configurable_fields="any", temperature=0.1)
        assert any_model.invoke("hi", {"configurable": {"model": "rivya:gpt-5-2-chat"}}).text
        with pytest.raises(langchain_rivya.ConfigurationError, match="did you mean"):
            init_chat_model("rivya:gpt-5-2-chat", temprature=0.1)
    finally:
        register()


def test_importing_registers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain's list is its own until `register()` is called."""
    from langchain.chat_models import base

    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", {"openai": ()})
    assert ChatRivya().model
    assert list(base._BUILTIN_PROVIDERS) == ["openai"]
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", None)
    with pytest.raises(langchain_rivya.NotSupportedError, match="construct the chat model"):
        register()


@pytest.mark.parametrize("how", ["batch", "abatch", "streams"])
def test_the_limit_holds_for_calls_at_the_same_time(sandbox: Sandbox, how: str) -> None:
    """Calls under way count with what is reserved for them, so thirty calls at once do not pass a limit of two."""
    from concurrent.futures import ThreadPoolExecutor

    sandbox.fault(Fault(path="/chat/completions", delay=0.05, times=30))
    spent, model, prompts = RivyaCreditsHandler(limit=2), ChatRivya(), [f"Number {n}" for n in range(30)]
    config = {"callbacks": [spent], "max_concurrency": 30}
    if how == "batch":
        done = model.batch(prompts, config, return_exceptions=True)
    elif how == "abatch":
        done = asyncio.run(model.abatch(prompts, config, return_exceptions=True))
    else:

        def stream(prompt: str) -> Any:
            try:
                return list(model.stream(prompt, config))
            except langchain_rivya.CreditLimitError as error:
                return error

        with ThreadPoolExecutor(30) as threads:
            done = list(threads.map(stream, prompts))

    refused = [one for one in done if isinstance(one, langchain_rivya.CreditLimitError)]
    assert spent.credits <= 2
    assert 1 <= len(sandbox.journal.turns) <= 2
    assert len(refused) == 30 - len(sandbox.journal.turns)


def test_what_a_failed_or_abandoned_call_held_back_is_given_back(sandbox: Sandbox) -> None:
    """A limit is about what is spent, not about what was tried."""
    spent, model = RivyaCreditsHandler(limit=2), ChatRivya(max_retries=0)
    config = {"callbacks": [spent]}
    for _ in range(5):
        sandbox.fault(Fault(path="/chat/completions", status=400))
        with pytest.raises(langchain_rivya.BadRequestError):
            model.invoke("Hello", config)

    assert model.invoke("Hello", config).text


def test_a_call_that_is_made_again_under_its_key_costs_once(sandbox: Sandbox) -> None:
    with RivyaCreditsHandler() as spent:
        for _ in range(3):
            ChatRivya().invoke("Hello", idempotency_key="step-1")

    assert [spent.credits] == [turn.charged for turn in sandbox.journal.turns]
