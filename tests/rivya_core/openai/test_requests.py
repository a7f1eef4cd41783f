"""What leaves the wire as a chat completion: bodies and messages, and what turns out not to be taken."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openai_asking import HI, Backend, Way, chat
from wire import body, events, reply, text_frames

from rivya_core import errors
from rivya_core.http.retry import RetryPolicy
from rivya_core.models import list_models
from rivya_core.openai.chat.messages import wire_messages
from rivya_core.providers import COMPATIBLE, EVOLINK, GMI, CompletionsProfile, Provider
from rivya_core.types import Media, Message, RawBlock, Text, ToolCall

CALL = ToolCall("a", "f", '{"x": 1}')
IMAGE = Media("image", data=b"x", mime_type="image/png")


def answer(way: Way) -> httpx.Response:
    return events(*text_frames("Hi")) if way.streamed else reply()


def sent(way: Way, provider: Provider = COMPATIBLE, messages: Any = HI, **options: Any) -> dict[str, Any]:
    """The body of the one request that a turn made."""
    backend = Backend(answer(way))
    way.ask(chat(provider, **options), backend, messages)
    [only] = backend.bodies
    return only


def message(*parts: Any, rules: CompletionsProfile | None = None, **fields: Any) -> dict[str, Any]:
    """One message in the wire's form."""
    fields = {"role": "user", **fields}
    return wire_messages([Message(parts=parts, **fields)], rules or CompletionsProfile())[0]


def test_what_is_not_set_is_not_sent(way: Way) -> None:
    """Model and messages alone, and in a stream the question for usage."""
    extra = {"stream": True, "stream_options": {"include_usage": True}} if way.streamed else {}

    assert sent(way) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **extra}


def test_every_option_goes_out_under_its_name(way: Way) -> None:
    options: dict[str, Any] = {
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 0,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logit_bias": {"50256": -100},
        "logprobs": False,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "verbosity": "low",
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "user": "u",
        "store": False,
        "metadata": {"a": "b"},
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "stop": ["END"],
    }
    tools = ({"type": "function", "function": {"name": "f"}},)

    body_ = sent(way, **options, tools=tools, max_tokens=5, extra_body={"top_k": 3, "user": "me"})

    assert body_ | {"stream": 0, "stream_options": 0} == {
        **options,
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": list(tools),
        "max_tokens": 5,
        "top_k": 3,
        "user": "me",
        "stream": 0,
        "stream_options": 0,
    }


@pytest.mark.parametrize(
    ("provider", "model", "key"),
    [
        (COMPATIBLE, "m", "max_tokens"),
        (EVOLINK, "gpt-5.2", "max_completion_tokens"),
        (EVOLINK, "deepseek-v4", "max_tokens"),
        (GMI, "openai/gpt-5.2-chat", "max_completion_tokens"),
        (GMI, "deepseek-ai/DeepSeek-V3.2", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_the_model_wants(
    whole: Way, provider: Provider, model: str, key: str
) -> None:
    limits = {k: v for k, v in sent(whole, provider, model=model, max_tokens=7).items() if k.startswith("max_")}

    assert limits == {key: 7}


def test_usage_in_streams_is_asked_for_unless_the_caller_or_the_provider_says_no(stream: Way) -> None:
    quiet = replace(COMPATIBLE, chat=CompletionsProfile(stream_options=False))

    assert "stream_options" in sent(stream)
    assert "stream_options" not in sent(stream, stream_usage=False)
    assert "stream_options" not in sent(stream, quiet)
    assert "stream_options" in sent(stream, quiet, stream_usage=True)


def test_several_replies_are_refused_before_anything_is_sent(way: Way) -> None:
    backend = Backend(answer(way))

    with pytest.raises(errors.NotSupportedError, match="`n`"):
        way.ask(chat(extra_body={"n": 2}), backend)
    with pytest.raises(errors.InvalidInputError, match="no message"):
        way.ask(chat(), backend, ())
    assert backend.requests == []


def test_text_alone_is_a_string_and_parts_are_a_list() -> None:
    assert message(Text("a"), Text("b")) == {"role": "user", "content": "ab"}
    assert message() == {"role": "user", "content": ""}
    native = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    assert message(RawBlock(native), Text("b"))["content"] == [native, {"type": "text", "text": "b"}]


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (IMAGE, {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}),
        (
            Media("image", url="https://a.test/x.png", extras={"detail": "low", "format": "png"}),
            {"type": "image_url", "image_url": {"url": "https://a.test/x.png", "detail": "low"}},
        ),
        (
            Media("audio", data=b"x", mime_type="audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
        ),
        (Media("audio", data=b"x"), {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}}),
        (
            Media("file", data=b"x", mime_type="application/pdf", name="a.pdf"),
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}},
        ),
        (
            Media("file", data=b"x"),
            {"type": "file", "file": {"filename": "file.pdf", "file_data": "data:application/pdf;base64,eA=="}},
        ),
        (Media("file", file_id="file-1"), {"type": "file", "file": {"file_id": "file-1"}}),
        (
            Media("video", url="https://a.test/x.mp4"),
            {"type": "video_url", "video_url": {"url": "https://a.test/x.mp4"}},
        ),
    ],
    ids=str,
)
def test_media(media: Media, part: dict[str, Any]) -> None:
    assert message(media)["content"] == [part]


