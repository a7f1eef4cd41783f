"""`api_key` as a function: a fresh key for each request, which is shown nowhere."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
from typing import Any

import httpx
import pytest
from both_frameworks import ALL_CLASSES, Backend, Way, every_framework, every_way, make, reply
from langchain_core.load import dumps
from pydantic import SecretStr

from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials

SECRET = "fresh-secret-0123456789"


class Keys:
    """Gives another key each time."""

    def __init__(self, form: Any = str) -> None:
        self.given = 0
        self.form = form

    def __call__(self) -> Any:
        self.given += 1
        return self.form(f"{SECRET}-{self.given}")

    async def later(self) -> Any:
        await asyncio.sleep(0)
        return self()


def sent_keys(backend: Backend) -> list[str]:
    return [request.headers["authorization"].removeprefix(f"Bearer {SECRET}-") for request in backend.requests]


@every_way
@pytest.mark.parametrize("form", [str, SecretStr])
@pytest.mark.parametrize("name", ["GMI", "OpenAICompatible"])
def test_each_request_has_a_fresh_key(way: Way, form: Any, name: str) -> None:
    backend, keys = Backend(), Keys(form)
    model = make(way, name, backend, api_key=keys)

    way.ask(model)
    way.ask(model)

    assert sent_keys(backend) == ["1", "2"]


@every_way
def test_a_retry_asks_again(way: Way) -> None:
    """The key may have run out meanwhile."""
    backend, keys = Backend(), Keys()
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"][-1])
        return reply(request) if len(seen) > 1 else httpx.Response(503)

    backend.answer = answer
    way.ask(make(way, "GMI", backend, api_key=keys, max_retries=1))

    assert seen == ["1", "2"]


@pytest.mark.parametrize("way", [Way(f, True, s) for f in ("langchain", "llamaindex") for s in (False, True)], ids=str)
def test_async_functions_serve_async_calls(way: Way) -> None:
    for function in (Keys().later, functools.partial(Keys.later, Keys())):
        backend = Backend()
        way.ask(make(way, "GMI", backend, api_key=function))
        assert sent_keys(backend) == ["1"]


@pytest.mark.parametrize("way", [Way(f, False, s) for f in ("langchain", "llamaindex") for s in (False, True)], ids=str)
def test_sync_calls_cannot_await_a_key(way: Way) -> None:
    backend = Backend()
    with pytest.raises(ConfigurationError, match="async methods"):
        way.ask(make(way, "GMI", backend, api_key=Keys().later))

    assert not backend.requests


def boom() -> str:
    raise OSError(f"could not read {SECRET}")


@every_way
@pytest.mark.parametrize("function", [boom, lambda: 7, lambda: None, lambda: "not a key", lambda: " "])
def test_a_function_that_gives_no_key_is_our_error(way: Way, function: Any) -> None:
    """Without what it said, and before anything is sent."""
    backend = Backend()
    with pytest.raises(ConfigurationError, match="key") as caught:
        way.ask(make(way, "GMI", backend, api_key=function))

    assert SECRET not in str(caught.value)
    assert not backend.requests


@every_framework
@pytest.mark.parametrize("name", ALL_CLASSES)
def test_nobody_sees_function_or_key(way: Way, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text, dump or pickle holds it, not even what a partial function was given; copies share it."""
    function = functools.partial(lambda secret: secret, SECRET)
    model = make(way, name, api_key=function)
    twin = pickle.loads(pickle.dumps(model))

    texts = [repr(model), str(model.model_dump()), str(vars(model)), model.model_dump_json()]
    texts.append(dumps(model) if way.framework == "langchain" else model.to_json())
    assert SECRET not in "".join(texts)
    assert SECRET.encode() not in pickle.dumps(model)
    assert copy.deepcopy(model)._endpoint.key() == SecretStr(SECRET)
    with pytest.raises(ConfigurationError, match="pickle"):
        way.ask(twin)
    assert not [key for key in credentials._seen.values() if SECRET in key.get_secret_value()]


@every_framework
def test_models_and_credits_use_it_too(way: Way) -> None:
    backend = Backend(answer=lambda request: httpx.Response(200, json={"data": [{"id": "a"}]}))
    model = make(way, "GMI", backend, api_key=Keys())

    assert [entry.id for entry in model.models()] == ["a"]
    assert sent_keys(backend) == ["1"]


@every_framework
def test_sessions_belong_to_the_function(way: Way, sandbox: Any) -> None:
    """A key that changes does not start a new session."""
    model = make(way, "Rivya", base_url=sandbox.rivya_url, api_key=lambda: sandbox.api_key)

    assert model._wire({}).origin == make(way, "Rivya", base_url=sandbox.rivya_url, api_key=Keys())._wire({}).origin
    assert way.ask(model, "Hello")
