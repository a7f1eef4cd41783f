"""`output_mode`, what is not an object in each mode, and objects that grow without contradicting themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llama_backend import Backend, Call, OpenAIRouter, Raw, Reply, sse
from llama_backend import chunk as chunk_of
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, RootModel

from llamaindex_rivya import (
    ConfigurationError,
    InvalidInputError,
    NotSupportedError,
    OpenAICompatible,
    OutputError,
    RefusalError,
    Rivya,
)
from rivya_core.openai.chat import quirks

ASK = PromptTemplate("Tell me of {topic}.")
NAMES = ["structured_predict", "stream_structured_predict"]
Numbers = RootModel[list[int]]


class River(BaseModel):
    """A river."""

    name: str
    length_km: int = 5
    banks: list[str] = []


class Tree(BaseModel):
    """A tree."""

    name: str
    kids: list[Tree] = []


RHINE = '{"length_km": 1230, "name": "Rhine", "banks": ["left", "right"]}'
WANTED = River(name="Rhine", length_km=1230, banks=["left", "right"])


@pytest.fixture
def backend(scripted: Backend) -> Iterator[Backend]:
    scripted.reset(OpenAIRouter())
    quirks.forget()
    yield scripted
    quirks.forget()


def llm(backend: Backend, **fields: Any) -> OpenAICompatible:
    return OpenAICompatible(**{"model": "m", "base_url": backend.url, "max_retries": 0, **fields})


def ask(calls: Any, model: Any, name: str, wanted: Any = River, **keywords: Any) -> Any:
    if name == "structured_predict":
        return calls.run(model, name, wanted, ASK, topic="x", **keywords)
    return calls.each(model, name, wanted, ASK, topic="x", **keywords)[-1]


def pieces(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + 2] for at in range(0, len(text), 2))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("mode", "key"), [("native", "response_format"), ("tool", "tools"), ("prompted", "")])
def test_the_mode_is_an_option_of_the_model_and_of_a_call(
    backend: Backend, calls: Any, name: str, mode: str, key: str
) -> None:
    answer = Reply(calls=(Call("River", RHINE),)) if mode == "tool" else Reply(RHINE)
    backend.say(answer, answer)

    assert ask(calls, llm(backend, output_mode=mode), name) == WANTED
    assert ask(calls, llm(backend), name, llm_kwargs={"output_mode": mode}) == WANTED
    for request in backend.requests:
        assert {"response_format", "tools"} & request.body.keys() == ({key} if key else set())
        assert "output_mode" not in request.body


def test_an_unknown_mode_is_refused(backend: Backend, rivya: Rivya) -> None:
    with pytest.raises(ConfigurationError, match="output_mode"):
        llm(backend, output_mode="xml")
    with pytest.raises(InvalidInputError, match="prompted"):
        llm(backend).structured_predict(River, ASK, {"output_mode": "xml"}, topic="x")
    with pytest.raises(NotSupportedError, match="in words"):
        rivya.structured_predict(River, ASK, {"output_mode": "native"}, topic="x")
    assert not backend.requests


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", ["The Rhine is long.", '{"River": {"name": "Rhine"}}', "The set {a,b}.", "[1]"])
def test_a_server_that_ignores_the_response_format_is_asked_in_words(
    backend: Backend, calls: Any, name: str, said: str
) -> None:
    """Once; from then on at once."""
    backend.say(Reply(said), Reply(RHINE), Reply(RHINE))

    assert ask(calls, llm(backend), name) == WANTED
    assert ask(calls, llm(backend), name) == WANTED
    asked = ["response_format" in request.body for request in backend.requests]
    assert asked == [True, False, False]
    assert "length_km" in json.dumps(backend.requests[1].body["messages"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("fields", "said", "words"),
    [
        ({"output_mode": "native"}, Reply("Long."), "output_mode='native'.*'prompted'"),
        ({"output_mode": "tool"}, Reply("Long."), "output_mode='tool'"),
        ({"output_mode": "prompted"}, Reply("Long."), "output_mode='prompted'"),
        ({}, Reply(RHINE[:-9], finish="length"), "token limit"),
        ({}, Reply(calls=(Call("search", '{"name": "A"}'),)), "called `search` instead"),
        ({"output_mode": "tool"}, Reply(calls=(Call("search", '{"name": "A"}'),)), "called `search` instead"),
        ({"output_mode": "prompted"}, Reply('{"name": "A"} {"name": "B"}'), "2 different objects"),
    ],
)
def test_what_is_no_object_names_the_mode(
    backend: Backend, calls: Any, name: str, fields: Any, said: Any, words: str
) -> None:
    backend.say(said)

    with pytest.raises(OutputError, match=words) as caught:
        ask(calls, llm(backend, **fields), name)
    assert "output_mode" in str(caught.value)
    assert len(backend.requests) == 1


def test_both_replies_are_told_if_words_do_not_help_either(backend: Backend, calls: Any) -> None:
    backend.say(Reply("Long."), Reply("Very long."))

    with pytest.raises(OutputError, match=r"Very long.*Long") as caught:
        ask(calls, llm(backend), "structured_predict")
    assert caught.value.text == "Very long."


def refusing(streamed: bool) -> Raw:
    message = {"role": "assistant", "content": None, "refusal": "I must not."}
    if streamed:
        return sse(chunk_of({"refusal": "I must "}), chunk_of({"refusal": "not."}), chunk_of({}, "stop"))
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Raw((json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}).encode(),))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["native", "tool", "prompted", "auto"])
def test_refusals_are_typed(backend: Backend, calls: Any, name: str, mode: str) -> None:
    backend.say(lambda request: refusing(bool(request.body.get("stream"))))

    with pytest.raises(RefusalError, match="I must not") as caught:
        ask(calls, llm(backend, output_mode=mode), name)
    assert isinstance(caught.value, OutputError)
    assert caught.value.text == "I must not."
    assert len(backend.requests) == 1


@pytest.mark.parametrize("mode", ["native", "tool", "prompted"])
def test_nothing_that_was_shown_is_contradicted(backend: Backend, calls: Any, mode: str) -> None:
    """Neither a number that was still growing nor a default is shown and then changed."""
    call = Call("River", RHINE, pieces=30)
    backend.say(Reply(calls=(call,)) if mode == "tool" else Reply(pieces(RHINE)))

    seen = calls.each(llm(backend, output_mode=mode), "stream_structured_predict", River, ASK, topic="x")
    final = WANTED.model_dump()
    assert seen[-1] == WANTED
    assert len(seen) > 2
    for one in seen:
        shown = {key: value for key, value in one.model_dump().items() if value is not None}
        assert shown.pop("banks", []) == final["banks"][: len(one.banks or [])]
        assert shown.items() <= final.items()


@pytest.mark.parametrize("mode", ["native", "tool", "prompted"])
@pytest.mark.parametrize("name", NAMES)
def test_root_models(backend: Backend, calls: Any, name: str, mode: str) -> None:
    text = '{"value": [1, 20, 300]}'
    backend.say(lambda request: Reply(calls=(Call(_name(request), text),)) if mode == "tool" else Reply(pieces(text)))

    assert ask(calls, llm(backend, output_mode=mode), name, Numbers) == Numbers([1, 20, 300])


def _name(request: Any) -> str:
    return str(request.body["tools"][0]["function"]["name"])


def test_tools_leave_whole(backend: Backend) -> None:
    """Recursive arguments keep their references; a tool without arguments says so."""

    class Planting(BaseModel):
        tree: Tree

    def plant(tree: Any) -> str:
        """Plant it."""
        return str(tree)

    def ping() -> str:
        """Ping."""
        return "pong"

    tools = [FunctionTool.from_defaults(plant, fn_schema=Planting), FunctionTool.from_defaults(ping)]
    backend.say(Reply("ok"))
    llm(backend).chat_with_tools(tools, user_msg="?")

    planted, pinged = (tool["function"] for tool in backend.requests[0].body["tools"])
    assert planted["parameters"]["$defs"]["Tree"]["properties"]["kids"]["items"] == {"$ref": "#/$defs/Tree"}
    assert pinged["parameters"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize("api", [False, True], ids=["chat", "responses"])
def test_response_formats_of_a_call_may_be_classes(backend: Backend, calls: Any, api: bool) -> None:
    from llama_index.core.base.llms.types import ChatMessage

    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "{}"}]}
    body = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": [said]}
    backend.say(Raw((json.dumps(body).encode(),)) if api else Reply("{}"))
    calls.run(llm(backend, use_responses_api=api), "chat", [ChatMessage("?")], response_format=Tree)

    sent = backend.requests[0].body
    form = sent["text"]["format"] if api else sent["response_format"]["json_schema"]
    assert (form["name"], form["schema"]["properties"]["kids"]["items"]) == ("Tree", {"$ref": "#/$defs/Tree"})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Skipping serialization of known unserializable key")
def test_an_agent_with_an_output_class(backend: Backend) -> None:
    """The agent asks for its object by `as_structured_llm`."""
    backend.say(Reply("The Rhine."), Reply(RHINE))
    agent = FunctionAgent(tools=[], llm=llm(backend), output_cls=River, streaming=False)

    async def run() -> Any:
        return await agent.run("?")

    assert asyncio.run(run()).get_pydantic_model(River) == WANTED
