"""Copies, pickles and dumps of the chat classes of both frameworks: what they keep, and what they never hold."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import httpx
import pytest
from both_frameworks import ALL_CLASSES, KEY, URL, Backend, Way, every_framework, make
from langchain_core.load import dumpd, dumps, load

from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials

TOKEN = "tok-hidden-0123456789"
HEADERS = {"X-Token": TOKEN, "X-Team": "blue-team-value"}
VALUES = (KEY, TOKEN, "blue-team-value", "query-secret-value")
QUERY = {"api-version": "2", "sig_key": "query-secret-value"}
every_class = pytest.mark.parametrize("name", ALL_CLASSES)


def holding(way: Way, name: str, **fields: Any) -> Any:
    """A model with every kind of secret."""
    return make(way, name, default_headers=HEADERS, default_query=QUERY, **fields)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if in another process."""
    monkeypatch.setattr(credentials, "_seen", OrderedDict())


def variables(model: Any) -> tuple[str, str]:
    return model.provider.stored_key_variable, model.provider.stored_headers_variable


def written(way: Way, model: Any) -> str:
    """Every written form but pickles."""
    texts = [
        repr(model),
        str(model),
        str(model.model_dump()),
        model.model_dump_json(),
        str(model.model_dump(mode="json")),
    ]
    if way.framework == "langchain":
        return "".join(
            [
                *texts,
                str(dumpd(model)),
                dumps(model),
                str(model._identifying_params),
                str(model._get_invocation_params()),
            ]
        )
    return "".join([*texts, str(model.to_dict()), model.to_json()])


@every_framework
@every_class
def test_no_written_form_holds_a_secret(way: Way, name: str) -> None:
    """Names may be seen; values of headers, of parameters that speak of credentials, and keys may not."""
    model = holding(way, name)
    text, pickled = written(way, model), pickle.dumps(model)

    assert "X-Token" in text
    for value in VALUES:
        assert value not in text
        assert value.encode() not in pickled


