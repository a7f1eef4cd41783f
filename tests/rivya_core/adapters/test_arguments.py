"""Arguments as people pass them, to the chat classes of both frameworks: other names, mistakes, other providers' options."""

from __future__ import annotations

import pytest
from both_frameworks import ALL_CLASSES, KEY, OPENAI_CLASSES, URL, Backend, Way, every_framework, every_way, make

from rivya_core.errors import ConfigurationError, InvalidInputError, NotSupportedError

every_class = pytest.mark.parametrize("name", ALL_CLASSES)
openai_class = pytest.mark.parametrize("name", OPENAI_CLASSES)


@every_framework
@openai_class
def test_names_of_other_packages_work(way: Way, name: str) -> None:
    """What `ChatOpenAI` and `OpenAILike` call the same thing."""
    given = {
        "model_name": "gpt-5.1",
        "openai_api_key": KEY,
        "api_base": URL,
        "request_timeout": 3,
        "max_completion_tokens": 9,
        "stop_sequences": ["END"],
        "model_kwargs": {"top_k": 3},
        "headers": {"X-Team": "blue"},
        "is_chat_model": True,
        "n": 1,
    }
    model = way.kind(name)(**given)

    assert (model.model, model.base_url, model.timeout, model.max_tokens) == ("gpt-5.1", URL, 3, 9)
    assert model.api_key.get_secret_value() == KEY
    assert (model.stop, model.extra_body, model.default_headers) == (["END"], {"top_k": 3}, {"X-Team": "blue"})


@every_framework
def test_a_providers_own_prefix_works(way: Way) -> None:
    """LangChain's packages call their keys so."""
    assert way.kind("GMI")(gmi_api_key=KEY, gmi_api_base=URL).base_url == URL
    assert way.kind("Rivya")(rivya_api_key=KEY).api_key.get_secret_value() == KEY


@every_framework
@every_class
def test_one_argument_by_two_names_is_refused(way: Way, name: str) -> None:
    with pytest.raises(ConfigurationError, match="`base_url` and `api_base` are the same argument"):
        make(way, name, api_base="http://other.test/v1")


@every_framework
@every_class
@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("organization", "OpenAI-Organization"),
        ("openai_organization", "OpenAI-Organization"),
        ("project", "OpenAI-Project"),
        ("proxies", "HTTPS_PROXY"),
        ("openai_proxy", "HTTPS_PROXY"),
        ("verify", "SSL_CERT_FILE"),
        ("follow_redirects", "httpx.Client"),
        ("should_use_structured_outputs", "output_mode"),
        ("client", "http_client"),
        ("api_version", "default_query"),
        ("disabled_params", "not sent"),
        ("n", "batch"),
        ("host", "`base_url`"),
        ("token", "`api_key`"),
        ("tools", "bind_tools"),
        ("response_format", "with_structured_output"),
        ("keep_alive", "not a parameter of the API"),
        ("maxRetries", "did you mean `max_retries`"),
        ("modle", "did you mean `model`"),
    ],
)
def test_what_has_no_counterpart_is_explained(way: Way, name: str, argument: str, words: str) -> None:
    """A table is asked before the edit distance."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        make(way, name, **{argument: "something"})

    assert f"has no argument `{argument}`" in str(caught.value)
    assert "something" not in str(caught.value)


@every_framework
@openai_class
def test_parameters_of_servers_go_into_the_body(way: Way, name: str) -> None:
    """They are known by name, and the message says where they belong, at construction and in a call."""
    with pytest.raises(ConfigurationError, match=r"extra_body=\{'top_k': \.\.\.\}"):
        make(way, name, top_k=3)
    with pytest.raises(InvalidInputError, match=r"extra_body=\{'top_k': \.\.\.\}"):
        way.ask(make(way, name, Backend()), top_k=3)


@every_framework
@every_class
def test_nothing_that_is_passed_is_none_of_pythons_errors(way: Way, name: str) -> None:
    """Values that cannot be right are our own error, which names the field and repeats numbers only."""
    wrong = {
        "max_retries": -1,
        "timeout": -3,
        "default_headers": "secret-text",
        "max_retry_seconds": "soon",
        "api_key": 7,
    }
    for field, value in wrong.items():
        with pytest.raises(ConfigurationError, match=field) as caught:
            make(way, name, **{field: value})
        assert "secret-text" not in str(caught.value)
        assert "pydantic" not in str(caught.value)


@every_framework
@every_class
def test_arguments_are_named(way: Way, name: str) -> None:
    """LlamaIndex's own classes take the model first."""
    with pytest.raises(ConfigurationError, match="by name"):
        way.kind(name)("gpt-5.2", api_key=KEY)


