"""What a call of the chat classes of both frameworks may say, and what of it anybody else sees."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from both_frameworks import ALL_CLASSES, KEY, OPENAI_CLASSES, Backend, Way, every_framework, every_way, make, reply
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from pydantic import SecretStr

from rivya_core.adapters.tool_choice import tool_choice_for
from rivya_core.errors import BadRequestError, ConfigurationError, InvalidInputError
from rivya_core.openai.responses.client import response_body

TOKEN = "tok-hidden-0123456789"
openai_class = pytest.mark.parametrize("name", OPENAI_CLASSES)


@every_way
@pytest.mark.parametrize("name", ALL_CLASSES)
def test_headers_query_and_timeout_of_one_call(way: Way, name: str) -> None:
    """They are added to the model's own, and the next call has none of them."""
    backend = Backend()
    if name == "Rivya":
        backend.answer = _rivya
    model = make(way, name, backend, default_headers={"X-Team": "blue", "X-A": "1"}, default_query={"api-version": 2})

    way.ask(model, extra_headers={"X-Team": "red", "X-Once": SecretStr("2")}, extra_query={"once": 1}, timeout=3)
    way.ask(model, "Hello again")

    first, second = backend.requests
    assert (first.headers["x-team"], first.headers["x-once"], first.headers["x-a"]) == ("red", "2", "1")
    assert dict(first.url.params) == {"api-version": "2", "once": "1"}
    assert first.extensions["timeout"]["read"] == 3
    assert (second.headers["x-team"], "x-once" in second.headers) == ("blue", False)
    assert dict(second.url.params) == {"api-version": "2"}
    assert second.extensions["timeout"]["read"] == 120


def _rivya(request: httpx.Request) -> httpx.Response:
    body = {"id": "c", "session_id": "s", "choices": [{"message": {"role": "assistant", "content": "ok"}}]}
    return httpx.Response(200, json=body)


@every_way
def test_a_query_in_the_url_goes_with_every_request(way: Way) -> None:
    """The path comes before it; a parameter that is set wins."""
    backend = Backend()
    model = make(
        way, "GMI", backend, base_url="http://backend.test/openai/?api-version=1&x=2", default_query={"x": "3"}
    )

    way.ask(model)

    assert str(backend.requests[0].url) == "http://backend.test/openai/chat/completions?api-version=1&x=3"
    assert model.base_url == "http://backend.test/openai"
    assert model.default_query == {"api-version": "1", "x": "3"}


@every_way
@openai_class
def test_options_of_the_apis_go_out(way: Way, name: str) -> None:
    """From the constructor, and from a call, which wins; the body's last word is `extra_body`."""
    backend = Backend()
    own = {
        "prompt_cache_key": "a",
        "prompt_cache_retention": "24h",
        "safety_identifier": "b",
        "extra_body": {"top_k": 1, "m": 1},
    }
    model = make(way, name, backend, prediction={"type": "content", "content": "x"}, **own)

    way.ask(model, prompt_cache_key="c", metadata={"run": "7"}, extra_body={"top_k": 2})

    sent = backend.bodies[0]
    assert (sent["prompt_cache_key"], sent["prompt_cache_retention"], sent["safety_identifier"]) == ("c", "24h", "b")
    assert sent["prediction"] == {"type": "content", "content": "x"}
    assert (sent["metadata"], sent["top_k"], sent["m"]) == ({"run": "7"}, 2, 1)


@every_way
def test_the_responses_api_has_them_too(way: Way) -> None:
    backend = Backend()
    model = make(way, "GMI", backend, use_responses_api=True, prompt_cache_key="a", safety_identifier="b")

    way.ask(model, metadata={"run": "7"}, extra_headers={"X-Once": "1"})

    (request,), (sent,) = backend.requests, backend.bodies
    assert request.url.path == "/v1/responses"
    assert (sent["prompt_cache_key"], sent["safety_identifier"], sent["metadata"]) == ("a", "b", {"run": "7"})
    assert request.headers["x-once"] == "1"
    with pytest.raises(InvalidInputError, match="`prediction`"):
        way.ask(model, prediction={"type": "content", "content": "x"})


@every_way
def test_labels_of_the_model_are_sent(way: Way) -> None:
    """`metadata` at construction is sent, and `request_metadata` is its name without LangChain's second meaning."""
    backend = Backend()
    way.ask(make(way, "GMI", backend, metadata={"team": "blue"}))
    way.ask(make(way, "GMI", backend, request_metadata={"team": "red"}))
    way.ask(make(way, "GMI", backend, request_metadata={"team": "red"}), metadata={"team": "green"})
    way.ask(make(way, "GMI", backend))

    assert [body.get("metadata") for body in backend.bodies] == [
        {"team": "blue"},
        {"team": "red"},
        {"team": "green"},
        None,
    ]


