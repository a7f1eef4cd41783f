"""Listing and reading the account's sessions, in both frameworks, sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

import langchain_rivya
import llamaindex_rivya
from rivya_sandbox import Sandbox


@pytest.fixture(params=[langchain_rivya.ChatRivya, llamaindex_rivya.Rivya])
def model(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    return request.param(api_key=sandbox.api_key, base_url=sandbox.rivya_url)


def ask(model: Any, text: str) -> str:
    """Ask in a new session and return its id."""
    if isinstance(model, llamaindex_rivya.Rivya):
        return model.complete(text).additional_kwargs["session_id"]
    return model.invoke(text).response_metadata["session_id"]


def test_sessions_are_listed_and_read(model: Any, sandbox: Sandbox) -> None:
    """What was said is there, oldest first; listing and reading are free."""
    sandbox.answer("A river.")
    first, second = ask(model, "What is the Rhine?"), ask(model, "Hello.")
    spent = sum(turn.charged for turn in sandbox.journal.turns)
    for listed in (model.sessions(), asyncio.run(model.asessions())):
        assert {one.id for one in listed} >= {first, second}
    for read in (model.session(first), asyncio.run(model.asession(first))):
        assert [(one.role, one.text) for one in read.messages] == [
            ("user", "What is the Rhine?"),
            ("assistant", "A river."),
        ]
    assert sum(turn.charged for turn in sandbox.journal.turns) == spent


def test_a_session_that_does_not_exist_is_a_typed_error(model: Any) -> None:
    """The error is the framework's own as well."""
    package = llamaindex_rivya if isinstance(model, llamaindex_rivya.Rivya) else langchain_rivya
    with pytest.raises(package.NotFoundError):
        model.session("chatsess_none")
    with pytest.raises(package.InvalidInputError):
        model.session("")


@pytest.mark.parametrize("framework", [langchain_rivya.ChatRivya, llamaindex_rivya.Rivya])
@pytest.mark.parametrize("body", [{}, {"sessions": None}, {"data": [[1], "x"]}, "x"])
def test_an_answer_that_is_no_session_is_a_typed_error(framework: Any, body: Any) -> None:
    """It is neither an empty list nor a session without messages."""
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    model = framework(api_key="sk-1", base_url="https://rivya.test", http_client=client)
    package = llamaindex_rivya if framework is llamaindex_rivya.Rivya else langchain_rivya
    with pytest.raises(package.InvalidResponseError, match="is not a list of sessions"):
        model.sessions()
    with pytest.raises(package.InvalidResponseError, match="is not a session"):
        model.session("s")


def test_a_list_that_is_not_all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The API documents no pages. A number is an id, too."""
    body = {"data": [{"id": 7}], "pagination": {"has_more": True}}
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    model = langchain_rivya.ChatRivya(api_key="sk-1", base_url="https://rivya.test", http_client=client)
    assert [one.id for one in model.sessions()] == ["7"]
    assert "lists 1 sessions and has more" in caplog.text
