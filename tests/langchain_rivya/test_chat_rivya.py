"""What `ChatRivya` does beyond LangChain's standard suites, on the sandbox."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from asking import WAYS, merged
from langchain_core import exceptions as lc
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import InMemoryRateLimiter
from samples import png

import langchain_rivya
from langchain_rivya import ChatRivya
from rivya_sandbox import Fault, Sandbox

Make = Callable[..., ChatRivya]
Ask = Callable[..., AIMessage]


@pytest.fixture
def make(sandbox: Sandbox) -> Make:
    """Builds models that talk to the sandbox."""

    def build(**fields: Any) -> ChatRivya:
        return ChatRivya(**{"api_key": sandbox.api_key, "base_url": sandbox.rivya_url, **fields})

    return build


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking; each must give the same message."""
    return request.param


def test_every_way_of_asking_gives_the_same_message(make: Make, sandbox: Sandbox, ask: Ask) -> None:
    """Text, usage and metadata do not depend on how the model is called."""
    sandbox.answer("Rhine, Danube, Loire.")
    reply = ask(make(), "Name three rivers.")
    facts = reply.response_metadata

    assert reply.text == "Rhine, Danube, Loire."
    assert reply.usage_metadata == {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}
    assert facts["model_name"] == "gpt-5-2-chat"
    assert facts["model_provider"] == make()._get_ls_params()["ls_provider"] == "rivya"
    assert facts["id"].startswith("chatcmpl_")
    assert facts["session_id"] == sandbox.journal.turns[-1].session_id
    assert facts["session_route"] == "new"
    assert set(facts["credits"]) == {"reserved", "final"}
    assert facts["created_at"].endswith("Z")


def test_the_second_turn_continues_the_session(make: Make, sandbox: Sandbox, ask: Ask) -> None:
    """Only the new message is sent; the model has seen the whole list."""
    history: list[BaseMessage] = [HumanMessage("My name is Ada.")]
    first = ask(make(), history)
    history += [first, HumanMessage("What is my name?")]
    second = ask(make(), history)

    seen = [(message.role, message.text) for message in sandbox.journal.turns[-1].context]
    assert [("user", "My name is Ada."), ("assistant", first.text), ("user", "What is my name?")] == seen
    assert second.response_metadata["session_id"] == first.response_metadata["session_id"]
    assert second.response_metadata["session_route"] == "continue"
    assert "Ada" in second.text


def test_reasoning_is_a_reasoning_block(make: Make, sandbox: Sandbox, ask: Ask) -> None:
    """Reasoning comes before the text, as LangChain's standard block, and is not part of the text."""
    for version in ("v0", "v1"):
        sandbox.answer("Four.", reasoning="Two and two.")
        reply = ask(make(output_version=version), "2 + 2?")

        assert reply.text == "Four."
        blocks = [{k: v for k, v in block.items() if k != "index"} for block in reply.content_blocks]
        assert blocks == [{"type": "reasoning", "reasoning": "Two and two."}, {"type": "text", "text": "Four."}]


def test_only_the_last_chunk_is_marked_last_and_has_the_metadata(make: Make) -> None:
    """Metadata on several chunks would be added up by LangChain."""
    chunks = list(make().stream("hello"))

    assert [chunk.chunk_position for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].chunk_position == "last"
    assert not any(chunk.response_metadata or chunk.usage_metadata for chunk in chunks[:-1])
    assert merged(chunks).text == "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": base64.b64encode(png()).decode(), "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png()).decode()}},
        {"type": "image_url", "image_url": "data:image/png;base64," + base64.b64encode(png()).decode()},
        {"type": "image", "source_type": "base64", "data": base64.b64encode(png()).decode(), "mime_type": "image/png"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()},
        },
    ],
    ids=["standard", "openai", "flat-url", "v0", "anthropic"],
)
def test_an_image_is_uploaded_and_attached(make: Make, sandbox: Sandbox, ask: Ask, block: dict[str, Any]) -> None:
    """Whatever form the block has, its bytes are what the model sees."""
    ask(make(), [HumanMessage([{"type": "text", "text": "What is this?"}, block])])

    (message,) = sandbox.journal.turns[-1].context
    assert message.text == "What is this?"
    assert len(message.attachments) == 1