def test_tracing_metadata_that_is_no_label_stays_in_traces() -> None:
    """The API takes text only; LangChain's traces take anything."""
    backend, way = Backend(), Way("langchain")
    way.ask(make(way, "GMI", backend, metadata={"tries": 3, "team": "blue"}))

    assert "metadata" not in backend.bodies[0]


@pytest.mark.parametrize("way", [Way("langchain", a, s) for a in (False, True) for s in (False, True)], ids=str)
def test_labels_for_traces_never_break_a_call(way: Way) -> None:
    """OpenAI takes `metadata` only with `store`; what was set for traces is then left out, what was set by name is not."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "metadata" in json.loads(request.content):
            words = "The 'metadata' parameter is only allowed when 'store' is enabled."
            return httpx.Response(400, json={"error": {"message": words, "param": "metadata"}})
        return reply(request)

    backend = Backend(answer=answer)
    model = make(way, "OpenAICompatible", backend, model=f"strict-{way}", metadata={"team": "blue"})

    assert [way.ask(model), way.ask(model)] == ["ok", "ok"]

    assert ["metadata" in body for body in backend.bodies] == [True, False, False]
    with pytest.raises(BadRequestError, match="store"):
        way.ask(model, metadata={"team": "red"})


@every_way
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("extra_headers", "x: y"),
        ("extra_query", [1]),
        ("extra_body", "x"),
        ("metadata", 3),
        ("timeout", "soon"),
        ("timeout", 0),
    ],
)
def test_values_of_the_wrong_kind_are_our_error(way: Way, option: str, value: object) -> None:
    """Before anything is sent."""
    backend = Backend()
    with pytest.raises(InvalidInputError, match=option):
        way.ask(make(way, "GMI", backend), **{option: value})

    assert not backend.requests


@every_way
def test_headers_that_cannot_be_sent_are_our_error(way: Way) -> None:
    backend = Backend()
    with pytest.raises((InvalidInputError, ConfigurationError), match="ASCII") as caught:
        way.ask(make(way, "GMI", backend), extra_headers={"X-Token": f"{TOKEN}\n"})

    assert TOKEN not in str(caught.value)


ALLOWED_FLAT = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
}


@every_way
@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("any", "required"),
        (True, "required"),
        ("f", {"type": "function", "function": {"name": "f"}}),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "any"}, "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        (ALLOWED_FLAT, ALLOWED),
        (ALLOWED, ALLOWED),
        ({"type": ["any"]}, {"type": ["any"]}),
        (None, None),
    ],
)
def test_tool_choices_of_a_call(way: Way, choice: object, sent: object) -> None:
    """In the words of every API that people come from."""
    backend = Backend()
    way.ask(make(way, "GMI", backend), tools=[{"type": "function", "function": {"name": "f"}}], tool_choice=choice)

    assert backend.bodies[0].get("tool_choice") == sent


@pytest.mark.parametrize("choice", [ALLOWED_FLAT, ALLOWED])
def test_allowed_tools_in_the_form_of_the_responses_api(choice: dict[str, Any]) -> None:
    options = {"model": "m", "tool_choice": tool_choice_for(choice, [])}

    assert response_body(options, [], stream=False)["tool_choice"] == ALLOWED_FLAT


@every_way
@pytest.mark.parametrize("choice", ["g", {"type": "tool", "name": "g"}, {"type": "function", "name": "g"}])
def test_an_unknown_tool_choice_names_the_tools(way: Way, choice: object) -> None:
    with pytest.raises(InvalidInputError, match="`f`"):
        way.ask(make(way, "GMI", Backend()), tools=[{"type": "function", "name": "f"}], tool_choice=choice)


@every_way
def test_a_tool_itself_is_no_choice(way: Way) -> None:
    with pytest.raises(InvalidInputError, match="not a list"):
        way.ask(make(way, "GMI", Backend()), tools=[{"type": "function", "name": "f"}], tool_choice=["f"])


class Seen(BaseCallbackHandler):
    """Everything that LangChain hands to a tracer when a call starts."""

    def __init__(self) -> None:
        self.text = ""
        self.params: dict[str, object] = {}

    def on_chat_model_start(self, serialized, messages, **kwargs):
        self.params = kwargs["invocation_params"]
        self.text += repr((serialized, kwargs)) + json.dumps(kwargs, default=repr)


class TestLangChain:
    @pytest.mark.parametrize("way", [Way("langchain", a, s) for a in (False, True) for s in (False, True)], ids=str)
    def test_traces_hold_no_headers_values(self, way: Way) -> None:
        """Names may be seen; temperature and the like are."""
        seen = Seen()
        model = make(way, "GMI", Backend(), default_headers={"X-Own": TOKEN}, callbacks=[seen], temperature=0)

        way.ask(model, extra_headers={"X-Once": TOKEN}, max_tokens=5)
        way.ask(model.bind(extra_headers={"X-Once": TOKEN}))

        assert "X-Once" in seen.text
        assert TOKEN not in seen.text
        assert KEY not in seen.text
        assert seen.params["temperature"] == 0

    def test_a_bound_model_shows_no_value(self) -> None:
        bound = make(Way("langchain"), "GMI", Backend()).bind(extra_headers={"X-Once": TOKEN})

        assert TOKEN not in repr(bound) + str(bound) + dumps(bound)

    def test_a_cache_tells_headers_apart_and_keeps_none(self) -> None:
        """Another tenant's reply is not found, and the cache's keys hold no value."""
        backend, cache, way = Backend(), InMemoryCache(), Way("langchain")
        for tenant in ("a", "b", "a"):
            way.ask(make(way, "GMI", backend, cache=cache, default_headers={"X-Tenant": f"{TOKEN}{tenant}"}))
        model = make(way, "GMI", backend, cache=cache)
        for tenant in ("a", "b", "a"):
            way.ask(model, extra_headers={"X-Tenant": f"{TOKEN}{tenant}"})

        assert len(backend.requests) == 4
        assert TOKEN not in str(cache._cache)

    def test_batches_and_generate_take_them(self) -> None:
        backend = Backend()
        model = make(Way("langchain"), "GMI", backend)
        model.batch(["a", "b"], metadata={"run": "1"}, extra_headers={"X-Once": "1"})
        asyncio.run(model.abatch(["a"], metadata={"run": "1"}))
        model.generate([[HumanMessage("a")]], extra_headers={"X-Once": "1"})

        assert [body.get("metadata") for body in backend.bodies] == [{"run": "1"}] * 3 + [None]
        assert [request.headers.get("x-once") for request in backend.requests] == ["1", "1", None, "1"]


class Events(BaseEventHandler):
    """Everything that LlamaIndex's events hold."""

    text: str = ""

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event, **_):
        self.text += repr(event) + event.model_dump_json(fallback=repr)