@every_framework
def test_missing_arguments_are_named_together(way: Way) -> None:
    with pytest.raises(ConfigurationError, match="needs `model` and `base_url`"):
        way.kind("OpenAICompatible")()
    with pytest.raises(ConfigurationError, match="reasoning_effort"):
        way.kind("Rivya")(api_key=KEY, reasoning_effort="huge")


@every_framework
@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("temperature", "no sampling parameters"),
        ("top_p", "no sampling parameters"),
        ("top_k", "no sampling parameters"),
        ("seed", "no sampling parameters"),
        ("max_tokens", "no limit"),
        ("max_completion_tokens", "no limit"),
        ("stop", "no stop sequences"),
        ("logprobs", "no log probabilities"),
        ("use_responses_api", "only OpenAI-compatible"),
        ("extra_body", "only OpenAI-compatible"),
    ],
)
def test_rivya_says_why_it_lacks_an_argument(way: Way, argument: str, reason: str) -> None:
    """At construction and in a call, with the classes that have it."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        make(way, "Rivya", **{argument: 1})
    with pytest.raises(NotSupportedError, match=reason):
        way.ask(make(way, "Rivya", Backend()), **{argument: [1]})

    assert f"`{way.kind('GMI').__name__}`" in str(caught.value)


@every_framework
@openai_class
@pytest.mark.parametrize("argument", ["session_id", "session_ledger", "enable_web_search", "client_request_id"])
def test_the_others_say_why_they_lack_rivyas(way: Way, name: str, argument: str) -> None:
    with pytest.raises(ConfigurationError, match="only Rivya's chat has") as caught:
        make(way, name, **{argument: "x"})

    assert f"`{way.kind('Rivya').__name__}`" in str(caught.value)


@every_framework
@every_class
def test_one_configuration_serves_all_if_the_user_says_so(way: Way, name: str) -> None:
    """Other providers' options are ignored, typing errors are not, and a call does the same."""
    options = {"temperature": 0.1, "max_tokens": 5, "session_id": None, "enable_web_search": True}
    model = make(way, name, ignore_unsupported=True, **options)

    assert getattr(model, "temperature", 0.1) == 0.1
    with pytest.raises(ConfigurationError, match="did you mean `temperature`"):
        make(way, name, ignore_unsupported=True, temprature=0.1)
    with pytest.raises(InvalidInputError, match="`zzz`"):
        way.ask(model, zzz=1)


@every_way
def test_ignored_options_of_a_call_are_not_sent(way: Way) -> None:
    backend = Backend()
    model = make(way, "GMI", backend, ignore_unsupported=True)

    assert way.ask(model, enable_web_search=True, temperature=0.5) == "ok"

    assert backend.bodies[0]["temperature"] == 0.5
    assert "enable_web_search" not in backend.bodies[0]


@every_way
@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("temprature", "did you mean `temperature`"),
        ("reasoning_efort", "did you mean `reasoning_effort`"),
        ("maxTokens", "did you mean `max_tokens`"),
        ("function_call", "pass `tool_choice`"),
        ("xyzzy", "it takes `.*`temperature`"),
    ],
)
def test_a_call_gives_the_hints_of_the_constructor(way: Way, argument: str, words: str) -> None:
    """Before anything is sent."""
    backend = Backend()
    with pytest.raises(InvalidInputError, match=words) as caught:
        way.ask(make(way, "GMI", backend), **{argument: 1})

    assert "Nothing was sent" in str(caught.value)
    assert not backend.requests


@every_way
def test_a_call_takes_other_names_too(way: Way) -> None:
    backend = Backend()
    way.ask(make(way, "OpenAICompatible", backend), max_completion_tokens=7, model_name="n", n=1)

    assert (backend.bodies[0]["max_tokens"], backend.bodies[0]["model"]) == (7, "n")


@every_framework
@pytest.mark.parametrize("model", ["gpt-image-2", "seedream-4-5", "z-image"])
def test_an_image_model_is_no_chat_model(way: Way, model: str) -> None:
    """Said at construction, with the tool that uses it."""
    with pytest.raises(ConfigurationError, match="RivyaImageTool"):
        way.kind("Rivya")(api_key=KEY, model=model)


@every_framework
@pytest.mark.parametrize("model", ["gpt-image-2", "openai/gpt-image-1.5", "dall-e-3"])
@openai_class
def test_image_models_that_chat_nowhere_are_refused_everywhere(way: Way, name: str, model: str) -> None:
    with pytest.raises(ConfigurationError, match="does not chat"):
        make(way, name, model=model)


@every_framework
def test_models_that_chat_and_draw_are_let_pass(way: Way) -> None:
    """A gateway may serve a model that answers with images in a chat."""
    assert make(way, "OpenAICompatible", model="google/gemini-2.5-flash-image").model
    assert make(way, "OpenAICompatible", model="nano-banana").model
