"""The sandbox's chat completions, validated by the official client and its types."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from referee import ADD, MULTIPLY, WEATHER, client, strictly

from rivya_sandbox import Answer, Call, Completion, Fault, Message, ModelRequest, Sandbox, Wire, serve

MODELS = {"openai": "gpt-5.2", "evolink": "gpt-5.2", "gmi": "openai/gpt-5.2-chat"}
EVOLINKS = frozenset({"text_tokens", "image_tokens", "input_tokens", "output_tokens", "input_tokens_details"})
REASONED = frozenset({"reasoning_content"})


@pytest.fixture(params=MODELS)
def provider(request: pytest.FixtureRequest) -> str:
    """Each of the three APIs."""
    return request.param


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


class Person(BaseModel):
    """A person."""

    name: str
    age: int
    city: str


def whole(sandbox: Sandbox, provider: str, **request: Any) -> ChatCompletion:
    """A whole completion, strictly valid."""
    request = {"model": MODELS[provider], "messages": user("What is the capital of France?"), **request}
    answer = client(sandbox, provider).chat.completions.with_raw_response.create(**request)
    return strictly(
        ChatCompletion, json.loads(answer.text), (EVOLINKS if provider == "evolink" else frozenset()) | REASONED
    )


def chunks(sandbox: Sandbox, provider: str, **request: Any) -> list[ChatCompletionChunk]:
    """A streamed completion, every chunk strictly valid."""
    request = {"model": MODELS[provider], "messages": user("What is the capital of France?"), "stream": True, **request}
    allowed = (EVOLINKS if provider == "evolink" else frozenset()) | REASONED
    return [
        strictly(ChatCompletionChunk, chunk.to_dict(), allowed)
        for chunk in client(sandbox, provider).chat.completions.create(**request)
    ]


def test_a_whole_completion(sandbox: Sandbox, provider: str) -> None:
    said = whole(sandbox, provider)

    assert said.choices[0].message.content == "The capital of France is Paris."
    assert said.choices[0].finish_reason == "stop"
    assert said.usage is not None
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens


def test_a_streamed_completion_is_the_same(sandbox: Sandbox, provider: str) -> None:
    got = chunks(sandbox, provider, stream_options={"include_usage": True})

    assert "".join(c.choices[0].delta.content or "" for c in got[:-1]) == "The capital of France is Paris."
    assert got[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in got[:-1]] == [None] * (len(got) - 2) + ["stop"]
    assert len({(c.id, c.created) for c in got}) == 1
    assert got[-1].choices == []
    assert got[-1].usage == whole(sandbox, provider).usage
    assert all(c.usage is None for c in got[:-1])


def test_usage_in_a_stream_that_nobody_asked_for(sandbox: Sandbox) -> None:
    """GMI's last chunk has it, by its page; the others' do not."""
    assert {name for name in MODELS if chunks(sandbox, name)[-1].usage is not None} == {"gmi"}


def test_evolinks_usage_has_empty_names_too(sandbox: Sandbox) -> None:
    usage = whole(sandbox, "evolink").usage

    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.model_extra == {"input_tokens": 0, "output_tokens": 0, "input_tokens_details": None}


def test_the_turn_is_journalled_and_charged(sandbox: Sandbox, provider: str) -> None:
    """The journal holds exactly what the model saw."""
    before = sandbox.credits()

    whole(sandbox, provider, messages=[{"role": "developer", "content": "Be brief."}, *user("Hi")])

    [turn] = sandbox.journal.turns
    assert [(message.role, message.text) for message in turn.context] == [("system", "Be brief."), ("user", "Hi")]
    assert (turn.api, turn.completed, turn.delivered, turn.charged) == ("chat_completions", True, True, 1)
    assert sandbox.credits() == before - 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop(sandbox: Sandbox, provider: str, streamed: bool) -> None:
    """The model calls, gets the result and answers with it."""
    chat = client(sandbox, provider).chat.completions
    asked = {"model": MODELS[provider], "tools": [WEATHER]}
    messages = user("What is the weather in San Francisco, CA?")
    if streamed:
        with chat.stream(**asked, messages=messages) as stream:
            reply = stream.get_final_completion().choices[0].message
    else:
        reply = chat.create(**asked, messages=messages).choices[0].message
    [call] = reply.tool_calls or []

    assert json.loads(call.function.arguments) == {"location": "San Francisco, CA"}

    echo = {
        "role": "assistant",
        "tool_calls": [{"id": call.id, "type": "function", "function": call.function.to_dict()}],
    }
    for item in echo["tool_calls"]:
        item["function"] = {"name": "get_weather", "arguments": call.function.arguments}
    result = {"role": "tool", "tool_call_id": call.id, "content": "It's sunny."}
    assert "It's sunny." in str(chat.create(**asked, messages=[*messages, echo, result]).choices[0].message.content)


def run_tools(
    sandbox: Sandbox, question: str, tools: list[Any], **options: Any
) -> tuple[list[list[tuple[str, Any]]], str]:
    """Let the model work until it answers; what it called in each step, and the answer."""
    functions = {"add": lambda a, b: a + b, "multiply": lambda a, b: a * b}
    messages, steps = user(question), []
    for _ in range(6):
        reply = client(sandbox).chat.completions.create(model="gpt-5.2", messages=messages, tools=tools, **options)
        said = reply.choices[0].message
        if not said.tool_calls:
            return steps, str(said.content)
        made = [(call.function.name, json.loads(call.function.arguments)) for call in said.tool_calls]
        steps.append(made)
        messages.append(said.to_dict())
        for call, (name, arguments) in zip(said.tool_calls, made, strict=True):
            result = functions[name](**arguments) if name in functions else f"{name} of {arguments}"
            messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
    pytest.fail("it never answers")


def test_arithmetic_goes_step_by_step(sandbox: Sandbox) -> None:
    steps, answer = run_tools(sandbox, "What is (121 + 2) * 5?", [ADD, MULTIPLY])

    assert steps == [[("add", {"a": 121, "b": 2})], [("multiply", {"a": 123, "b": 5})]]
    assert "615" in answer


def test_what_can_be_done_at_once_is(sandbox: Sandbox) -> None:
    """Two places, two calls in one reply, unless parallel calls are forbidden."""
    question = "What is the weather in Paris and Rome?"
    both = [("get_weather", {"location": "Paris"}), ("get_weather", {"location": "Rome"})]

    assert run_tools(sandbox, question, [WEATHER])[0] == [both]
    assert run_tools(sandbox, question, [WEATHER], parallel_tool_calls=False)[0] == [[call] for call in both]


def test_tools_are_left_alone_where_none_fits(sandbox: Sandbox) -> None:
    assert run_tools(sandbox, "Tell me a joke.", [WEATHER, ADD])[0] == []
    assert run_tools(sandbox, "What is the weather in Rome?", [WEATHER], tool_choice="none")[0] == []


@pytest.mark.parametrize(
    ("choice", "name"), [("required", None), ({"type": "function", "function": {"name": "add"}}, "add")]
)
def test_a_call_can_be_forced(sandbox: Sandbox, provider: str, choice: Any, name: str | None) -> None:
    said = whole(sandbox, provider, messages=user("Hello!"), tools=[WEATHER, ADD], tool_choice=choice)

    [call] = said.choices[0].message.tool_calls or []
    assert call.function.name == (name or call.function.name)
    assert json.loads(call.function.arguments)


def test_structured_output(sandbox: Sandbox, provider: str) -> None:
    """`parse` in both forms, filled from the text."""
    chat = client(sandbox, provider).chat.completions
    asked = {"model": MODELS[provider], "messages": user("Extract: Anna Berg is 34 years old and lives in Oslo.")}

    parsed = chat.parse(**asked, response_format=Person).choices[0].message.parsed
    with chat.stream(**asked, response_format=Person) as stream:
        streamed = stream.get_final_completion().choices[0].message.parsed

    assert parsed == streamed == Person(name="Anna Berg", age=34, city="Oslo")


def test_json_mode_gives_the_keys_that_are_asked_for(sandbox: Sandbox, provider: str) -> None:
    asked = user("Tell me a joke about cats. Return a JSON with 'setup' and 'punchline' keys.")

    said = whole(sandbox, provider, messages=asked, response_format={"type": "json_object"})

    assert set(json.loads(said.choices[0].message.content or "")) == {"setup", "punchline"}


def test_images_and_files_are_taken(sandbox: Sandbox, provider: str) -> None:
    pixel = "data:image/png;base64,iVBORw0KGgo="
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": pixel, "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]

    whole(sandbox, provider, messages=[{"role": "user", "content": content}])

    assert len(sandbox.journal.turns[0].context[0].attachments) == 3


def test_stop_limit_and_log_probabilities(sandbox: Sandbox) -> None:
    stopped = whole(sandbox, "openai", stop=["France"])
    cut = whole(sandbox, "openai", max_completion_tokens=2)
    probable = whole(sandbox, "openai", logprobs=True)

    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("The capital of ", "stop")
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("The capi", "length")
    assert "".join(t.token for t in probable.choices[0].logprobs.content) == probable.choices[0].message.content
    assert [c.choices[0].logprobs.content[0].token for c in chunks(sandbox, "openai", logprobs=True)[1:-1]]


def test_reasoning_is_counted_and_shown_where_the_model_shows_it(sandbox: Sandbox) -> None:
    hidden = whole(sandbox, "openai", reasoning_effort="high")
    shown = whole(sandbox, "openai", model="stand-in", reasoning_effort="high")

    assert hidden.usage.completion_tokens_details.reasoning_tokens > 0
    assert not hidden.choices[0].message.model_extra
    assert shown.choices[0].message.model_extra["reasoning_content"]


def test_models(sandbox: Sandbox, provider: str) -> None:
    listed = client(sandbox, provider).models.list().data

    for model in listed:
        strictly(Model, model.to_dict(), frozenset({"supported_endpoint_types"}))
    assert client(sandbox, provider).models.retrieve(MODELS[provider]).id in {model.id for model in listed}


def test_scripted_answers(sandbox: Sandbox, provider: str) -> None:
    """Text, calls, a refusal and citations."""
    sandbox.answer(Completion("Look.", calls=(Call("add", {"a": 1}), Call("add", '{"a": 2', id="mine"))))
    sandbox.answer(Completion(refusal="No."))
    sandbox.answer(Completion("So.", citations=({"url": "https://a.test", "title": "A"},)))

    first = whole(sandbox, "openai").choices[0]
    assert [(call.id == "mine", call.function.arguments) for call in first.message.tool_calls or []] == [
        (False, '{"a": 1}'),
        (True, '{"a": 2'),
    ]
    assert (first.message.content, first.finish_reason) == ("Look.", "tool_calls")
    assert whole(sandbox, "openai").choices[0].message.refusal == "No."
    assert whole(sandbox, "openai").choices[0].message.annotations[0].url_citation.url == "https://a.test"


def test_exact_bytes(sandbox: Sandbox) -> None:
    """What real back ends send instead of what they should."""
    sandbox.answer(Wire.body({"choices": []}))
    sandbox.answer(Wire.text_body("<html>", "text/html", status=502))
    sandbox.answer(Wire.events({"choices": []}, "not json", done=False, broken=True))
    chat = client(sandbox).chat.completions.with_raw_response
    asked = {"model": "gpt-5.2", "messages": user("Hi")}

    assert json.loads(chat.create(**asked).text) == {"choices": []}
    with pytest.raises(openai.InternalServerError):
        chat.create(**asked)
    with pytest.raises(openai.APIConnectionError):
        chat.create(**asked)


def refused(sandbox: Sandbox, provider: str, **request: Any) -> openai.APIStatusError:
    request = {"model": MODELS[provider], "messages": user("Hi"), **request}
    key = request.pop("key", sandbox.api_key)
    with pytest.raises(openai.APIStatusError) as caught:
        client(sandbox, provider, api_key=key).chat.completions.create(**request)
    return caught.value


def test_errors_of_openai(sandbox: Sandbox) -> None:
    """All four keys, always."""
    error = refused(sandbox, "openai", max_tokens=5)
    assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", "max_tokens")
    assert set(error.response.json()["error"]) == {"message", "type", "param", "code"}
    assert refused(sandbox, "openai", key="sk-wrong").code == "invalid_api_key"
    assert refused(sandbox, "openai", model="nope").code == "model_not_found"
    assert refused(sandbox, "openai", temperature=0.2, model="gpt-5.5").code == "unsupported_value"
    assert refused(sandbox, "openai", extra_body={"top_k": 1}).code == "unknown_parameter"


def test_errors_of_evolink(sandbox: Sandbox) -> None:
    """Integer codes, suggestions, the request's id in the message."""
    error = refused(sandbox, "evolink", messages=[]).response.json()["error"]
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    assert "request id" in error["message"]
    assert refused(sandbox, "evolink", key="sk-wrong").response.json()["error"]["code"] == "unauthorized"
    assert "fallback_suggestion" in refused(sandbox, "evolink", model="nope").response.json()["error"]
    assert whole(sandbox, "evolink", max_tokens=5, extra_body={"top_k": 1}).choices


