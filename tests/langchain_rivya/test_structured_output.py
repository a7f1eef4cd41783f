"""Objects out of replies in every method, whole and streamed; schemas that leave whole; calls of further tools."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Optional

import pytest
import respx
from asking import WAYS
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, ConfigDict, RootModel
from responses_backend import Backend, said_message
from typing_extensions import TypedDict
from wire import PATH, URL, chunk, events, piece, reply

import langchain_rivya
from langchain_rivya import ChatOpenAICompatible

METHODS = ["json_schema", "json_mode", "function_calling"]
Ask = Callable[..., Any]


class Person(BaseModel):
    """A person of whom nothing need be known."""

    name: Optional[str] = None  # noqa: UP045 - as users write it
    age: Optional[int] = None  # noqa: UP045


class Query(BaseModel):
    """Has the same shape as the tool `search`."""

    q: str


class River(TypedDict):
    """A river."""

    name: str
    length_km: int


@dataclass
class Point:
    """A point."""

    x: int


class Tree(BaseModel):
    """A tree."""

    name: str
    kids: list[Tree] = []


class Free(BaseModel):
    """Has free keys."""

    inside: dict[str, int]


Numbers = RootModel[list[int]]
JSON_RIVER = {
    "title": "A river",
    "type": "object",
    "properties": {"name": {"type": "string"}, "length_km": {"type": "integer"}},
    "required": ["name", "length_km"],
}
RHINE = '{"name": "Rhine", "length_km": 1230}'
WANTED = [
    (Person, '{"name": "Ada"}', Person(name="Ada")),
    (River, RHINE, json.loads(RHINE)),
    (JSON_RIVER, RHINE, json.loads(RHINE)),
    (Point, '{"x": 1}', Point(1)),
    (Tree, '{"name": "a", "kids": [{"name": "b"}]}', Tree(name="a", kids=[Tree(name="b")])),
    (Numbers, '{"value": [1, 2]}', Numbers([1, 2])),
]


def search(q: str) -> str:
    """Search."""
    return q


@pytest.fixture
def backend() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def model(**fields: Any) -> ChatOpenAICompatible:
    return ChatOpenAICompatible(**{"model": "m", "base_url": URL, "max_retries": 0, **fields})


def sent(router: respx.MockRouter) -> Any:
    return json.loads(router.calls.last.request.content)


def call(name: str, arguments: str, id_: str = "a") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def says(router: respx.MockRouter, text: str = "", *calls: dict[str, Any], finish: str = "stop") -> None:
    """Let the model say this, whole or streamed in small pieces."""
    pieces = [chunk({"content": text[at : at + 3]}) for at in range(0, len(text), 3)]
    for index, one in enumerate(calls):
        name, arguments = one["function"]["name"], one["function"]["arguments"]
        pieces.append(chunk({"tool_calls": [piece("", index=index, id=one["id"], name=name)]}))
        cuts = [arguments[at : at + 2] for at in range(0, len(arguments), 2)]
        pieces += [chunk({"tool_calls": [piece(cut, index=index)]}) for cut in cuts]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": list(calls)} if calls else {})}

    def answer(request: Any) -> Any:
        streamed = json.loads(request.content).get("stream")
        return events(*pieces, chunk(finish=finish)) if streamed else reply(message, finish=finish)

    router.post(PATH).mock(side_effect=answer)


def in_method(router: respx.MockRouter, method: str, name: str, text: str) -> None:
    """Let the model give the object in the way in which it is asked for."""
    if method == "function_calling":
        says(router, "", call(name, text), finish="tool_calls")
    else:
        says(router, text)


def result(ask: Ask, chain: Any) -> Any:
    """What a chain gives in one of the four ways of asking: of streams the last piece."""
    if ask in WAYS[:2]:
        return ask(chain, "?")
    return [*chain.stream("?")][-1] if ask is WAYS[2] else _last(chain)


def _last(chain: Any) -> Any:
    import asyncio

    async def collect() -> Any:
        return [part async for part in chain.astream("?")][-1]

    return asyncio.run(collect())


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("wanted", "text", "expected"), WANTED)
def test_every_kind_of_schema_in_every_method(
    backend: respx.MockRouter, ask: Ask, method: str, wanted: Any, text: str, expected: Any
) -> None:
    chain = model().with_structured_output(wanted, method=method)
    tools = chain.first.kwargs.get("tools")
    in_method(backend, method, tools[0]["function"]["name"] if tools else "", text)

    assert result(ask, chain) == expected
    assert model().with_structured_output(wanted, method=method, include_raw=True).invoke("?")["parsed"] == expected


MISFITS = ['{"foo": 1}', '{"River": {"name": "Rhine", "length_km": 1}}', '{"name": "Rhine", "length_km": "long"}']


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wanted", [River, JSON_RIVER], ids=["typeddict", "schema"])
@pytest.mark.parametrize("text", [*MISFITS, json.dumps(JSON_RIVER)])
def test_dicts_are_checked_like_classes(
    backend: respx.MockRouter, ask: Ask, method: str, wanted: Any, text: str
) -> None:
    name = "River" if wanted is River else "A_river"
    in_method(backend, method, name, text)

    with pytest.raises(OutputParserException, match="No structured output"):
        result(ask, model().with_structured_output(wanted, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_a_call_of_another_tool_is_not_the_reply(backend: respx.MockRouter, ask: Ask, method: str) -> None:
    """Neither arguments that fit nor the text next to the call are used."""
    says(backend, '{"q": "B"}', call("search", '{"q": "A"}'), finish="tool_calls")
    chain = model().with_structured_output(Query, method=method)

    with pytest.raises(OutputParserException, match="called `search` instead"):
        result(ask, chain)
    raw = model().with_structured_output(Query, method=method, include_raw=True).invoke("?")
    assert raw["parsed"] is None
    assert "search" in str(raw["parsing_error"])


@pytest.mark.parametrize(
    ("method", "advice"),
    [
        ("json_schema", 'method="function_calling"'),
        ("function_calling", 'method="json_schema"'),
        ("json_mode", "prompt"),
    ],
)
def test_a_reply_in_prose_is_an_error_that_names_another_method(
    backend: respx.MockRouter, ask: Ask, method: str, advice: str
) -> None:
    """As from a server that ignores the response format."""
    says(backend, "The Rhine has 1230 km.")

    with pytest.raises(OutputParserException, match=f"text, not JSON.*method='{method}'.*{advice}"):
        result(ask, model().with_structured_output(River, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_calls_of_further_tools_come_back_as_calls(backend: respx.MockRouter, ask: Ask, method: str) -> None:
    says(backend, '{"q": "B"}', call("search", '{"q": "A"}'), finish="tool_calls")
    chain = model().with_structured_output(Query, method=method, tools=[search])

    message = result(ask, chain)
    assert isinstance(message, AIMessage)
    assert [(one["name"], one["args"]) for one in message.tool_calls] == [("search", {"q": "A"})]
    raw = model().with_structured_output(Query, method=method, tools=[search], include_raw=True).invoke("?")
    assert (raw["parsed"], raw["parsing_error"]) == (None, None)
    assert raw["raw"].tool_calls[0]["name"] == "search"
    names = [one["function"]["name"] for one in sent(backend)["tools"]]
    assert names == (["Query", "search"] if method == "function_calling" else ["search"])


@pytest.mark.parametrize("method", METHODS)
def test_the_object_comes_although_there_are_further_tools(backend: respx.MockRouter, ask: Ask, method: str) -> None:
    in_method(backend, method, "Query", '{"q": "A"}')

    assert result(ask, model().with_structured_output(Query, method=method, tools=[search])) == Query(q="A")
    if method == "function_calling":
        assert sent(backend)["tool_choice"] == "required"


def test_a_tool_with_the_name_of_the_schema_is_refused() -> None:
    with pytest.raises(langchain_rivya.InvalidInputError, match="Query"):
        model().with_structured_output(Query, method="function_calling", tools=[Query])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wanted", [River, JSON_RIVER], ids=["typeddict", "schema"])
def test_nothing_that_was_shown_is_contradicted(backend: respx.MockRouter, method: str, wanted: Any) -> None:
    """A number or a text is shown when it is complete."""
    name = "River" if wanted is River else "A_river"
    in_method(backend, method, name, RHINE)

    seen = list(model().with_structured_output(wanted, method=method).stream("?"))
    assert seen[-1] == json.loads(RHINE)
    assert all(one.items() <= seen[-1].items() for one in seen)
    assert method != "json_schema" or {"name": "Rhine"} in seen


def test_an_echo_of_the_schema_is_not_shown(backend: respx.MockRouter) -> None:
    schema = {"title": "Book", "type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    says(backend, f'{json.dumps(schema)} {{"title": "Emma"}}')

    assert list(model().with_structured_output(schema, method="json_schema").stream("?")) == [{"title": "Emma"}]


def test_classes_come_when_they_are_whole(backend: respx.MockRouter) -> None:
    """A default would stand for what has not arrived."""
    says(backend, '{"age": 36, "name": "Ada"}')

    assert list(model().with_structured_output(Person, method="json_schema").stream("?")) == [
        Person(name="Ada", age=36)
    ]


@pytest.mark.parametrize("include_raw", [False, True])
def test_models_that_do_not_stream_give_one_object(backend: respx.MockRouter, include_raw: bool) -> None:
    says(backend, RHINE)
    chain = model(disable_streaming=True).with_structured_output(River, method="json_schema", include_raw=include_raw)

    if not include_raw:
        assert list(chain.stream("?")) == [json.loads(RHINE)]
        return
    parts = {key: value for part in chain.stream("?") for key, value in part.items()}
    assert (parts["parsed"], parts["parsing_error"]) == (json.loads(RHINE), None)


def test_parsers_are_pickled_after_use(backend: respx.MockRouter) -> None:
    says(backend, RHINE)
    chain = model().with_structured_output(JSON_RIVER, method="json_schema")
    chain.invoke("?")

    assert pickle.loads(pickle.dumps(chain.last)).parse(RHINE) == json.loads(RHINE)


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_recursive_schemas_leave_whole(backend: respx.MockRouter, api: str, strict: bool | None) -> None:
    server = Backend()
    server.output = [said_message('{"name": "a", "kids": []}')]
    backend.post(f"{URL}/responses").mock(side_effect=server)
    says(backend, '{"name": "a", "kids": []}')
    chain = model(use_responses_api=api == "responses").with_structured_output(
        Tree, method="json_schema", strict=strict
    )

    assert chain.invoke("?") == Tree(name="a")
    body = sent(backend)
    form = body["text"]["format"] if api == "responses" else body["response_format"]["json_schema"]
    kids = form["schema"]["properties"]["kids"]
    assert kids["items"] == {"$ref": "#/$defs/Tree"}
    assert form["name"] == "Tree"
    assert (form["schema"].get("additionalProperties"), "default" in kids) == (
        (False, False) if strict else (None, True)
    )


def test_what_has_no_strict_form_is_refused_with_its_path(backend: respx.MockRouter) -> None:
    """In every place where a schema can be passed; nothing is sent."""

    @tool
    def count(words: dict[str, int]) -> str:
        """Count."""
        return str(words)

    asked: list[Callable[[], Any]] = [
        lambda: model().with_structured_output(Free, strict=True),
        lambda: model().with_structured_output(Free, method="function_calling", strict=True),
        lambda: model().bind_tools([Free], strict=True),
        lambda: model().bind_tools([count], strict=True),
        lambda: model().invoke(
            "?", response_format=ProviderStrategy(Free, strict=True).to_model_kwargs()["response_format"]
        ),
    ]
    for each in asked:
        with pytest.raises(langchain_rivya.InvalidInputError, match=r"`(Free\.inside|count\.words)` is an object with"):
            each()
    assert not backend.calls


def test_tools_leave_whole_and_legal(backend: respx.MockRouter) -> None:
    class Titled(BaseModel):
        """Has a title with spaces."""

        model_config = ConfigDict(title="A class, with spaces!")
        x: int

    @tool
    def plant(tree: Tree) -> str:
        """Plant a tree."""
        return tree.name

    @tool
    def ping() -> str:
        """Ping."""
        return "pong"

    says(backend, "ok")
    anthropic = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
    flat = {"type": "function", "name": "flat", "parameters": {}}
    bedrock = {"toolSpec": {"name": "rock", "description": "d", "inputSchema": {"json": {"type": "object"}}}}
    model().bind_tools([Titled, plant, ping, anthropic, flat, bedrock, JSON_RIVER]).invoke("?")

    functions = {one["function"]["name"]: one["function"] for one in sent(backend)["tools"]}
    assert list(functions) == ["Titled", "plant", "ping", "look", "flat", "rock", "A_river"]
    assert "kids" in functions["plant"]["parameters"]["$defs"]["Tree"]["properties"]
    assert all(isinstance(one["parameters"]["properties"], dict) for one in functions.values())
    assert functions["ping"]["parameters"] == {"type": "object", "properties": {}}


FORMATS: list[Any] = [
    Tree,
    Tree.model_json_schema(),
    {"type": "json_schema", "json_schema": {"name": "Tree", "schema": Tree.model_json_schema()}},
    {"type": "json_schema", "name": "Tree", "schema": Tree.model_json_schema()},
    {"name": "Tree", "schema": Tree.model_json_schema()},
]


@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_response_formats_in_every_form(backend: respx.MockRouter, api: str, given: Any) -> None:
    backend.post(f"{URL}/responses").mock(side_effect=Backend())
    says(backend, "{}")
    chosen = model(use_responses_api=api == "responses")
    asks: list[Callable[[], Any]] = [
        lambda: chosen.invoke("?", response_format=given),
        lambda: chosen.bind(response_format=given).invoke("?"),
        lambda: list(chosen.stream("?", response_format=given)),
    ]
    for ask_ in asks:
        ask_()
        body = sent(backend)
        form = body["text"]["format"] if api == "responses" else body["response_format"]["json_schema"]
        assert form["name"] == "Tree"
        assert form["schema"]["type"] == "object"
        assert form["schema"]["properties"]["kids"]["items"] == {"$ref": "#/$defs/Tree"}


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_agents_strict_provider_strategy(backend: respx.MockRouter, api: str) -> None:
    server = Backend()
    server.output = [said_message('{"name": "a", "kids": []}')]
    backend.post(f"{URL}/responses").mock(side_effect=server)
    says(backend, '{"name": "a", "kids": []}')
    agent = create_agent(
        model(use_responses_api=api == "responses"), tools=[search], response_format=ProviderStrategy(Tree, strict=True)
    )

    assert agent.invoke({"messages": ["?"]})["structured_response"] == Tree(name="a")
    body = sent(backend)
    form = body["text"]["format"] if api == "responses" else body["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["$defs"]["Tree"]["required"] == ["name", "kids"]
    assert form["schema"]["additionalProperties"] is False


def test_further_options_of_a_structured_call(backend: respx.MockRouter) -> None:
    says(backend, "", call("search", '{"q": "A"}'))
    chain = model().with_structured_output(
        Query, method="function_calling", tools=[search], tool_choice="search", seed=4
    )

    chain.invoke("?")
    assert sent(backend)["tool_choice"] == {"type": "function", "function": {"name": "search"}}
    assert sent(backend)["seed"] == 4


NAMED = ["files.read", "A tool, with spaces!", "files_read", "x" * 70, "ok-1"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_tools_are_sent_under_legal_names_and_called_by_their_own(api: str, ask: Ask) -> None:
    """MCP's names and titles with spaces work; the names in the history are legal, too."""
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in NAMED]
    bodies: list[Any] = []

    def say(request: Any) -> Any:
        body = json.loads(request.content)
        bodies.append(body)
        names = [one.get("name") or one["function"]["name"] for one in body["tools"]]
        if api == "responses":
            calls = [
                {"type": "function_call", "id": f"f{at}", "call_id": f"c{at}", "name": name, "arguments": "{}"}
                for at, name in enumerate(names)
            ]
            server = Backend()
            server.output = calls
            return server(request)
        calls = [call(name, "{}", f"c{at}") for at, name in enumerate(names)]
        pieces = [chunk({"tool_calls": [{"index": at, **one}]}) for at, one in enumerate(calls)]
        if body.get("stream"):
            return events(*pieces, chunk(finish="tool_calls"))
        return reply({"role": "assistant", "content": None, "tool_calls": calls}, finish="tool_calls")

    with respx.mock(assert_all_called=False) as router:
        router.post(PATH).mock(side_effect=say)
        router.post(f"{URL}/responses").mock(side_effect=say)
        bound = model(use_responses_api=api == "responses").bind_tools(tools, tool_choice="files.read")
        message = ask(bound, "?")
        results = [ToolMessage("done", tool_call_id=one["id"]) for one in message.tool_calls]
        bound.invoke([HumanMessage("?"), message, *results])

    assert [one["name"] for one in message.tool_calls] == NAMED
    for body in bodies:
        names = [one.get("name") or one["function"]["name"] for one in body["tools"]]
        assert len({*names}) == len(NAMED)
        assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in names)
        choice = body["tool_choice"]
        assert (choice.get("name") or choice["function"]["name"]) == names[0]
    assert not any(json.dumps(name) in json.dumps(bodies[1]) for name in NAMED if name not in ("files_read", "ok-1"))


@pytest.mark.parametrize("streaming", [False, True])
def test_an_agents_object_whose_title_has_spaces(backend: respx.MockRouter, streaming: bool) -> None:
    says(backend, "", call("A_river_of_water", RHINE), finish="tool_calls")
    schema = {**JSON_RIVER, "title": "A river (of water)"}
    agent = create_agent(model(), response_format=ToolStrategy(schema))

    asked = {"messages": ["?"]}
    state = list(agent.stream(asked, stream_mode="values"))[-1] if streaming else agent.invoke(asked)
    assert state["structured_response"] == json.loads(RHINE)
