"""Refusals are the standard content block on both APIs, whole and streamed, so that middleware and fallbacks act."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx
from asking import WAYS, invoke
from langchain.agents import create_agent, middleware
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain.agents.structured_output import ProviderStrategy
from langchain_core import exceptions
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, messages_from_dict, messages_to_dict
from pydantic import BaseModel
from responses_backend import Backend
from wire import PATH, URL, chunk, events, reply

from langchain_rivya import ChatOpenAICompatible, RefusalError

Ask = Callable[..., Any]
WORDS = "I must not."
# Older versions of the framework have the refusal block, but neither the error nor the middleware for it.
ModelRefusalError: Any = getattr(exceptions, "ModelRefusalError", exceptions.ModelError)
ModelRefusalMiddleware: Any = getattr(middleware, "ModelRefusalMiddleware", None)
with_middleware = pytest.mark.skipif(ModelRefusalMiddleware is None, reason="needs LangChain's refusal middleware")


class Answer(BaseModel):
    """An answer."""

    value: int


@pytest.fixture
def backend() -> Iterator[respx.MockRouter]:
    """A server that refuses on both APIs."""
    server = Backend()
    part = {"type": "refusal", "refusal": WORDS}
    server.output = [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}]

    def chat(request: Any) -> Any:
        if json.loads(request.content).get("stream"):
            return events(chunk({"refusal": "I must "}), chunk({"refusal": "not."}), chunk(finish="stop"))
        return reply({"role": "assistant", "content": None, "refusal": WORDS})

    with respx.mock(assert_all_called=False) as router:
        router.post(PATH).mock(side_effect=chat)
        router.post(f"{URL}/responses").mock(side_effect=server)
        yield router


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> bool:
    """Whether the Responses API is used."""
    return bool(request.param == "responses")


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


def model(**fields: Any) -> ChatOpenAICompatible:
    return ChatOpenAICompatible(**{"model": "m", "base_url": URL, "max_retries": 0, **fields})


def blocks_of(message: AIMessage) -> list[Any]:
    """Return the content blocks; older frameworks wrap a block that they do not know."""
    return [block["value"] if block["type"] == "non_standard" else block for block in message.content_blocks]


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_refusal_is_a_block(backend: respx.MockRouter, api: bool, ask: Ask, version: str) -> None:
    message = ask(model(use_responses_api=api, output_version=version), "?")

    blocks = [block for block in blocks_of(message) if block["type"] != "text" or block["text"]]
    assert [(block["type"], block["refusal"]) for block in blocks] == [("refusal", WORDS)]
    assert message.text == ""


def test_it_goes_back_as_a_refusal(backend: respx.MockRouter, api: bool, ask: Ask) -> None:
    """Also after a checkpoint, and if it is the block alone."""
    model_ = model(use_responses_api=api)
    message = ask(model_, "?")
    plain = AIMessage(message.content)

    for said in (message, messages_from_dict(messages_to_dict([message]))[0], plain):
        invoke(model_, [("user", "?"), said, ("user", "Why?")])
        body = json.loads(backend.calls.last.request.content)
        assistant = next(one for one in body.get("messages") or body["input"] if one.get("role") == "assistant")
        assert WORDS in json.dumps(assistant)
        assert "non_standard" not in json.dumps(body)


@with_middleware
@pytest.mark.parametrize("is_async", [False, True])
def test_middleware_acts(backend: respx.MockRouter, api: bool, is_async: bool) -> None:
    """Alone it raises; behind a fallback the other model answers."""

    def run(agent: Any) -> Any:
        asked = {"messages": [("user", "?")]}
        return asyncio.run(agent.ainvoke(asked)) if is_async else agent.invoke(asked)

    refusing = model(use_responses_api=api)
    with pytest.raises(ModelRefusalError, match=WORDS):
        run(create_agent(refusing, middleware=[ModelRefusalMiddleware()]))
    other = GenericFakeChatModel(messages=iter([AIMessage("Yes.")]))
    agent = create_agent(refusing, middleware=[ModelFallbackMiddleware(other), ModelRefusalMiddleware()])
    assert run(agent)["messages"][-1].text == "Yes."


@with_middleware
def test_middleware_acts_on_structured_agents(backend: respx.MockRouter, api: bool) -> None:
    agent = create_agent(
        model(use_responses_api=api), response_format=ProviderStrategy(Answer), middleware=[ModelRefusalMiddleware()]
    )

    with pytest.raises(ModelRefusalError, match=WORDS):
        agent.invoke({"messages": [("user", "?")]})


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_structured_output_raises_what_fallbacks_catch(backend: respx.MockRouter, api: bool, method: str) -> None:
    chain = model(use_responses_api=api).with_structured_output(Answer, method=method)

    for run in (lambda: chain.invoke("?"), lambda: list(chain.stream("?"))):
        with pytest.raises(ModelRefusalError, match=WORDS) as caught:
            run()
        assert isinstance(caught.value, RefusalError)
        assert caught.value.text == WORDS
        assert blocks_of(caught.value.raw_message)[-1]["type"] == "refusal"
    raw = model(use_responses_api=api).with_structured_output(Answer, method=method, include_raw=True).invoke("?")
    assert isinstance(raw["parsing_error"], ModelRefusalError)


@pytest.mark.parametrize("text", ["", "Half a rep"])
def test_a_reply_that_a_filter_withheld(ask: Ask, text: str) -> None:
    """Without any text it is a refusal; a text that was cut off stays a text."""
    with respx.mock() as router:
        router.post(PATH).mock(
            side_effect=lambda request: (
                events(chunk({"content": text}), chunk(finish="content_filter"))
                if json.loads(request.content).get("stream")
                else reply({"role": "assistant", "content": text}, finish="content_filter")
            )
        )
        message = ask(model(), "?")

    assert message.text == text
    assert any(block["type"] == "refusal" for block in blocks_of(message)) == (not text)