def test_errors_of_gmi(sandbox: Sandbox) -> None:
    """Wrapped, as an object for OpenAI's models and as text for others; an unknown model before the key."""
    error = refused(sandbox, "gmi", max_tokens=5).response.json()["error"]
    assert (error["type"], error["code"]) == ("backend_error", 400)
    assert error["details"]["error"]["code"] == "unsupported_parameter"
    other = refused(sandbox, "gmi", model="deepseek-ai/DeepSeek-V3.2", messages=[]).response.json()["error"]
    assert json.loads(other["details"])["error"]["param"] == "messages"
    unknown = refused(sandbox, "gmi", model="gpt-5.2-chat", key="wrong").response
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert unknown.text == "No matching target server found for model gpt-5.2-chat"


def test_an_empty_account(sandbox: Sandbox, provider: str) -> None:
    """429 at OpenAI, 402 elsewhere; nothing is charged."""
    sandbox.set_credits(0)

    assert refused(sandbox, provider).status_code == (429 if provider == "openai" else 402)
    assert not sandbox.journal.turns


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"messages": [{"role": "bot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": None}]}, "content"),
        ({"messages": [{"role": "user", "content": "x", "name": "two words"}]}, "name"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, "Supported values"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "x"}]}, "must be a response"),
        ({"tool_choice": "auto"}, "only allowed"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "pattern"),
        ({"stream_options": {"include_usage": True}}, "only allowed"),
        ({"response_format": {"type": "json_object"}}, "json"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"n": 2}, "n"),
        ({"reasoning_effort": "enormous"}, "Supported values"),
        ({"temperature": 7}, "less than or equal to 2"),
        ({"max_completion_tokens": 0}, "below minimum"),
        ({"messages": ["x"]}, "an object"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}]}, "tool_calls[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "data URL"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf"}}]}]}, "file_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "x"}}]}]},
            "format",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x;base64,!"}}]}
                ]
            },
            "base64",
        ),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]}, "object"),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "tool_choice": {"type": "function", "function": {"name": "g"}},
            },
            "not found",
        ),
        ({"response_format": {"type": "json_schema"}}, "name"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "strict": True, "schema": {"type": "object", "properties": {"a": {}}}},
                }
            },
            "additionalProperties",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "strict": True,
                            "parameters": {
                                "type": "object",
                                "properties": {"a": {"anyOf": [{"type": "string"}]}},
                                "additionalProperties": False,
                            },
                        },
                    }
                ]
            },
            "Missing 'a'",
        ),
    ],
    ids=str,
)
def test_it_is_as_strict_as_openai(sandbox: Sandbox, request_: dict[str, Any], words: str) -> None:
    error = refused(sandbox, "openai", **request_)

    assert error.status_code == 400
    assert words in error.message + str(error.param)


