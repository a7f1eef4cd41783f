"""`RIVYA_SANDBOX_UPSTREAM`: another server behind the sandbox. Here that server is a second sandbox."""

import httpx
import pytest
import respx
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_rivya import ChatGMI, ChatOpenAICompatible, ChatRivya, ServerError
from rivya_sandbox import Sandbox, Upstream, serve

BASE = "http://upstream.test/v1"


@pytest.fixture
def behind(sandbox, monkeypatch):
    """A sandbox whose replies come from the sandbox `sandbox`."""
    monkeypatch.setenv("RIVYA_SANDBOX_UPSTREAM", sandbox.openai_url)
    monkeypatch.setenv("RIVYA_SANDBOX_UPSTREAM_KEY", sandbox.api_key)
    monkeypatch.setenv("RIVYA_SANDBOX_UPSTREAM_MODEL", "gpt-5.2")
    with serve() as front:
        yield front
        front.runner.model.close()


def where(box, provider):
    return {"api_key": box.api_key, "base_url": getattr(box, f"{provider}_url"), "max_retries": 0}


def test_sessions_are_the_sandboxs_and_words_the_upstreams(behind, sandbox):
    """The upstream server gets the whole context of the session. The sandbox stores it and charges."""
    sandbox.answer("Servus.")
    sandbox.answer("Pfiat di.")
    model = ChatRivya(**where(behind, "rivya"))
    first = model.invoke("Hello")
    second = model.invoke([("user", "Hello"), first, ("user", "Goodbye")])

    assert (first.text, second.text) == ("Servus.", "Pfiat di.")
    assert second.response_metadata["session_route"] == "continue"
    assert [message.text for message in sandbox.journal.turns[-1].context] == ["Hello", "Servus.", "Goodbye"]
    assert behind.ledger()


def test_tools_and_schemas_go_to_the_upstream(behind):
    """A model behind the OpenAI-compatible API may call tools and reply with JSON."""

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    class River(BaseModel):
        """A river."""

        name: str

    model = ChatGMI(**where(behind, "gmi"))
    (call,) = model.bind_tools([add]).invoke("Please add 3 and 4.").tool_calls
    forced = model.bind_tools([add], tool_choice="add").invoke("Please add 5 and 6.").tool_calls[0]

    assert (call["name"], call["args"]) == ("add", {"a": 3, "b": 4})
    assert forced["args"] == {"a": 5, "b": 6}
    river = ChatOpenAICompatible(model="gpt-5.2", **where(behind, "openai")).with_structured_output(River)
    assert river.invoke("The Rhine is a river.").name


def test_scripted_answers_come_first(behind, sandbox):
    """A scripted answer does not ask the upstream server."""
    behind.answer("Scripted.")

    assert ChatRivya(**where(behind, "rivya")).invoke("Hello").text == "Scripted."
    assert sandbox.journal.requests == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(503, text="busy"), "503: busy"),
        (httpx.Response(200, text="<html>"), "does not respond"),
        (httpx.Response(200, json={"choices": []}), "no message"),
        (httpx.Response(200, json={"choices": [{"message": {"tool_calls": [7]}}]}), "invalid tool call"),
        (httpx.ConnectError("refused"), "refused"),
    ],
    ids=["refusal", "page", "empty", "odd call", "nobody"],
)
def test_a_broken_upstream_is_a_failing_model(answer, told):
    """The sandbox returns an internal error with the upstream server's message."""
    kind = "side_effect" if isinstance(answer, Exception) else "return_value"
    with respx.mock(base_url=BASE) as wire:
        wire.post("/chat/completions").mock(**{kind: answer})
        with pytest.raises(RuntimeError, match=told):
            Upstream(BASE, "m")([])


def test_a_failing_upstream_reaches_the_caller_as_the_apis_own_error(monkeypatch):
    """A client sees a server's error with the reason, not a broken connection."""
    with serve(model=Upstream("http://127.0.0.1:9", "m")) as front, pytest.raises(ServerError, match="upstream"):
        ChatRivya(**where(front, "rivya")).invoke("Hello")


def test_the_first_listed_model_answers_by_default():
    """Most local servers have one model; it need not be named."""
    with respx.mock(base_url=BASE) as wire:
        wire.get("/models").mock(return_value=httpx.Response(200, json={"data": [{"id": "only"}]}))
        assert Upstream(BASE + "/").model == "only"
        wire.get("/models").mock(return_value=httpx.Response(200, json={"data": []}))
        with pytest.raises(RuntimeError, match="RIVYA_SANDBOX_UPSTREAM_MODEL"):
            _ = Upstream(BASE).model


def test_without_the_variable_the_stand_in_answers(monkeypatch):
    """The default needs no other server."""
    monkeypatch.delenv("RIVYA_SANDBOX_UPSTREAM", raising=False)

    assert type(Sandbox().runner.model).__name__ == "StandIn"