def test_an_image_by_file_id_is_not_uploaded_again(make: Make, sandbox: Sandbox) -> None:
    """A file that is on the server already is named, not sent."""
    make().invoke(
        [
            HumanMessage(
                [{"type": "text", "text": "See"}, {"type": "image", "base64": encoded(), "mime_type": "image/png"}]
            )
        ]
    )
    known = sandbox.journal.turns[-1].context[0].attachments[0].file_id
    make().invoke([HumanMessage([{"type": "text", "text": "Again"}, {"type": "image", "file_id": known}])])

    assert sandbox.journal.turns[-1].context[0].attachments[0].file_id == known
    assert [entry.path for entry in sandbox.journal.requests].count("/api/v1/files") == 1


def encoded() -> str:
    return base64.b64encode(png()).decode()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        ("", lc.ModelError, "empty"),
        ("x" * 20_001, lc.ContextOverflowError, "20,001 characters"),
        ("x" * 20_001, langchain_rivya.ContextOverflowError, "20,000"),
        (
            [{"type": "text", "text": "x"}, {"type": "image", "url": "https://example.com/a.png"}],
            ValueError,
            "fetch_image_urls",
        ),
        (
            [{"type": "text", "text": "x"}, {"type": "image", "base64": "AAAA", "mime_type": "image/png"}],
            ValueError,
            "image/png",
        ),
        (
            [{"type": "text", "text": "x"}, {"type": "image", "base64": "%%", "mime_type": "image/png"}],
            ValueError,
            "base64",
        ),
        (
            [{"type": "text", "text": "x"}, {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}],
            ValueError,
            "audio",
        ),
        ([{"type": "text", "text": "x"}, {"type": "image"}], ValueError, "none of"),
        ("\ud800", ValueError, "surrogate"),
    ],
)
def test_bad_input_is_refused_before_anything_is_paid(
    make: Make, sandbox: Sandbox, ask: Ask, content: Any, kind: type[Exception], words: str
) -> None:
    """The error says what is wrong; no turn was made and no credit spent."""
    before = sandbox.credits()
    if kind is lc.ModelError:
        kind = langchain_rivya.InvalidInputError
    with pytest.raises(kind, match=words):
        ask(make(), [HumanMessage(content)])

    assert sandbox.journal.turns == []
    assert sandbox.credits() == before


def test_a_image_that_is_too_large_is_refused(make: Make, sandbox: Sandbox) -> None:
    """The limit of the Files API is known before anything is sent."""
    large = base64.b64encode(png() + bytes(10 * 1024 * 1024)).decode()
    with pytest.raises(langchain_rivya.InvalidInputError, match="10,485,760"):
        make().invoke(
            [
                HumanMessage(
                    [{"type": "text", "text": "x"}, {"type": "image", "base64": large, "mime_type": "image/png"}]
                )
            ]
        )

    assert sandbox.journal.requests == []


def test_no_messages_and_strange_roles_are_refused(make: Make) -> None:
    """There is nothing to send, or the role is unknown."""
    with pytest.raises(langchain_rivya.InvalidInputError, match="no message"):
        make().invoke([])
    with pytest.raises(langchain_rivya.InvalidInputError, match="narrator"):
        make().invoke([ChatMessage(role="narrator", content="Once")])


def test_a_missing_key_names_the_variable() -> None:
    """The first thing that a new user forgets."""
    with pytest.raises(langchain_rivya.ConfigurationError, match="RIVYA_API_KEY"):
        ChatRivya()