def test_calls_and_their_answers_belong_together(sandbox: Sandbox) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    unanswered = [*user("x"), {"role": "assistant", "tool_calls": [call]}, *user("y")]

    assert "did not have response messages: a" in refused(sandbox, "openai", messages=unanswered).message


def test_deepseek_wants_its_reasoning_back(sandbox: Sandbox) -> None:
    """In the steps of a tool loop."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    without = [*user("x"), {"role": "assistant", "content": None, "tool_calls": [call]}, result]
    with_it = [*user("x"), {**without[1], "reasoning_content": "hm"}, result]

    assert "reasoning_content" in refused(sandbox, "evolink", model="deepseek-v4", messages=without).message
    assert whole(sandbox, "evolink", model="deepseek-v4", messages=with_it).choices


def test_a_model_of_ones_own_answers_too() -> None:
    """It gets the context and may say anything; if it fails, nothing is charged."""

    def parrot(context: tuple[Message, ...]) -> Completion:
        if context[-1].text == "fail":
            raise ValueError("no")
        return Completion(context[-1].text, calls=(Call("f", '{"long": "argument"}'),))

    with serve(model=parrot) as own:
        said = whole(own, "openai", messages=user("Hi")).choices[0].message
        cut = whole(own, "openai", messages=user("Hi"), max_completion_tokens=1).choices[0]
        assert (said.content, said.tool_calls[0].function.name) == ("Hi", "f")
        assert (cut.message.tool_calls[0].function.arguments, cut.finish_reason) == ('{"lo', "length")
        before = own.credits()
        assert refused(own, "openai", messages=user("fail")).status_code == 500
        assert own.credits() == before


def test_a_model_of_ones_own_gets_tools_schema_and_limit() -> None:
    seen: list[ModelRequest] = []

    def model(request: ModelRequest) -> Answer:
        seen.append(request)
        return Answer("{}")

    with serve(model=model) as own:
        forced = {"type": "function", "function": {"name": "add"}}
        whole(own, "openai", messages=user("Hi"), tools=[ADD], tool_choice=forced, parallel_tool_calls=False)
        whole(own, "openai", messages=user("Hi"), response_format=strict_format(Person), max_completion_tokens=7)
        whole(own, "openai", messages=user("JSON, please"), response_format={"type": "json_object"})

    first, second, third = seen
    assert [(tool.name, tool.description, list(tool.properties)) for tool in first.tools] == [
        ("add", "Add two numbers.", ["a", "b"])
    ]
    assert (first.tool_choice, first.forced_tool, first.parallel_tool_calls) == ("required", "add", False)
    assert (second.tools, second.tool_choice, second.max_tokens) == ((), "auto", 7)
    assert list((second.schema or {})["properties"]) == ["name", "age", "city"]
    assert (first.schema, third.schema) == (None, {})
    assert [message.text for message in third] == ["JSON, please"]


def strict_format(model: type[BaseModel]) -> dict[str, Any]:
    schema = {**model.model_json_schema(), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True}}


def test_faults_speak_the_apis_language(sandbox: Sandbox, provider: str) -> None:
    sandbox.fault(Fault(path="/chat/completions", status=429, headers={"retry-after": "7"}))
    sandbox.fault(Fault(path="/chat/completions", cut=2, code="internal_error", message="Worker died"))

    limited = refused(sandbox, provider)
    assert (limited.status_code, limited.response.headers["retry-after"]) == (429, "7")
    with pytest.raises(openai.APIError, match="Worker died"):
        chunks(sandbox, provider)
