"""Constructing a `Rivya`: what it takes, what it refuses, and what its copies keep."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

import llamaindex_rivya
from llamaindex_rivya import ConfigurationError, InvalidInputError, MemoryLedger, NotSupportedError, Rivya
from rivya_core.http import credentials as keys

KEY = "rvya_sk_very_secret"


def test_a_key_in_the_environment_is_enough(monkeypatch):
    """`Rivya()` works with only `RIVYA_API_KEY` set."""
    monkeypatch.setenv("RIVYA_API_KEY", KEY)

    llm = Rivya()

    assert (llm.model, llm.base_url) == ("gpt-5-2-chat", "https://rivya.ai/api/v1")


def test_the_url_can_come_from_the_environment(monkeypatch):
    """`RIVYA_BASE_URL` says where the API is, unless the constructor does."""
    monkeypatch.setenv("RIVYA_BASE_URL", "http://localhost:8008/api/v1/")

    assert Rivya(api_key=KEY).base_url == "http://localhost:8008/api/v1"
    assert Rivya(api_key=KEY, base_url="http://there/v1").base_url == "http://there/v1"


def test_a_missing_key_is_said_at_once():
    """Without a key the constructor names the variable, in an error of its own and not inside pydantic's."""
    with pytest.raises(ConfigurationError, match="RIVYA_API_KEY"):
        Rivya()


def test_an_unknown_argument_is_named_with_the_one_it_may_have_meant():
    """A typing error is found where it was made."""
    with pytest.raises(ConfigurationError, match=r"no argument `reasoning_efort`; did you mean `reasoning_effort`\?"):
        Rivya(api_key=KEY, reasoning_efort="low")
    with pytest.raises(ConfigurationError, match=r"no argument `zzz`\."):
        Rivya(api_key=KEY, zzz=1)


@pytest.mark.parametrize("url", ["not a url", "ftp://host/v1", "https://user:pw@host/v1", "https://host/v1#part"])
def test_a_url_that_cannot_be_one_is_refused(url):
    """A wrong base URL is said at construction."""
    with pytest.raises(ConfigurationError, match="base_url"):
        Rivya(api_key=KEY, base_url=url)


@pytest.mark.parametrize("field", [{"max_retries": -1}, {"reasoning_effort": "huge"}, {"on_history_mismatch": "x"}])
def test_values_that_cannot_be_right_are_refused(field):
    """A value of the wrong kind is refused, naming the field, and without repeating text that was given."""
    with pytest.raises(ConfigurationError, match=next(iter(field))) as caught:
        Rivya(api_key=KEY, **field)

    assert "huge" not in str(caught.value)


def test_one_way_of_choosing_sessions():
    """A pinned session and a ledger exclude each other."""
    with pytest.raises(ConfigurationError, match="Set one of them"):
        Rivya(api_key=KEY, session_id="chatsess_1", session_ledger=MemoryLedger())


@pytest.mark.parametrize("name", ["temperature", "functions", "stop", "reasoning_efort"])
def test_a_call_refuses_what_it_does_not_know(rivya, sandbox, calls, name):
    """An unknown keyword is an error before anything is sent, whole and streamed."""
    for run, method in ((calls.run, "chat"), (calls.each, "stream_chat"), (calls.run, "complete")):
        with pytest.raises(InvalidInputError, match=f"does not take `{name}`"):
            run(rivya, method, "Hi" if method == "complete" else [ChatMessage(content="Hi")], **{name: 1})

    assert not sandbox.journal.requests


def test_an_unknown_effort_is_refused_in_a_call(rivya, sandbox):
    """The message lists the valid efforts."""
    with pytest.raises(InvalidInputError, match="`minimal`, `low`, `medium`"):
        rivya.complete("Hi", reasoning_effort="huge")

    assert not sandbox.journal.requests


def test_a_call_can_override_what_the_constructor_said(rivya, sandbox, calls):
    """Model, effort, web search and request id of one call."""
    rivya.enable_web_search = True

    calls.run(
        rivya,
        "complete",
        "Hi",
        model="gpt-5-codex-chat",
        reasoning_effort="high",
        enable_web_search=None,
        client_request_id="trace-1",
        timeout=5,
    )

    (request,) = sandbox.journal.to("/chat/completions")
    assert request.body["model"] == "gpt-5-codex-chat"
    assert request.body["reasoning_effort"] == "high"
    assert request.body["client_request_id"] == "trace-1"
    assert "enable_web_search" not in request.body


def test_what_is_not_set_is_not_sent(rivya, sandbox):
    """A plain call sends model and message alone."""
    rivya.complete("Hi")

    assert sandbox.journal.requests[0].body == {"model": "gpt-5-2-chat", "message": "Hi"}


def test_headers_of_ones_own_are_sent(sandbox):
    """`default_headers` go with every request."""
    llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, default_headers={"x-team": "blue"})

    llm.complete("Hi")

    assert sandbox.journal.requests[0].headers["x-team"] == "blue"


def test_a_rate_limiter_is_asked(sandbox, calls):
    """LlamaIndex's limiter is acquired once a call."""
    limiters = pytest.importorskip("llama_index.core.rate_limiter", reason="this framework has none yet")
    limiter = limiters.TokenBucketRateLimiter(requests_per_minute=1000)
    llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, rate_limiter=limiter)
    before = limiter._request_tokens

    calls.run(llm, "complete", "Hi")

    assert limiter._request_tokens < before