@pytest.mark.parametrize("url", ["rivya.ai/api/v1", "ftp://rivya.ai", "http://", "https://user:pw@rivya.ai", ""])
def test_a_wrong_base_url_is_said_at_construction(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its secrets; an empty one counts as not given."""
    if not url:
        assert ChatRivya(api_key="k" * 8, base_url=url)._endpoint.base_url == "https://rivya.ai/api/v1"
        return
    with pytest.raises(langchain_rivya.ConfigurationError, match="base_url") as caught:
        ChatRivya(api_key="k" * 8, base_url=url)
    assert "pw" not in str(caught.value)


def test_a_base_url_that_nobody_answers_on_says_so(make: Make) -> None:
    """The message names the host."""
    with pytest.raises(lc.ModelConnectionError, match=r"127\.0\.0\.1:9"):
        make(base_url="http://127.0.0.1:9/api/v1", max_retries=0).invoke("hello")


def test_unknown_constructor_arguments_fail_with_a_hint() -> None:
    """A typo is not ignored."""
    with pytest.raises(langchain_rivya.ConfigurationError, match="`modell`; did you mean `model`"):
        ChatRivya(api_key="k" * 8, modell="x")


def test_a_wrong_value_does_not_show_the_others() -> None:
    """Pydantic would print the whole input, key included."""
    with pytest.raises(langchain_rivya.ConfigurationError, match=r"max_retries.*not -1") as caught:
        ChatRivya(api_key="rvya_sk_secret", max_retries=-1)
    assert "secret" not in str(caught.value)


def test_unknown_call_arguments_fail_and_name_the_known_ones(make: Make, sandbox: Sandbox) -> None:
    """Nothing is sent with an argument that would be dropped."""
    with pytest.raises(langchain_rivya.InvalidInputError, match=r"`zzz`.*it takes .*reasoning_effort"):
        make().invoke("hello", zzz=0.5)
    assert sandbox.journal.requests == []


def test_options_are_sent_and_overridden_by_bind_and_by_call(make: Make, sandbox: Sandbox, ask: Ask) -> None:
    """What is not set is not sent."""
    ask(make(), "plain")
    assert set(body(sandbox)) == {"model", "message"}

    model = make(reasoning_effort="low", client_request_id="trace-1").bind(enable_web_search=True)
    ask(model, "bound", reasoning_effort="high", model="gpt-5-codex-chat")
    assert body(sandbox) == {
        "model": "gpt-5-codex-chat",
        "message": "bound",
        "reasoning_effort": "high",
        "enable_web_search": True,
        "client_request_id": "trace-1",
    }


def body(sandbox: Sandbox) -> dict[str, Any]:
    sent = [entry for entry in sandbox.journal.requests if "/chat/completions" in entry.path][-1].body
    assert isinstance(sent, dict)
    return sent


def test_tools_that_are_off_and_stop_say_what_to_use_instead(make: Make, sandbox: Sandbox) -> None:
    """A limit is an error that names the way out, also as the framework's own class."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for refused in (
        lambda: make(tool_calling="off").bind_tools([]),
        lambda: make(tool_calling="off").invoke("x", tools=[tool]),
        lambda: make().invoke("x", stop=["y"]),
    ):
        with pytest.raises(langchain_rivya.NotSupportedError, match=r"ChatGMI|GMI Cloud"):
            refused()
    with pytest.raises(NotImplementedError):
        make(tool_calling="off").bind_tools([])
    assert not sandbox.journal.requests


def test_an_api_error_is_langchains_class_and_keeps_the_providers_words(make: Make, sandbox: Sandbox, ask: Ask) -> None:
    """Code, status, request id, body and response are all there."""
    sandbox.fault(Fault(path="*", status=429, code="rate_limited", headers={"retry-after": "7"}))
    with pytest.raises(lc.ModelRateLimitError) as caught:
        ask(make(max_retries=0), "hello")

    error = caught.value
    assert isinstance(error, langchain_rivya.RateLimitError)
    assert (error.status, error.code, error.retry_after, error.is_retryable) == (429, "rate_limited", 7.0, True)
    assert error.request_id in str(error)
    assert error.response.status_code == 429
    assert "rate_limited" in error.body


def test_a_stream_that_stops_is_an_error_with_the_partial_text(make: Make, sandbox: Sandbox) -> None:
    """A silently truncated answer cannot look complete."""
    sandbox.answer("one two three four")
    sandbox.fault(Fault(path="*", cut=2))
    with pytest.raises(langchain_rivya.StreamBrokenError) as caught:
        list(make().stream("count"))

    assert "one two three four".startswith(caught.value.partial)
    assert "may have been" in str(caught.value)


