"""Endpoints: what an account's requests say, what is found in the environment, and what is refused before any is made."""

from __future__ import annotations

import json
import traceback
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from rivya_core import __version__
from rivya_core.errors import ConfigurationError, ContextOverflowError, InvalidInputError
from rivya_core.http import credentials as keys
from rivya_core.http.endpoint import endpoint
from rivya_core.providers import COMPATIBLE, EVOLINK, GMI, RIVYA
from rivya_core.rivya.wire import LONGEST_MESSAGE, ChatOptions, chat_body, check_text

KEY = SecretStr("rvya_sk_secret")


@pytest.mark.parametrize("provider", [RIVYA, EVOLINK, GMI], ids=lambda provider: provider.name)
def test_key_and_url_come_from_the_providers_own_variables(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider here reads OpenAI's variables."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://wrong.test")
    with pytest.raises(ConfigurationError, match=provider.key_variable):
        endpoint(provider)
    monkeypatch.setenv(provider.key_variable, " key-1 \n")

    found = endpoint(provider)
    assert found.key is not None
    assert (found.base_url, found.key.get_secret_value()) == (provider.base_url, "key-1")
    monkeypatch.setenv(provider.url_variable, "http://localhost:1/v1/")
    assert endpoint(provider).base_url == "http://localhost:1/v1"
    assert endpoint(provider, base_url="http://other/v1").base_url == "http://other/v1"


def test_any_other_back_end_needs_a_url_and_no_key() -> None:
    with pytest.raises(ConfigurationError, match="Pass `base_url`"):
        endpoint(COMPATIBLE)

    request = endpoint(COMPATIBLE, base_url="http://localhost:1/v1").request("GET", "/models")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nbreak", "nul\0"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    """Not in the message, nor in any local of the traceback."""
    with pytest.raises(ConfigurationError, match="not allowed in an API key") as caught:
        endpoint(RIVYA, api_key=SecretStr(key))

    frames = traceback.walk_tb(caught.value.__traceback__)
    shown = [repr(frame.f_locals) for frame, _ in frames if frame.f_globals["__name__"].startswith("rivya_core")]
    assert all(key not in text and repr(key)[1:-1] not in text for text in [str(caught.value), *shown])


@pytest.mark.parametrize("key", ["Bearer rvya_sk_secret", "bearer  rvya_sk_secret", " Bearer rvya_sk_secret "])
def test_a_key_with_the_word_before_it_is_named_as_such(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`RIVYA_API_KEY` begins with 'Bearer '\. Drop that word") as caught:
        endpoint(RIVYA, api_key=SecretStr(key))

    assert "secret" not in str(caught.value)


URLS = [
    "rivya.ai/api/v1",
    "ftp://rivya.ai",
    "https://",
    "https://[bad",
    "https://host:99999/",
    "https://host:0/",
    "//x",
    "é",
]
HOLDING = ["https://u:p@host/v1", "https://host/v1#x"]


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_no_request_can_go_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        endpoint(RIVYA, api_key=KEY, base_url=url)


@pytest.mark.parametrize("url", HOLDING)
def test_a_url_holds_nothing_but_a_place(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must not hold credentials"):
        endpoint(RIVYA, api_key=KEY, base_url=url)


def test_the_query_of_a_url_goes_with_every_request() -> None:
    where = endpoint(RIVYA, api_key=KEY, base_url="https://host/v1/?api-version=1")

    assert where.base_url == "https://host/v1"
    assert str(where.request("GET", "/models").url) == "https://host/v1/models?api-version=1"


@pytest.mark.parametrize("headers", [{"x-a": "é"}, {"x-a": "a\r\nx-b: c"}, {"ü": "a"}])
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="default_headers"):
        endpoint(RIVYA, api_key=KEY, headers=headers)


def test_a_request_says_who_asks_and_what() -> None:
    """Own headers win over the account's, the account's key over any of the caller's."""
    where = endpoint(
        RIVYA, api_key=KEY, headers={"User-Agent": "mine", "Authorization": "no", "x-team": "blue"}, timeout=3
    )
    request = where.request(
        "POST", "/chat/completions", body={"text": "wörld"}, headers={"accept": "x", "X-Team": "red"}
    )

    assert str(request.url) == "https://rivya.ai/api/v1/chat/completions"
    assert request.headers.get_list("user-agent") == ["mine"]
    assert request.headers.get_list("authorization") == ["Bearer rvya_sk_secret"]
    assert request.headers.get_list("x-team") == ["red"]
    assert request.headers["content-type"] == "application/json"
    assert request.content == '{"text":"wörld"}'.encode()
    assert request.extensions["timeout"]["read"] == 3


def test_requests_of_one_account_share_nothing_that_can_be_changed() -> None:
    """What one request is given does not reach the next."""
    where = endpoint(RIVYA, api_key=KEY)
    assert where == endpoint(RIVYA, api_key=SecretStr("rvya_sk_secret"))
    first = where.request("GET", "/models", headers={"x-once": "1"})
    first.headers["x-later"] = "1"

    second = where.request("GET", "/models")
    assert "x-once" not in second.headers
    assert "x-later" not in second.headers
    assert second.headers["user-agent"] == f"rivya-integrations/{__version__}"


def test_accounts_are_told_apart() -> None:
    """By key, URL, headers and timeout."""
    kinds = [{}, {"base_url": "http://x/v1"}, {"headers": {"a": "b"}}, {"timeout": 3}, {"timeout": httpx.Timeout(4)}]
    found = [endpoint(RIVYA, api_key=KEY, **kind) for kind in kinds] + [endpoint(RIVYA, api_key=SecretStr("other_key"))]

    assert len({id(where) for where in found}) == len(found)


def test_no_key_is_shown() -> None:
    assert "rvya_sk_secret" not in repr(endpoint(RIVYA, api_key=KEY, headers={"x-key": "rvya_sk_secret"}))


@pytest.mark.parametrize(
    ("body", "words"), [({"a": float("nan")}, "JSON"), ({"a": "\ud800"}, "surrogate"), ({"a": {1}}, "JSON")]
)
def test_what_json_cannot_carry_is_refused_before_it_is_sent(body: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        endpoint(RIVYA, api_key=KEY).request("POST", "/x", body=body)


def test_what_may_be_repeated_is_what_a_page_says() -> None:
    where = endpoint(RIVYA, api_key=KEY)

    assert [where.idempotent(path) for path in ("/chat/completions", "/generations", "/chat/completions/stream")] == [
        True,
        True,
        False,
    ]


def test_a_key_is_found_again_by_its_fingerprint_in_this_process_only() -> None:
    fingerprint = keys.register(KEY)

    assert "secret" not in fingerprint
    assert keys.lookup(fingerprint) == KEY
    assert keys.lookup("unknown") is keys.lookup(None) is None


def test_a_message_is_checked_before_it_is_paid() -> None:
    """With both lengths, and what to do."""
    check_text("x" * LONGEST_MESSAGE)
    with pytest.raises(InvalidInputError, match="empty"):
        check_text(" \n ")
    with pytest.raises(ContextOverflowError, match=r"20,001 characters.* takes at most 20,000.*Trim"):
        check_text("x" * (LONGEST_MESSAGE + 1))


def test_what_is_not_set_is_not_sent() -> None:
    assert chat_body(ChatOptions("m"), "hi", None, ()) == {"model": "m", "message": "hi"}
    full = chat_body(ChatOptions("m", "low", enable_web_search=False, client_request_id="c"), "hi", "s", ["f"])
    assert json.loads(json.dumps(full)) == {
        "model": "m",
        "message": "hi",
        "session_id": "s",
        "attachments": [{"file_id": "f"}],
        "reasoning_effort": "low",
        "enable_web_search": False,
        "client_request_id": "c",
    }