@pytest.mark.parametrize("method", ["chat_with_tools", "stream_chat_with_tools"])
def test_function_calling_that_is_off_says_what_to_use_instead(rivya, calls, method):
    """The error names the option and the providers that have tools."""
    llm = rivya.model_copy(update={"tool_calling": "off"})
    with pytest.raises(NotSupportedError, match=r"tool_calling=.*GMI Cloud or Evolink"):
        calls.run(llm, method, [FunctionTool.from_defaults(lambda: 1, name="f", description="F.")], user_msg="Hi")


def test_dicts_and_json_find_the_key_in_the_environment(monkeypatch):
    """What was written without key and headers works where the environment has them."""
    llm = Rivya(api_key=KEY, model="m", timeout=httpx.Timeout(3, connect=1), default_headers={"x-team": "blue"})
    monkeypatch.setenv("RIVYA_API_KEY", "rvya_sk_of_the_environment")
    monkeypatch.setenv("RIVYA_DEFAULT_HEADERS", '{"x-team": "blue"}')

    for twin in (Rivya.from_dict(llm.to_dict()), Rivya.from_json(llm.to_json())):
        assert (twin.model, twin.timeout, twin.default_headers) == ("m", llm.timeout, {"x-team": "blue"})
        assert twin.api_key.get_secret_value() == "rvya_sk_of_the_environment"


def test_a_deep_copy_keeps_the_key_and_what_it_talks_through():
    """A copy is as good as the model: key, clients, ledger and callbacks are shared, headers are its own."""
    ledger = MemoryLedger()
    with httpx.Client() as client:
        llm = Rivya(api_key=KEY, http_client=client, session_ledger=ledger, default_headers={"x-team": "blue"})

        twin = copy.deepcopy(llm)

    assert twin.api_key.get_secret_value() == KEY
    assert twin.http_client is client
    assert twin.session_ledger is ledger
    assert twin.callback_manager is llm.callback_manager
    assert twin.default_headers == llm.default_headers
    assert twin.default_headers is not llm.default_headers


def test_a_pickle_finds_its_key_in_the_process():
    """A pickle holds a fingerprint; where it is read in the same process, the key is there."""
    pickled = pickle.dumps(Rivya(api_key=KEY, default_headers={"x-team": "blue", "cookie": "c=1"}))

    twin = pickle.loads(pickled)

    assert twin.api_key.get_secret_value() == KEY
    assert twin.default_headers == {"x-team": "blue", "cookie": "c=1"}


def test_a_pickle_without_its_key_asks_for_one_when_it_is_used(monkeypatch, sandbox):
    """In another process the environment's key is used, and without one the call says so."""
    pickled = pickle.dumps(Rivya(api_key=KEY, base_url=sandbox.rivya_url))
    monkeypatch.setattr(keys, "_seen", {})

    twin = pickle.loads(pickled)

    with pytest.raises(ConfigurationError, match="RIVYA_API_KEY"):
        twin.complete("Hi")
    monkeypatch.setenv("RIVYA_API_KEY", sandbox.api_key)
    assert twin.complete("Hi").text


def test_pickling_does_not_lose_a_client_in_silence():
    """A model with a client of its own (say, for a proxy) is not pickled without it, and stays as it is."""
    with httpx.Client() as client:
        llm = Rivya(api_key=KEY, http_client=client)

        with pytest.raises(pickle.PicklingError, match="http_client"):
            pickle.dumps(llm)

        assert llm.http_client is client


def test_clients_of_ones_own_are_used(sandbox, calls):
    """Requests go through the client that was given."""
    seen = []
    hooks = {"request": [lambda request: seen.append(request.url.path)]}

    async def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    with httpx.Client(event_hooks=hooks) as client:
        llm = Rivya(
            api_key=sandbox.api_key,
            base_url=sandbox.rivya_url,
            http_client=client,
            http_async_client=httpx.AsyncClient(
                event_hooks={"request": [note]}, limits=httpx.Limits(max_keepalive_connections=0)
            ),
        )
        calls.run(llm, "complete", "Hi")

    assert seen == ["/api/v1/chat/completions"]


class TestImporting:
    def test_the_package_loads_no_framework(self):
        """`import llamaindex_rivya` is free of LlamaIndex and LangChain, error classes included."""
        code = (
            "import sys, llamaindex_rivya; llamaindex_rivya.RivyaError\n"
            "print([m for m in sys.modules if m.split('.')[0] in ('llama_index', 'langchain_core', 'openai')])"
        )

        assert run(code) == "[]"

    def test_public_names(self):
        """Each name of `__all__` can be had, `dir()` shows it, and others are attribute errors."""
        assert dir(llamaindex_rivya) == sorted(llamaindex_rivya.__all__)
        assert all(getattr(llamaindex_rivya, name) for name in llamaindex_rivya.__all__)
        with pytest.raises(AttributeError, match="Nothing"):
            llamaindex_rivya.Nothing  # noqa: B018


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_to_json_is_json():
    """The written form is plain JSON with the class's stable name."""
    assert json.loads(Rivya(api_key=KEY).to_json())["class_name"] == "rivya_llm"