@pytest.mark.parametrize(
    ("role", "media", "words"),
    [
        ("user", Media("file", url="https://a.test/x.pdf"), "use_responses_api"),
        ("user", Media("video", file_id="file-1"), "file_id"),
        ("user", Media("audio", url="https://a.test/x.wav"), "bytes"),
        ("user", Media("image", file_id="file-1"), "file_id"),
        ("developer", IMAGE, "image in a message of role"),
        ("system", IMAGE, "role 'system'"),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_an_error_that_names_it(role: str, media: Media, words: str) -> None:
    with pytest.raises(errors.NotSupportedError, match=words):
        message(Text("x"), media, role=role)


def test_roles_and_names() -> None:
    """`developer` only where it is known; a name without what the API forbids."""
    developer = CompletionsProfile(developer_role=True)

    assert message(Text("x"), role="developer")["role"] == "system"
    assert message(Text("x"), role="developer", rules=developer)["role"] == "developer"
    assert message(Text("x"), name="Ann <b>")["name"] == "Ann_b_"
    assert "name" not in message(Text("x"), name="Ann", rules=CompletionsProfile(names=False))


def test_system_messages_can_be_made_one_at_the_beginning() -> None:
    """For servers whose template takes only that."""
    talk = [Message("system", (Text("a"),)), Message("user", (Text("x"),)), Message("developer", (Text("b"),))]

    one = wire_messages(talk, CompletionsProfile(one_system_message=True))

    assert one == [{"role": "system", "content": "a\n\nb"}, {"role": "user", "content": "x"}]
    assert [m["role"] for m in wire_messages(talk, CompletionsProfile())] == ["system", "user", "system"]
    assert wire_messages(talk[1:2], CompletionsProfile(one_system_message=True)) == one[1:]


def test_an_assistants_calls_go_back_as_they_came() -> None:
    wire = message(role="assistant", tool_calls=(CALL,))

    assert wire == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
    }


@pytest.mark.parametrize(
    ("arguments", "back"), [("", {}), ('{"x', {"invalid_arguments": '{"x'}), ("[1]", {"invalid_arguments": "[1]"})]
)
def test_calls_that_were_broken_go_back_as_json(arguments: str, back: Any) -> None:
    """Strict servers answer 400 to anything else, and the model sees what it wrote."""
    wire = message(role="assistant", tool_calls=(ToolCall("a", "f", arguments),))

    assert json.loads(wire["tool_calls"][0]["function"]["arguments"]) == back


def test_reasoning_that_a_history_shows_is_not_sent() -> None:
    """What goes back is the state of the reply, which only the origin of the reply gets."""
    assert message(Text("4"), role="assistant", reasoning="hm") == {"role": "assistant", "content": "4"}


@pytest.mark.parametrize(
    ("provider", "extras", "rule", "sent"),
    [
        (EVOLINK, {}, "own", True),
        (EVOLINK, {"model_provider": "evolink"}, "own", True),
        (EVOLINK, {"model_provider": "anthropic"}, "own", False),
        (EVOLINK, {"provider_state": {"v": 1}}, "own", False),
        (EVOLINK, {}, "none", False),
        (COMPATIBLE, {}, "own", False),
    ],
)
def test_an_api_that_wants_all_reasoning_gets_what_names_no_other_origin(
    provider: Provider, extras: Any, rule: Any, sent: bool
) -> None:
    """DeepSeek's models behind Evolink refuse tool loops without it."""
    talk = [*HI, Message("assistant", (Text("4"),), reasoning="hm", extras=extras)]
    backend = Backend(reply())
    Way(asynchronous=False, streamed=False).ask(chat(provider, model="deepseek-v4", send_back=rule), backend, talk)

    assert ("reasoning_content" in backend.bodies[0]["messages"][1]) is sent


def test_a_refusal_goes_back() -> None:
    assert message(role="assistant", extras={"refusal": "No."})["refusal"] == "No."


def test_that_a_tool_failed_is_said_in_words() -> None:
    def content(text: str) -> str:
        return message(Text(text), role="tool", tool_call_id="a", failed=True)["content"]

    assert content("no b") == "Error: no b"
    assert content("Error: no b") == "Error: no b"


def test_a_tools_images_follow_behind_all_answers_of_the_step() -> None:
    """Strict servers take no images in a tool's message, and nothing between the answers."""
    talk = [
        Message("assistant", tool_calls=(CALL, replace(CALL, id="b"))),
        Message("tool", (Text("see"), IMAGE), tool_call_id="a"),
        Message("tool", (IMAGE,), tool_call_id="b"),
        Message("user", (Text("So?"),)),
    ]

    wire = wire_messages(talk, CompletionsProfile())

    assert [m["role"] for m in wire] == ["assistant", "tool", "tool", "user"]
    assert wire[1]["content"] == "see"
    assert isinstance(wire[2]["content"], str)
    assert [p["type"] for p in wire[3]["content"]] == ["text", "image_url", "text", "image_url", "text"]
    assert wire_messages(talk[:3], CompletionsProfile())[-1]["role"] == "user"
    kept = wire_messages(talk, CompletionsProfile(tool_media=True))
    assert [m["role"] for m in kept] == ["assistant", "tool", "tool", "user"]
    assert kept[1]["content"][1]["type"] == "image_url"


def unknown(param: str, message: str, code: str = "unsupported_parameter", status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "param": param, "code": code}})


