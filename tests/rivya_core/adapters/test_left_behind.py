"""What leaves a process holds no key and no header's value, and comes to life anywhere; the first call says what lacks."""

from __future__ import annotations

import copy
import itertools
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from pydantic import PrivateAttr

import langchain_rivya as lc
import llamaindex_rivya as li
from rivya_core.errors import ConfigurationError, RivyaError
from rivya_core.images.polling import PollingPolicy
from rivya_sandbox import Sandbox

KEY, VALUE = "rvya_sk_secret_of_mine", "a-token-with-any-name"
HEADERS = {"x-team": VALUE}
NOWHERE = "http://127.0.0.1:1/v1"

MAKERS: dict[str, Callable[..., Any]] = {
    "ChatRivya": lc.ChatRivya,
    "ChatGMI": lc.ChatGMI,
    "ChatEvolink": lc.ChatEvolink,
    "ChatOpenAICompatible": lambda **how: lc.ChatOpenAICompatible(model="m", **how),
    "RivyaImageTool": lc.RivyaImageTool,
    "Rivya": li.Rivya,
    "GMI": li.GMI,
    "Evolink": li.Evolink,
    "OpenAICompatible": lambda **how: li.OpenAICompatible(model="m", **how),
    "RivyaImageToolSpec": li.RivyaImageToolSpec,
}
EVERY = pytest.mark.parametrize("name", MAKERS)
LANGCHAIN = [name for name in MAKERS if "Chat" in name or name.endswith("Tool")]
LLAMAINDEX = ["Rivya", "GMI", "Evolink", "OpenAICompatible"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PollingPolicy, "delays", lambda _: itertools.repeat(0.01))


def made(name: str, **how: Any) -> Any:
    return MAKERS[name](**{"api_key": KEY, "base_url": NOWHERE, "default_headers": HEADERS, "max_retries": 0} | how)


def first_call(thing: Any) -> Any:
    """Whatever a thing is for."""
    if isinstance(thing, li.RivyaImageToolSpec):
        return thing.generate_image("a fox")
    return thing.complete("Hi") if hasattr(thing, "complete") else thing.invoke("Hi")


def shows(text: str | bytes) -> bool:
    data = text if isinstance(text, bytes) else text.encode()
    return KEY.encode() in data or VALUE.encode() in data


@EVERY
def test_no_written_form_holds_a_secret(name: str) -> None:
    thing = made(name)
    written = [pickle.dumps(thing), repr(thing), str(thing), repr(copy.deepcopy(thing))]
    if hasattr(thing, "model_dump"):
        written.append(repr(thing.model_dump()))
    if name in LANGCHAIN:
        written.append(json.dumps(dumpd(thing), default=repr))
    if name in LLAMAINDEX:
        written += [repr(thing.to_dict()), thing.to_json()]

    assert not any(shows(text) for text in written)


@EVERY
def test_in_its_own_process_a_pickle_is_as_good_as_new(name: str, sandbox: Sandbox) -> None:
    urls = {"Rivya": sandbox.rivya_url, "GMI": sandbox.gmi_url, "Evolink": sandbox.evolink_url}
    url = next((url for part, url in urls.items() if part in name), sandbox.openai_url)
    thing = made(name, api_key=sandbox.api_key, base_url=url)
    thing.model = "gpt-5.2" if "Compatible" in name else getattr(thing, "model", None)
    first_call(pickle.loads(pickle.dumps(thing)))

    assert sandbox.journal.requests[0].headers["x-team"] == VALUE


@EVERY
def test_a_client_of_ones_own_is_one_clear_error(name: str) -> None:
    for how in ({"http_client": httpx.Client()}, {"http_async_client": httpx.AsyncClient()}):
        with pytest.raises((ConfigurationError, pickle.PicklingError), match="cannot be pickled") as caught:
            pickle.dumps(made(name, **how))
        assert isinstance(caught.value, ConfigurationError)
        assert isinstance(caught.value, pickle.PicklingError)


ELSEWHERE = """
import json, pickle, sys
found = {}
for name, data in json.load(open(sys.argv[1])).items():
    thing = pickle.loads(bytes.fromhex(data))
    call = getattr(thing, "generate_image", None) or getattr(thing, "complete", None) or thing.invoke
    try:
        found[name] = str(call("Hi"))
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
VARIABLES = {f"{name}_API_KEY": "key-of-another-process" for name in ("RIVYA", "GMI", "EVOLINK", "COMPATIBLE")}
VALUES = {name.replace("API_KEY", "DEFAULT_HEADERS"): json.dumps(HEADERS) for name in VARIABLES}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["No API key", "comes from a pickle", "_API_KEY`"]),
        (VARIABLES, ["`x-team`", "_DEFAULT_HEADERS`"]),
        (VARIABLES | VALUES, ["Could not connect"]),
    ],
    ids=["nothing", "keys", "keys and headers"],
)
def test_in_another_process_the_first_call_says_what_is_missing(
    variables: dict[str, str], words: list[str], tmp_path: Any
) -> None:
    """Unpickling never raises: a pool whose worker fails at that waits for ever."""
    (tmp_path / "pickles").write_text(json.dumps({name: pickle.dumps(made(name)).hex() for name in MAKERS}))
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_DEFAULT_HEADERS"))}
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "pickles")]
    done = subprocess.run(command, capture_output=True, text=True, env=clean | variables, check=True, timeout=120)
    found = json.loads(done.stdout)

    assert found.keys() == MAKERS.keys()
    assert {name: said for name, said in found.items() if not all(word in said for word in words)} == {}


class Tracer(BaseCallbackHandler):
    """Keeps everything that a tracer receives."""

    def __init__(self) -> None:
        self.outcome_text: list[str] = []

    def on_chat_model_start(self, *outcome_text: Any, **more: Any) -> None:
        self.outcome_text.append(repr((outcome_text, more)))

    def on_tool_start(self, *outcome_text: Any, **more: Any) -> None:
        self.outcome_text.append(repr((outcome_text, more)))


@pytest.mark.parametrize("name", LANGCHAIN)
def test_a_tracer_is_told_no_secret(name: str) -> None:
    tracer = Tracer()
    try:
        made(name).invoke("Hi", config={"callbacks": [tracer]})
    except RivyaError as error:
        tracer.outcome_text.append(str(error))

    assert len(tracer.outcome_text) >= 1
    assert not any(map(shows, tracer.outcome_text))


class Listener(BaseEventHandler):
    """Keeps all events."""

    _told: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Listener"

    def handle(self, event: Any, **_: Any) -> None:
        self._told += [repr(event), event.model_dump_json()]


@pytest.mark.parametrize("name", LLAMAINDEX)
def test_an_event_handler_is_told_no_secret(name: str) -> None:
    listener, dispatcher = Listener(), get_dispatcher()
    dispatcher.add_event_handler(listener)
    try:
        with pytest.raises(RivyaError):
            made(name).complete("Hi")
    finally:
        dispatcher.event_handlers.remove(listener)

    assert listener._told
    assert not any(map(shows, listener._told))