def test_the_key_is_nowhere_to_be_read(make: Make, sandbox: Sandbox) -> None:
    """Not in a repr, a serialised form, a pickle or an error."""
    model = make()
    sandbox.fault(Fault(path="*", status=401, code="api_key_invalid"))
    with pytest.raises(lc.ModelAuthenticationError) as caught:
        model.invoke("hello")

    error = caught.value
    forms = [repr(model), str(model), json.dumps(dumpd(model)), pickle.dumps(model).decode("latin1")]
    forms += [model.model_dump_json(), str(error), repr(error), pickle.dumps(error).decode("latin1"), repr(vars(error))]
    forms += [repr(model._identifying_params), repr(model.asdict()), repr(model._endpoint)]
    assert not any(sandbox.api_key in form for form in forms)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_pickle_deepcopy_and_load_of_a_used_model_work(
    make: Make, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients are not part of a model."""
    model = make(reasoning_effort="low")
    model.invoke("first")
    asyncio.run(model.ainvoke("second"))
    monkeypatch.setenv("RIVYA_API_KEY", sandbox.api_key)
    loaded = load(dumpd(model), allowed_objects=[ChatRivya], valid_namespaces=["langchain_rivya"])

    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model), model.model_copy(), loaded):
        assert twin.invoke("hello").text
        assert twin.reasoning_effort == "low"


def test_a_pickle_read_elsewhere_takes_the_key_from_the_environment(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pickle holds a fingerprint; another process reads the variable, or gets an error that names it."""
    from rivya_core.http import credentials as keys

    data = pickle.dumps(make())
    monkeypatch.setattr(keys, "_seen", {})
    with pytest.raises(langchain_rivya.ConfigurationError, match="RIVYA_API_KEY"):
        pickle.loads(data).invoke("hello")
    monkeypatch.setenv("RIVYA_API_KEY", make().api_key.get_secret_value())
    assert pickle.loads(data).invoke("hello").text


def test_asyncio_run_works_as_often_as_one_likes(make: Make) -> None:
    """An async client belongs to one event loop; the model has one for each."""
    model = make(max_retries=0)
    texts = [asyncio.run(model.ainvoke("hello")).text for _ in range(4)]
    assert len(set(texts)) == 1


def test_batch_and_abatch_answer_in_order(make: Make) -> None:
    """Calls of one model do not mix."""
    prompts = [f"Say number {n}" for n in range(12)]
    texts = [reply.text for reply in make().batch(prompts)]
    assert texts == [reply.text for reply in asyncio.run(make().abatch(prompts))]
    assert all(f"number {n}" in text for n, text in enumerate(texts))


def test_in_a_chain_with_a_parser(make: Make, sandbox: Sandbox) -> None:
    """A system prompt is rendered into the first message, and the text comes out at the other end."""
    chain = (
        ChatPromptTemplate.from_messages([("system", "Be terse."), ("human", "{question}")])
        | make()
        | StrOutputParser()
    )

    assert chain.invoke({"question": "Say hello"}) == "".join(chain.stream({"question": "Say hello"}))
    assert "Be terse." in sandbox.journal.turns[-1].context[0].text


def test_a_cache_hit_points_to_no_session(make: Make, sandbox: Sandbox) -> None:
    """Two conversations must not meet in one session because a cache gave both the same reply."""
    model = make(cache=InMemoryCache())
    first = model.invoke("hello")
    again = model.invoke("hello")

    assert len(sandbox.journal.turns) == 1
    assert again.text == first.text
    assert "rivya_session" in first.response_metadata
    assert "rivya_session" not in again.response_metadata


def test_a_rate_limiter_is_asked_before_each_call(make: Make) -> None:
    """LangChain's own limiter works."""

    class Counting(InMemoryRateLimiter):
        asked = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            type(self).asked += 1
            return True

    model = make(rate_limiter=Counting())
    model.invoke("one")
    list(model.stream("two"))
    assert Counting.asked == 2


def test_tokens_are_counted_offline(make: Make) -> None:
    """No tokenizer is downloaded."""
    assert make().get_num_tokens("x" * 400) == 100
    assert 0 < make().get_num_tokens_from_messages([HumanMessage("x" * 400)]) < 200


def test_streaming_can_be_switched_on_and_off(make: Make, sandbox: Sandbox) -> None:
    """`streaming=True` makes `invoke` stream; `disable_streaming` makes `stream` not."""
    make(streaming=True).invoke("hello")
    assert sandbox.journal.requests[-1].path.endswith("/stream")
    list(make(disable_streaming=True).stream("hello"))
    assert sandbox.journal.requests[-1].path.endswith("/completions")


def test_a_custom_client_is_used_with_its_headers(sandbox: Sandbox, make: Make) -> None:
    """Its headers, hooks and timeout are kept."""
    seen: list[httpx.Request] = []
    with httpx.Client(headers={"x-team": "blue"}, timeout=3.0, event_hooks={"request": [seen.append]}) as client:
        make(http_client=client, default_headers={"x-app": "notes"}).invoke("hello")

    assert seen[0].headers["x-team"] == "blue"
    assert seen[0].headers["x-app"] == "notes"
    assert seen[0].extensions["timeout"]["read"] == 3.0


def test_timeouts_are_never_none_and_can_be_set(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 s to connect and 120 s between reads, unless said otherwise on the model or in the call."""
    from rivya_core.http import clients

    seen: list[dict[str, float]] = []
    send = clients.shared_client().send

    def spy(request: httpx.Request, **kwargs: Any) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return send(request, **kwargs)

    monkeypatch.setattr(clients.shared_client(), "send", spy)
    make().invoke("a")
    make(timeout=5).invoke("b")
    make().invoke("c", timeout=6)
    assert [(limits["connect"], limits["read"]) for limits in seen] == [(10, 120), (5, 5), (6, 6)]


def test_a_history_with_tool_messages_of_another_model_is_rendered(make: Make, sandbox: Sandbox) -> None:
    """Falling back from a model with tools to Rivya keeps what was said and done."""
    calls = [{"id": "c1", "name": "weather", "args": {"city": "Basel"}}]
    make().invoke(
        [
            SystemMessage("Be kind."),
            HumanMessage("Weather in Basel?", name="ann"),
            AIMessage("", tool_calls=calls),
            ToolMessage("rain", tool_call_id="c1", status="error"),
            AIMessage("Sorry."),
            HumanMessage("Again?"),
        ]
    )
    text = sandbox.journal.turns[-1].context[0].text
    for words in ('user {"name": "ann"}]', "weather", '{"city": "Basel"}', '"failed": true', "Sorry.", "Be kind."):
        assert words in text


def test_the_pointer_survives_json_and_checkpoints(make: Make) -> None:
    """A message read back is the same message."""
    model = make()
    history: list[BaseMessage] = [HumanMessage("hello")]
    history.append(model.invoke(history))
    again = messages_from_dict(json.loads(json.dumps(messages_to_dict(history))))

    assert model.invoke([*again, HumanMessage("more")]).response_metadata["session_route"] == "continue"
    assert model.invoke([*convert_to_messages(again), HumanMessage("x")]).response_metadata["session_route"] == "replay"


def test_an_early_closed_stream_releases_the_connection(make: Make) -> None:
    """Thirty abandoned streams do not exhaust a client with one connection."""
    with httpx.Client(limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(5, pool=1)) as client:
        model = make(http_client=client)
        for _ in range(30):
            events = model.stream("hello there")
            next(events)
            events.close()


async def test_an_early_closed_async_stream_releases_the_connection(make: Make) -> None:
    """The same on an event loop."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(5, pool=1)) as client:
        model = make(http_async_client=client)
        for _ in range(30):
            events = model.astream("hello there")
            await anext(events)
            await events.aclose()


async def test_cancelling_releases_the_connection(make: Make, sandbox: Sandbox) -> None:
    """A cancelled task leaves nothing open."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(5, pool=1)) as client:
        model = make(http_async_client=client)
        sandbox.fault(Fault(path="*", hang=30))
        task = asyncio.create_task(model.ainvoke("hello"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await model.ainvoke("hello")).text