@pytest.mark.parametrize(
    "refusal",
    [
        unknown("stream_options", "Unknown parameter: 'stream_options'.", "unknown_parameter"),
        httpx.Response(
            422, json={"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs", "type": "extra"}]}
        ),
        httpx.Response(400, text="unsupported: stream_options.include_usage"),
    ],
    ids=["named", "FastAPI", "text"],
)
def test_stream_options_are_refused_once(stream: Way, refusal: httpx.Response) -> None:
    """The request is sent again without them, the next one leaves them out; no retry is used up."""
    backend = Backend([refusal, answer(stream), answer(stream)])

    assert stream.ask(chat(), backend).text == "Hi"
    assert stream.ask(chat(), backend).text == "Hi"
    assert ["stream_options" in sent for sent in backend.bodies] == [True, False, False]


def test_stream_options_that_the_caller_wants_are_not_given_up(stream: Way) -> None:
    refusal = unknown("stream_options", "Unknown parameter: 'stream_options'.")

    with pytest.raises(errors.BadRequestError, match="stream_options"):
        stream.ask(chat(stream_usage=True), refusal)


@pytest.mark.parametrize(
    ("first", "then"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
def test_the_other_name_of_the_limit_is_learned(way: Way, first: str, then: str) -> None:
    """In the words of OpenAI, of GMI around them, and of servers that know only the old name."""
    provider = replace(COMPATIBLE, chat=CompletionsProfile(limit_key=first))
    inner = {"error": {"message": f"Unsupported parameter: '{first}'", "param": first, "code": "unsupported_parameter"}}
    refusal = body({"error": {"message": "Backend request failed", "code": 400, "details": inner}}, 400)
    backend = Backend([refusal, answer(way), answer(way)])

    for _ in range(2):
        assert way.ask(chat(provider, max_tokens=9), backend).text.strip()
    assert [(first in sent, then in sent) for sent in backend.bodies] == [(True, False), (False, True), (False, True)]


@pytest.mark.parametrize(
    "refusal",
    [
        unknown("max_tokens", "'max_tokens' is too large: 9. This model supports at most 5.", "invalid_value"),
        unknown("temperature", "Unsupported value: 'temperature'", "unsupported_value"),
        unknown("tools", "Unsupported parameter: 'tools'"),
    ],
    ids=["a value", "another value", "another parameter"],
)
def test_nothing_else_about_a_request_is_changed(way: Way, refusal: httpx.Response) -> None:
    backend = Backend(refusal)

    with pytest.raises(errors.BadRequestError):
        way.ask(chat(max_tokens=9, temperature=0.5), backend)
    assert len(backend.requests) == 1


def test_a_back_end_that_refuses_both_names_is_believed(whole: Way) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        key = "max_tokens" if "max_tokens" in json.loads(request.content) else "max_completion_tokens"
        return unknown(key, f"Unsupported parameter: '{key}'")

    backend = Backend(refuse)

    with pytest.raises(errors.BadRequestError):
        whole.ask(chat(max_tokens=9), backend)
    assert len(backend.requests) == 2


def test_models_are_listed(whole: Way) -> None:
    listed = {"data": [{"id": "a", "owned_by": "o", "created": 1}, {"id": "b", "supported_endpoint_types": ["x"]}, {}]}

    models = whole.run(list_models(chat().endpoint, RetryPolicy(0)), body(listed))

    assert [(model.id, model.owned_by, model.created) for model in models] == [("a", "o", 1), ("b", None, None)]
    assert models[1].raw["supported_endpoint_types"] == ["x"]
    with pytest.raises(errors.InvalidResponseError, match="list of models"):
        whole.run(list_models(chat().endpoint, RetryPolicy(0)), body({"data": None}))