class TestLlamaIndex:
    @pytest.mark.parametrize("way", [Way("llamaindex", a, s) for a in (False, True) for s in (False, True)], ids=str)
    def test_events_hold_no_headers_values(self, way: Way) -> None:
        events, debug = Events(), LlamaDebugHandler(print_trace_on_end=False)
        dispatcher = get_dispatcher()
        dispatcher.add_event_handler(events)
        try:
            manager = CallbackManager([debug])
            model = make(way, "GMI", Backend(), default_headers={"X-Own": TOKEN}, callback_manager=manager)
            way.ask(model, extra_headers={"X-Once": TOKEN})
        finally:
            dispatcher.event_handlers.remove(events)

        assert "X-Once" in events.text
        assert TOKEN not in events.text
        assert TOKEN not in repr(debug.get_event_pairs())


@every_way
def test_logs_hold_no_headers_values(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    way.ask(make(way, "GMI", Backend(), default_headers={"X-Own": TOKEN}), extra_headers={"X-Once": TOKEN})

    assert TOKEN not in caplog.text


@every_framework
def test_the_endpoint_is_made_once(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at every call, but again when something about it is changed."""
    from rivya_core.adapters import connection

    made = []
    real = connection.endpoint
    monkeypatch.setattr(connection, "endpoint", lambda *a, **k: made.append(1) or real(*a, **k))
    backend = Backend()
    model = make(way, "GMI", backend)
    before = len(made)
    for _ in range(3):
        way.ask(model)
    assert len(made) - before <= 1
    model.default_headers["X-Later"] = "1"
    way.ask(model)
    model.base_url = "http://other.test/v1"
    way.ask(model)
    way.ask(model.model_copy(update={"timeout": 5}))

    assert backend.requests[-3].headers["x-later"] == "1"
    assert backend.requests[-2].url.host == "other.test"
    assert backend.requests[-1].extensions["timeout"]["read"] == 5