@every_framework
@every_class
@pytest.mark.parametrize(
    "how", [copy.copy, copy.deepcopy, lambda m: m.model_copy(), lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_in_the_same_process_has_everything(way: Way, name: str, how: Any) -> None:
    model = holding(way, name, timeout=httpx.Timeout(7, connect=2), max_retries=5)
    twin = how(model)

    assert twin.api_key.get_secret_value() == KEY
    assert (twin.default_headers, twin.default_query) == (HEADERS, QUERY)
    assert (twin.timeout, twin.max_retries, twin.base_url) == (model.timeout, 5, URL)


@every_framework
@every_class
def test_unpickling_elsewhere_never_raises(way: Way, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call says what is missing and which variable brings it back; with both it works."""
    pickled = pickle.dumps(make(way, name, default_headers=HEADERS))
    forget(monkeypatch)
    twin = pickle.loads(pickled)
    key_variable, headers_variable = variables(twin)

    with pytest.raises(ConfigurationError, match=f"pickle.*`{key_variable}`"):
        way.ask(twin)
    monkeypatch.setenv(key_variable, KEY)
    with pytest.raises(ConfigurationError, match=rf"`X-Token`.*`{headers_variable}`") as caught:
        way.ask(twin)
    assert TOKEN not in str(caught.value)
    monkeypatch.setenv(headers_variable, json.dumps(HEADERS))

    assert twin._endpoint.headers == HEADERS
    assert twin._endpoint.account == KEY
    assert repr(twin)


@every_framework
@every_class
def test_what_is_missing_can_be_set_again(way: Way, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = pickle.dumps(holding(way, name))
    forget(monkeypatch)
    twin = pickle.loads(pickled)
    twin.api_key = "another-key"
    twin.default_headers = {"X-Token": "another"}
    with pytest.raises(ConfigurationError, match="`default_query` has no value for `sig_key`"):
        way.ask(twin)
    twin.default_query = {}

    assert (twin._endpoint.account, twin._endpoint.headers) == ("another-key", {"X-Token": "another"})


@every_framework
def test_a_pickle_of_a_pickle_is_as_good(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that passes a model on does not lose what it says."""
    pickled = pickle.dumps(make(way, "OpenAICompatible", default_headers=HEADERS))
    forget(monkeypatch)
    twin = pickle.loads(pickle.dumps(pickle.loads(pickled)))

    with pytest.raises(ConfigurationError, match="`COMPATIBLE_API_KEY`"):
        way.ask(twin)


@every_framework
def test_a_model_without_a_key_needs_none_after_a_pickle(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that wants no key gets none; the variable is not read for it."""
    pickled = pickle.dumps(way.kind("OpenAICompatible")(model="m", base_url=URL))
    forget(monkeypatch)
    monkeypatch.setenv("COMPATIBLE_API_KEY", "not-asked-for")

    assert pickle.loads(pickled)._endpoint.key is None


@every_framework
@every_class
@pytest.mark.parametrize("field", ["http_client", "http_async_client"])
def test_a_client_of_ones_own_is_one_clear_error(way: Way, name: str, field: str) -> None:
    """The same in both frameworks, as pickle's error and as ours."""
    model = make(way, name, **{field: Backend().clients[field]})
    for kind in (pickle.PicklingError, ConfigurationError):
        with pytest.raises(kind, match=f"`{field}` cannot be pickled"):
            pickle.dumps(model)

    assert pickle.loads(pickle.dumps(model.model_copy(update={field: None}))).model == model.model
    assert getattr(copy.deepcopy(model), field) is getattr(model, field)


@every_framework
def test_a_pool_of_processes_works_with_the_environment(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real other process: it finds key and headers there, or its first call says what is missing."""
    model = make(way, "OpenAICompatible", base_url="http://127.0.0.1:9/v1", default_headers=HEADERS, max_retries=0)
    path = os.pathsep.join(sys.path)
    script = (
        "import pickle, sys\n"
        "model = pickle.loads(sys.stdin.buffer.read())\n"
        "try:\n"
        "    print(model._endpoint.headers)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )

    def elsewhere(**environment: str) -> str:
        known = {**os.environ, "PYTHONPATH": path, **environment}
        done = subprocess.run(
            [sys.executable, "-c", script], input=pickle.dumps(model), capture_output=True, env=known, check=True
        )
        return done.stdout.decode()

    assert "ConfigurationError No API key" in elsewhere()
    assert "`COMPATIBLE_DEFAULT_HEADERS`" in elsewhere(COMPATIBLE_API_KEY="k")
    found = elsewhere(COMPATIBLE_API_KEY="k", COMPATIBLE_DEFAULT_HEADERS=json.dumps(HEADERS))
    assert TOKEN in found


def test_a_pool_does_not_hang() -> None:
    """What pools do with a model that lacks its key: the task fails, the pool lives."""
    model = make(Way("langchain"), "Rivya")
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(str, model).result(timeout=60)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
class TestDumps:
    @every_class
    def test_langchains_dumps_keep_the_timeout(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """As seconds and as a whole `httpx.Timeout`; headers come from the environment."""
        way = Way("langchain")
        for timeout in (7, 7.5, httpx.Timeout(9, connect=2)):
            model = make(way, name, timeout=timeout, default_headers=HEADERS, default_query={"api-version": "2"})
            monkeypatch.setenv(variables(model)[0], KEY)
            monkeypatch.setenv(variables(model)[1], json.dumps(HEADERS))

            twin = _loaded(model)

            assert (twin.timeout, twin.default_query, twin.default_headers) == (timeout, {"api-version": "2"}, HEADERS)
            assert twin.api_key.get_secret_value() == KEY

    @every_framework
    @every_class
    def test_a_dump_without_its_headers_says_so(self, way: Way, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is sent without a header that was there before."""
        model = make(way, name, default_headers=HEADERS)
        monkeypatch.setenv(variables(model)[0], KEY)

        with pytest.raises(ConfigurationError, match=variables(model)[1]):
            _loaded(model) if way.framework == "langchain" else type(model).from_dict(model.to_dict())

    def test_a_dump_of_a_model_without_headers_has_none(self) -> None:
        assert "default_headers" not in dumpd(make(Way("langchain"), "GMI"))["kwargs"]


def _loaded(model: Any) -> Any:
    path = [*model.get_lc_namespace(), type(model).__name__]
    return load(
        json.loads(dumps(model)), secrets_from_env=True, allowed_objects=[type(model)], valid_namespaces=[path[0]]
    )
