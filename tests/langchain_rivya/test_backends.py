"""What OpenAI-compatible back ends really send, row by row: handled, or a typed error that says what came.

The rows are numbered as in the list of known pains with such back ends that this project keeps.
"""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx
from asking import WAYS, merged
from langchain_core import exceptions as lc
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel
from wire import PATH, URL, body, chunk, events, piece, reply, text_frames

import langchain_rivya
from langchain_rivya import ChatEvolink, ChatGMI, ChatOpenAICompatible

Ask = Callable[..., Any]


@pytest.fixture
def backend() -> Iterator[respx.MockRouter]:
    """The server; a test says what it answers."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


@pytest.fixture(params=WAYS[2:], ids=lambda ask: ask.__name__)
def stream(request: pytest.FixtureRequest) -> Ask:
    """The two ways of streaming, merged into one message."""
    return request.param


@pytest.fixture(params=WAYS[:2], ids=lambda ask: ask.__name__)
def whole(request: pytest.FixtureRequest) -> Ask:
    """The two ways of asking for a whole reply."""
    return request.param


def model(**fields: Any) -> ChatOpenAICompatible:
    return ChatOpenAICompatible(**{"model": "m", "base_url": URL, "api_key": "sk-backend", "max_retries": 0, **fields})


def sent(backend: respx.MockRouter, call: int = -1) -> dict[str, Any]:
    return json.loads(backend.calls[call].request.content)


def both(whole_answer: httpx.Response, streamed: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Answers either kind of request."""

    def answer(request: httpx.Request) -> httpx.Response:
        return streamed if json.loads(request.content).get("stream") else whole_answer

    return answer


def calls(message: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


class TestReasoning:
    @pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
    def test_row_1_reasoning_is_kept(self, backend: respx.MockRouter, ask: Ask, key: str) -> None:
        """Whole and streamed, under either name, as LangChain's reasoning block."""
        streamed = events(
            chunk({key: "Well, "}), chunk({key: "yes."}), chunk({"content": "Yes."}), chunk(finish="stop")
        )
        whole = reply({"role": "assistant", "content": "Yes.", key: "Well, yes."})
        backend.post(PATH).mock(side_effect=both(whole, streamed))
        for version in ("v0", "v1"):
            message = ask(model(output_version=version), "Sure?")
            blocks = [{k: v for k, v in block.items() if k != "index"} for block in message.content_blocks]
            assert blocks == [{"type": "reasoning", "reasoning": "Well, yes."}, {"type": "text", "text": "Yes."}]

    def test_row_2_reasoning_is_sent_back_where_it_must_be(self, backend: respx.MockRouter, monkeypatch: Any) -> None:
        """DeepSeek refuses tool loops without it; other models do not get it."""
        backend.post("https://api.evolink.ai/v1/chat/completions").mock(return_value=reply())
        history = [HumanMessage("a"), AIMessage("b", additional_kwargs={"reasoning_content": "hm"}), HumanMessage("c")]
        for name, expected in (("deepseek-v4", "hm"), ("gpt-5.2", None)):
            ChatEvolink(model=name, api_key="sk-evolink").invoke(history)
            assert sent(backend)["messages"][1].get("reasoning_content") == expected

    def test_think_tags_are_reasoning_when_asked(self, backend: respx.MockRouter, ask: Ask) -> None:
        """Local models write their reasoning into the text; `think_tags=True` tells them apart."""
        streamed = events(chunk({"content": "<thi"}), chunk({"content": "nk>hm</think>\nYes"}), chunk(finish="stop"))
        backend.post(PATH).mock(
            side_effect=both(reply({"role": "assistant", "content": "<think>hm</think>\nYes"}), streamed)
        )
        message = ask(model(think_tags=True), "?")
        assert (message.text.strip(), message.additional_kwargs["reasoning_content"].strip()) == ("Yes", "hm")


class TestUsage:
    USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}

    def test_row_3_usage_is_asked_for_in_streams(self, backend: respx.MockRouter, stream: Ask) -> None:
        """With any base URL, by default."""
        backend.post(PATH).respond(
            200, content=events(*text_frames("hi"), {"choices": [], "usage": self.USAGE}).content
        )
        message = stream(model(), "?")
        assert sent(backend)["stream_options"] == {"include_usage": True}
        assert message.usage_metadata == {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}

    def test_row_3_a_server_that_refuses_stream_options_is_asked_again_without(
        self, backend: respx.MockRouter, stream: Ask
    ) -> None:
        """Once; from then on they are left out."""
        url = f"http://old-{stream.__name__}.test/v1"

        def answer(request: httpx.Request) -> httpx.Response:
            if "stream_options" in json.loads(request.content):
                return body({"error": {"message": "Unknown parameter: stream_options", "param": "stream_options"}}, 400)
            return events(*text_frames("hi"))

        backend.post(f"{url}/chat/completions").mock(side_effect=answer)
        assert stream(model(base_url=url), "?").text == "hi"
        assert stream(model(base_url=url), "?").text == "hi"
        assert ["stream_options" in sent(backend, n) for n in range(3)] == [True, False, False]

    def test_row_4_cumulative_usage_is_not_added_up(self, backend: respx.MockRouter, stream: Ask) -> None:
        """The last count is the count."""
        frames = [chunk({"content": "x"}, usage={"prompt_tokens": 5, "completion_tokens": n}) for n in (1, 2, 3)]
        backend.post(PATH).mock(
            return_value=events(*frames, chunk(finish="stop", usage={"prompt_tokens": 5, "completion_tokens": 3}))
        )
        assert stream(model(), "?").usage_metadata == {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}

    def test_evolinks_zeros_do_not_count(self, backend: respx.MockRouter, whole: Ask) -> None:
        """`input_tokens: 0` beside a filled `prompt_tokens`; cached and reasoning tokens are details."""
        usage = {
            **self.USAGE,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
            "input_tokens": 0,
            "output_tokens": 0,
            "input_tokens_details": None,
        }
        backend.post(PATH).mock(return_value=reply(usage=usage))
        assert whole(model(), "?").usage_metadata == {
            "input_tokens": 11,
            "output_tokens": 7,
            "total_tokens": 18,
            "input_token_details": {"cache_read": 4},
            "output_token_details": {"reasoning": 3},
        }


class TestRequest:
    def test_row_5_the_token_limit_goes_out_under_the_name_the_model_wants(self, backend: respx.MockRouter) -> None:
        """`max_tokens` for other servers, `max_completion_tokens` for GMI's OpenAI models; never both."""
        backend.post(PATH).mock(return_value=reply())
        backend.post("https://api.gmi-serving.com/v1/chat/completions").mock(return_value=reply())
        model(max_tokens=9).invoke("?")
        assert sent(backend) == {"model": "m", "messages": [{"role": "user", "content": "?"}], "max_tokens": 9}
        ChatGMI(api_key="sk-gmi-key", max_tokens=9).invoke("?")
        assert sent(backend)["max_completion_tokens"] == 9
        assert "max_tokens" not in sent(backend)
        model(max_completion_tokens=8).invoke("?", max_tokens=7)
        assert sent(backend)["max_tokens"] == 7

    def test_what_is_not_set_is_not_sent(self, backend: respx.MockRouter, whole: Ask) -> None:
        """Model and messages alone."""
        backend.post(PATH).mock(return_value=reply())
        whole(model(), "?")
        assert set(sent(backend)) == {"model", "messages"}

    def test_every_option_goes_out_and_calls_override(self, backend: respx.MockRouter, whole: Ask) -> None:
        """By constructor, `bind` and keyword; `extra_body` is merged."""
        backend.post(PATH).mock(return_value=reply())
        options = {
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 1,
            "reasoning_effort": "low",
            "stop": ["x"],
            "logprobs": True,
        }
        whole(
            model(**options, extra_body={"top_k": 5}).bind(temperature=0.1), "?", extra_body={"min_p": 0.2}, stop=["y"]
        )
        expected = {**options, "temperature": 0.1, "stop": ["y"], "top_k": 5, "min_p": 0.2}
        assert {key: sent(backend)[key] for key in expected} == expected

    def test_rows_36_37_38_system_messages_tool_images_and_failed_tools(self, backend: respx.MockRouter) -> None:
        """An image in a tool's answer is in the user's message that follows; that a tool failed is said in words."""
        backend.post(PATH).mock(return_value=reply())
        image = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
        model().invoke(
            [
                SystemMessage("s"),
                HumanMessage("h", name="ann"),
                AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {}}, {"id": "2", "name": "g", "args": {}}]),
                ToolMessage([{"type": "text", "text": "see"}, image], tool_call_id="1"),
                ToolMessage("boom", tool_call_id="2", status="error"),
                HumanMessage("now?"),
            ]
        )
        messages = sent(backend)["messages"]
        assert [m["role"] for m in messages] == ["system", "user", "assistant", "tool", "tool", "user"]
        assert messages[1]["name"] == "ann"
        assert messages[3] == {"role": "tool", "tool_call_id": "1", "content": "see"}
        assert messages[4]["content"] == "Error: boom"
        assert messages[5]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
        assert messages[5]["content"][2]["text"] == "now?"

    def test_rows_40_41_unknown_arguments_and_a_missing_model_fail_at_construction(self) -> None:
        """The first call is too late, and no default model is assumed."""
        with pytest.raises(langchain_rivya.ConfigurationError, match="temprature"):
            model(temprature=1)
        with pytest.raises(langchain_rivya.ConfigurationError, match="needs `model`"):
            ChatOpenAICompatible(base_url=URL)
        with pytest.raises(langchain_rivya.ConfigurationError, match="needs `base_url`"):
            ChatOpenAICompatible(model="m")

    def test_no_openai_variable_is_read(self, backend: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key for OpenAI is not sent to other back ends."""
        for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
            monkeypatch.setenv(name, "http://openai-secret.test")
        backend.post(PATH).mock(return_value=reply())
        ChatOpenAICompatible(model="m", base_url=URL).invoke("?")
        request = backend.calls[-1].request
        assert "authorization" not in request.headers
        assert "openai-secret" not in repr(request.headers.raw)

    def test_n_is_refused(self, backend: respx.MockRouter) -> None:
        """One call gives one reply."""
        with pytest.raises(langchain_rivya.InvalidInputError, match="batch"):
            model().invoke("?", n=2)

    def test_row_45_the_endpoint_does_not_depend_on_the_models_name(self, backend: respx.MockRouter) -> None:
        """A new model name does not switch to another API."""
        backend.post(PATH).mock(return_value=reply())
        model(model="gpt-6-astra").invoke("?")
        assert backend.calls[-1].request.url.path == "/v1/chat/completions"


def tool_stream(*deltas: Any, finish: str = "tool_calls") -> httpx.Response:
    """A stream of `tool_calls` deltas; a dict is a delta with one piece."""
    frames = [chunk({"tool_calls": delta if isinstance(delta, list) else [delta]}) for delta in deltas]
    return events(*frames, chunk(finish=finish))


class TestToolCalls:
    TWO = [("f", {"x": 1}), ("g", {"y": 2})]

    @pytest.mark.parametrize(
        "deltas",
        [
            pytest.param(
                [piece('{"x"', id="a", name="f"), piece(":1}"), piece('{"y"', id="b", name="g"), piece(":2}")], id="row 6: no index"
            ),
            pytest.param(
                [piece('{"x":1}', index=0, id="a", name="f"), piece('{"y":2}', index=0, id="b", name="g")],
                id="row 7: index always 0, whole",
            ),
            pytest.param(
                [
                    piece('{"x"', index=0, id="a", name="f"),
                    piece(":1}", index=0),
                    piece('{"y"', index=0, id="b", name="g"),
                    piece(":2}", index=0),
                ],
                id="row 8: index always 0, fragmented",
            ),
            pytest.param(
                [
                    piece('{"x"', index=0, id="a", name="f"),
                    piece(":1}", index=0, id="a", name="f"),
                    piece('{"y"', index=1, id="b", name="g"),
                    piece(":2}", index=1, id="b", name="g"),
                ],
                id="row 9: name and id repeated",
            ),
            pytest.param(
                [
                    piece('{"x"', index=0, id="a", name="f"),
                    piece(":1}", index=0, id="", name=""),
                    piece('{"y":2}', index=1, id="b", name="g"),
                ],
                id="row 10: empty id and name",
            ),
            pytest.param(
                [[piece({"x": 1}, index=0, id="a", name="f"), piece(json.dumps('{"y": 2}'), index=1, id="b", name="g")]],
                id="row 11: an object, and encoded twice",
            ),
            pytest.param(
                [
                    {"index": 0, "id": "a", "function": None},
                    piece('{"x":1}', index=0, name="f"),
                    piece('{"y":2}', index=1, id="b", name="g"),
                ],
                id="row 12: function null",
            ),
            pytest.param(
                [[piece('{"x"', index=0, id="a", name="f"), piece('{"y"', index=1, id="b", name="g")],
                 [piece(":2}", index=1), piece(":1}", index=0)]],
                id="several calls in one delta, interleaved",
            ),
        ],
    )  # fmt: skip
    def test_streamed_calls_are_put_together(self, backend: respx.MockRouter, stream: Ask, deltas: list[Any]) -> None:
        """However the pieces are labelled, two calls come out, with their own names, arguments and ids."""
        backend.post(PATH).mock(return_value=tool_stream(*deltas))
        for version in ("v0", "v1"):
            message = stream(model(output_version=version), "?")
            assert calls(message) == self.TWO
            assert message.invalid_tool_calls == []
            assert len({call["id"] for call in message.tool_calls}) == 2
            assert [b["name"] for b in message.content_blocks if b["type"] == "tool_call"] == ["f", "g"]

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ('{"x":1}', {"x": 1}),
            ({"x": 1}, {"x": 1}),
            (json.dumps('{"x":1}'), {"x": 1}),
            (None, {}),
            ("", {}),
            ("{}", {}),
        ],
        ids=["text", "object", "encoded twice", "null", "empty", "empty object"],
    )
    def test_row_11_whole_calls(self, backend: respx.MockRouter, whole: Ask, arguments: Any, expected: Any) -> None:
        """Arguments in any form are the same call."""
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
        backend.post(PATH).mock(return_value=reply({"role": "assistant", "content": None, "tool_calls": [call]}))
        assert calls(whole(model(), "?")) == [("f", expected)]

    @pytest.mark.parametrize("arguments", ["[1, 2]", '{"x": ', "hello", '"text"'])
    def test_row_11_what_is_no_object_is_an_invalid_call(
        self, backend: respx.MockRouter, ask: Ask, arguments: str
    ) -> None:
        """It is shown with what came, and never carried out."""
        call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
        backend.post(PATH).mock(
            side_effect=both(reply({"role": "assistant", "content": None, "tool_calls": [call]}), tool_stream(call))
        )
        message = ask(model(), "?")
        assert message.tool_calls == []
        assert [(invalid["name"], invalid["id"]) for invalid in message.invalid_tool_calls] == [("f", "a")]

    def test_row_13_truncated_arguments_are_never_a_valid_call(self, backend: respx.MockRouter, stream: Ask) -> None:
        """LangChain would repair `{"path": "/tmp/a` into a call that deletes the wrong thing."""
        backend.post(PATH).mock(
            return_value=tool_stream(
                piece('{"path": "/t', index=0, id="a", name="rm"), piece("mp/a", index=0), finish="length"
            )
        )
        for version in ("v0", "v1"):
            message = stream(model(output_version=version), "?")
            assert message.tool_calls == []
            assert message.invalid_tool_calls[0]["name"] == "rm"
            assert message.response_metadata["finish_reason"] == "length"

    @pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
    def test_row_13_in_v3_events_too(self, backend: respx.MockRouter) -> None:
        """The event stream reports the call as invalid."""
        backend.post(PATH).mock(
            return_value=tool_stream(piece('{"path": "/tmp/a', index=0, id="a", name="rm"), finish="length")
        )
        message = model().stream_events("?", version="v3").output
        assert message.tool_calls == []
        assert [invalid["name"] for invalid in message.invalid_tool_calls] == ["rm"]

    def test_row_14_text_and_calls_stay_apart(self, backend: respx.MockRouter, stream: Ask) -> None:
        """In `v1`, LangChain merges blocks of one index; reasoning, text and two calls all survive."""
        backend.post(PATH).mock(
            return_value=events(
                chunk({"reasoning_content": "hm"}),
                chunk({"content": "hi "}),
                chunk({"content": "there"}),
                chunk({"tool_calls": [piece('{"x"', index=0, id="a", name="f")]}),
                chunk({"tool_calls": [piece(":1}", index=0)]}),
                chunk({"tool_calls": [piece('{"y":2}', index=1, id="b", name="g")]}),
                chunk(finish="tool_calls"),
            )
        )
        for version in ("v0", "v1"):
            message = stream(model(output_version=version), "?")
            kinds = [block["type"] for block in message.content_blocks]
            assert kinds == ["reasoning", "text", "tool_call", "tool_call"]
            assert message.text == "hi there"
            assert calls(message) == self.TWO

    def test_a_custom_tool_loop(self, backend: respx.MockRouter, ask: Ask) -> None:
        """Calls go back to the server as they came."""
        backend.post(PATH).mock(side_effect=both(reply(), events(*text_frames("hi"))))
        history: list[BaseMessage] = [
            HumanMessage("?"),
            AIMessage("", tool_calls=[{"id": "a", "name": "f", "args": {"x": "ü"}}]),
            ToolMessage("1", tool_call_id="a"),
        ]
        ask(model(), history)
        assert sent(backend)["messages"][1] == {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": "ü"}'}}],
        }


class TestStreams:
    def test_row_15_a_finish_that_is_sent_twice_counts_once(self, backend: respx.MockRouter, stream: Ask) -> None:
        """Not `stopstop`, and the model is served once."""
        backend.post(PATH).mock(return_value=events(*text_frames("hi"), chunk(finish="stop"), chunk(finish="stop")))
        facts = stream(model(), "?").response_metadata
        assert (facts["finish_reason"], facts["model_name"]) == ("stop", "m")

    @pytest.mark.parametrize(
        "frame",
        [
            {"choices": None, "model": "m"},
            {"choices": [], "model": "m"},
            {"choices": [None]},
            {"choices": [{"index": 0, "delta": None}]},
            {"choices": [{"index": 0}]},
            {"model": "m"},
            ": keep-alive",
            "event: ping",
            "id: 7\nretry: 100\n: comment",
            "data:",
        ],
    )
    def test_row_18_frames_without_a_delta_are_passed_over(
        self, backend: respx.MockRouter, stream: Ask, frame: Any
    ) -> None:
        """Nulls, empties, comments and keep-alives anywhere."""
        first, *rest = text_frames("hello")
        backend.post(PATH).mock(return_value=events(frame, first, frame, *rest, frame))
        assert stream(model(), "?").text == "hello"

    def test_row_21_an_error_in_the_stream_is_typed(self, backend: respx.MockRouter, stream: Ask) -> None:
        """With the provider's words, and retryable if its kind is."""
        error = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
        backend.post(PATH).mock(return_value=events(chunk({"content": "par"}), error))
        with pytest.raises(lc.ModelRateLimitError, match="slow down") as caught:
            stream(model(), "?")
        assert caught.value.is_retryable

    def test_row_24_a_frame_that_is_not_json_is_typed(self, backend: respx.MockRouter, stream: Ask) -> None:
        """Not a bare decoder's error."""
        backend.post(PATH).mock(return_value=events(chunk({"content": "par"}), "data: {oops"))
        with pytest.raises(langchain_rivya.RivyaError, match="JSON"):
            stream(model(), "?")

    def test_row_25_a_cut_stream_is_never_a_message(self, backend: respx.MockRouter, stream: Ask) -> None:
        """No finish and no [DONE]: an error with the text so far."""
        backend.post(PATH).mock(return_value=events(chunk({"content": "par"}), chunk({"content": "tial"}), done=False))
        with pytest.raises(langchain_rivya.StreamBrokenError) as caught:
            stream(model(), "?")
        assert caught.value.partial == "partial"

    def test_row_25_a_finish_without_done_is_enough(self, backend: respx.MockRouter, stream: Ask) -> None:
        """Some servers never send [DONE]."""
        backend.post(PATH).mock(return_value=events(*text_frames("hi"), done=False))
        assert stream(model(), "?").text == "hi"

    def test_row_26_the_models_name_does_not_depend_on_a_finish(self, backend: respx.MockRouter, stream: Ask) -> None:
        """[DONE] alone ends the reply too."""
        backend.post(PATH).mock(return_value=events(chunk({"content": "hi"})))
        assert stream(model(), "?").response_metadata["model_name"] == "m"

    def test_crlf(self, backend: respx.MockRouter, stream: Ask) -> None:
        """Lines may end as they like."""
        backend.post(PATH).mock(return_value=events(*text_frames("hi"), newline="\r\n"))
        assert stream(model(), "?").text == "hi"

    def test_a_plain_answer_to_a_stream_request(self, backend: respx.MockRouter, stream: Ask) -> None:
        """A server that cannot stream still answers."""
        backend.post(PATH).mock(return_value=reply(usage={"prompt_tokens": 1, "completion_tokens": 2}))
        message = stream(model(), "?")
        assert (message.text, message.usage_metadata["total_tokens"]) == ("hi", 3)

    def test_a_stream_for_a_plain_request(self, backend: respx.MockRouter, whole: Ask) -> None:
        """A gateway that always streams still answers."""
        backend.post(PATH).mock(return_value=events(*text_frames("hi")))
        assert whole(model(), "?").text == "hi"

    def test_utf8_cut_anywhere(self, backend: respx.MockRouter) -> None:
        """A character split over two reads is one character."""
        content = events(chunk({"content": "Grüße 🌍"}), chunk(finish="stop")).content

        def trickle() -> Iterator[bytes]:
            for position in range(len(content)):
                yield content[position : position + 1]

        answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Bytes(trickle()))
        backend.post(PATH).mock(return_value=answer)
        assert merged(list(model().stream("?"))).text == "Grüße 🌍"


class _Bytes(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


class TestReplies:
    @pytest.mark.parametrize(
        "value", [{"choices": None}, {"choices": []}, {"choices": [{"message": None}]}, [], "hi", 7]
    )
    def test_rows_16_17_19_a_reply_without_a_message_is_typed(
        self, backend: respx.MockRouter, whole: Ask, value: Any
    ) -> None:
        """Never a TypeError, an IndexError or an empty message."""
        backend.post(PATH).mock(return_value=body(value))
        with pytest.raises(langchain_rivya.InvalidResponseError):
            whole(model(), "?")

    @pytest.mark.parametrize("role", [None, "model", "assistant", ""])
    def test_row_19_whatever_the_role_it_is_the_assistants(
        self, backend: respx.MockRouter, ask: Ask, role: Any
    ) -> None:
        """A null or foreign role does not change the message's class."""
        streamed = events(chunk({"role": role, "content": "hi"}), chunk(finish="stop"))
        backend.post(PATH).mock(side_effect=both(reply({"role": role, "content": "hi"}), streamed))
        assert isinstance(ask(model(), "?"), AIMessage | AIMessageChunk)

    def test_content_as_a_list_of_parts(self, backend: respx.MockRouter, ask: Ask) -> None:
        """Parts are joined."""
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        streamed = events(chunk({"content": parts}), chunk(finish="stop"))
        backend.post(PATH).mock(side_effect=both(reply({"role": "assistant", "content": parts}), streamed))
        assert ask(model(), "?").text == "ab"

    def test_row_27_citations_and_images_are_kept(self, backend: respx.MockRouter, ask: Ask) -> None:
        """As LangChain's standard blocks."""
        note = {
            "type": "url_citation",
            "url_citation": {"url": "http://a", "title": "A", "start_index": 0, "end_index": 2},
        }
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        said = {"role": "assistant", "content": "hi", "annotations": [note], "images": [image]}
        streamed = events(
            chunk({"content": "hi"}), chunk({"annotations": [note], "images": [image]}), chunk(finish="stop")
        )
        backend.post(PATH).mock(side_effect=both(reply(said), streamed))
        for version in ("v0", "v1"):
            message = ask(model(output_version=version), "?")
            blocks = message.content_blocks
            notes = [note for block in blocks for note in block.get("annotations", ())]
            assert message.text == "hi"
            assert [(note["type"], note["url"], note["title"]) for note in notes] == [("citation", "http://a", "A")]
            assert [(b["base64"], b["mime_type"]) for b in blocks if b["type"] == "image"] == [("AAAA", "image/png")]

    def test_row_28_stop_reason_and_logprobs_and_fingerprint(self, backend: respx.MockRouter, ask: Ask) -> None:
        """What servers say about the reply is in its metadata."""
        logprobs = {"content": [{"token": "hi", "logprob": -0.1, "top_logprobs": []}]}
        choice = {
            "index": 0,
            "message": {"content": "hi"},
            "finish_reason": "stop",
            "stop_reason": 42,
            "logprobs": logprobs,
        }
        streamed = events(
            {"choices": [{"index": 0, "delta": {"content": "hi"}, "logprobs": logprobs}], "system_fingerprint": "fp"},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": 42}]},
        )
        backend.post(PATH).mock(side_effect=both(body({"choices": [choice], "system_fingerprint": "fp"}), streamed))
        facts = ask(model(logprobs=True), "?").response_metadata
        assert facts["stop_reason"] == 42
        assert facts["system_fingerprint"] == "fp"
        assert facts["logprobs"]["content"][0]["token"] == "hi"

    def test_refusals_are_shown(self, backend: respx.MockRouter, ask: Ask) -> None:
        """As `additional_kwargs["refusal"]`."""
        streamed = events(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk(finish="stop"))
        said = {"role": "assistant", "content": None, "refusal": "I cannot."}
        backend.post(PATH).mock(side_effect=both(reply(said), streamed))
        assert ask(model(), "?").additional_kwargs["refusal"] == "I cannot."

    def test_response_headers_on_request(self, backend: respx.MockRouter, ask: Ask) -> None:
        """For rate limits and tracing."""

        def answer(request: httpx.Request) -> httpx.Response:
            found = both(reply(), events(*text_frames("hi")))(request)
            found.headers["x-ratelimit-remaining-requests"] = "59"
            return found

        backend.post(PATH).mock(side_effect=answer)
        facts = ask(model(include_response_headers=True), "?").response_metadata
        assert facts["headers"]["x-ratelimit-remaining-requests"] == "59"
        assert "headers" not in ask(model(), "?").response_metadata


NESTED = {"error": {"message": "'max_tokens' is not supported", "param": "max_tokens", "code": "unsupported_parameter"}}
GMI_OUTER = {"message": "Backend request failed with status 400", "type": "backend_error", "code": 400}


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "kind", "words"),
        [
            pytest.param(body({"error": {"message": "nope", "code": 400}}), lc.ModelInvalidRequestError, "nope", id="row 20: error with 200"),
            pytest.param(body({"error": "just text"}), langchain_rivya.APIError, "just text", id="row 20: error as text"),
            pytest.param(body({"detail": "model `x` is gone"}, 404), lc.ModelNotFoundError, "is gone", id="row 22: detail"),
            pytest.param(
                body({"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, 422),
                lc.ModelInvalidRequestError, "body.messages: field required", id="row 22: detail list",
            ),
            pytest.param(
                httpx.Response(502, html="<html><body><h1>Bad Gateway</h1></body></html>"),
                lc.ModelAPIError, "Bad Gateway", id="row 22: HTML",
            ),
            pytest.param(
                httpx.Response(200, html="<!doctype html><title>Timeout</title>"),
                langchain_rivya.InvalidResponseError, "Timeout", id="row 23: HTML with 200",
            ),
            pytest.param(
                httpx.Response(404, text="No matching target server found for model m"),
                lc.ModelNotFoundError, "No matching target server", id="GMI: plain text 404",
            ),
            pytest.param(
                body({"error": {**GMI_OUTER, "details": NESTED}}, 400),
                lc.ModelInvalidRequestError, "'max_tokens' is not supported", id="GMI: details as object",
            ),
            pytest.param(
                body({"error": {**GMI_OUTER, "details": json.dumps(NESTED)}}, 400),
                lc.ModelInvalidRequestError, "'max_tokens' is not supported", id="GMI: details as text",
            ),
            pytest.param(
                body({"error": {"message": "Invalid token", "code": 401, "type": "authentication_error"}}, 401),
                lc.ModelAuthenticationError, "Invalid token", id="Evolink: integer code",
            ),
            pytest.param(
                body({"error": {"message": "no money", "code": "insufficient_user_quota"}}, 403),
                langchain_rivya.InsufficientCreditsError, "no money", id="Evolink: 403 for money",
            ),
            pytest.param(
                body({"error": {"message": "pay", "code": 402}}, 402),
                langchain_rivya.InsufficientCreditsError, "pay", id="402 for money",
            ),
            pytest.param(
                body({"error": {"message": "maximum context length is 8", "code": "context_length_exceeded"}}, 400),
                lc.ContextOverflowError, "maximum context length", id="context overflow",
            ),
        ],
    )  # fmt: skip
    def test_every_error_body_is_read(
        self, backend: respx.MockRouter, ask: Ask, answer: httpx.Response, kind: type[Exception], words: str
    ) -> None:
        """The provider's own innermost words, in the class that fits."""
        backend.post(PATH).mock(return_value=answer)
        with pytest.raises(kind, match=words.replace("(", r"\(")):
            ask(model(), "?")

    def test_gmis_inner_code_and_param_are_brought_out(self, backend: respx.MockRouter, whole: Ask) -> None:
        """The outer status stays."""
        backend.post(PATH).mock(return_value=body({"error": {**GMI_OUTER, "details": json.dumps(NESTED)}}, 400))
        with pytest.raises(langchain_rivya.BadRequestError) as caught:
            whole(model(), "?")
        error = caught.value
        assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "max_tokens")

    def test_quota_429_is_not_retried(self, backend: respx.MockRouter, ask: Ask) -> None:
        """Retrying cannot fill an account."""
        backend.post(PATH).mock(return_value=body({"error": {"message": "x", "type": "insufficient_quota"}}, 429))
        with pytest.raises(langchain_rivya.InsufficientCreditsError):
            ask(model(max_retries=3), "?")
        assert len(backend.calls) == 1

    def test_row_42_a_lost_answer_is_not_sent_again(self, backend: respx.MockRouter, ask: Ask) -> None:
        """A repeated POST would be billed again."""
        backend.post(PATH).mock(side_effect=httpx.ReadTimeout("slow"))
        with pytest.raises(lc.ModelTimeoutError, match="may have been"):
            ask(model(max_retries=3), "?")
        assert len(backend.calls) == 1

    def test_connect_failures_are_retried_exactly(
        self, backend: respx.MockRouter, whole: Ask, monkeypatch: Any
    ) -> None:
        """`max_retries` is the number of extra requests."""
        monkeypatch.setattr("time.sleep", lambda _: None)
        backend.post(PATH).mock(side_effect=httpx.ConnectError("refused"))
        quick = model(max_retries=2)
        object.__setattr__(quick, "max_retries", 2)
        with pytest.raises(lc.ModelConnectionError):
            whole(quick, "?")
        assert len(backend.calls) == 3

    def test_no_key_anywhere(self, backend: respx.MockRouter, whole: Ask) -> None:
        """Even if the server repeats it."""
        backend.post(PATH).mock(return_value=body({"error": {"message": "Incorrect API key: sk-backend"}}, 401))
        with pytest.raises(lc.ModelAuthenticationError) as caught:
            whole(model(), "?")
        error = caught.value
        assert not any(
            "sk-backend" in form for form in (str(error), repr(vars(error)), pickle.dumps(error).decode("latin1"))
        )


class Answer(BaseModel):
    """An answer."""

    value: int


class TestStructured:
    @pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
    @pytest.mark.parametrize(
        "text",
        [
            '{"value": 4}',
            '```json\n{"value": 4}\n```',
            'Sure:\n```\n{"value": 4}\n```\nBye',
            '<think>{</think>{"value": 4}',
        ],
    )
    def test_row_29_json_in_the_text_is_read(self, backend: respx.MockRouter, ask: Ask, method: str, text: str) -> None:
        """Fenced, wrapped in words, or sent as text although a call was asked for."""
        backend.post(PATH).mock(
            side_effect=both(reply({"content": text}), events(chunk({"content": text}), chunk(finish="stop")))
        )
        chain = model().with_structured_output(Answer, method=method)
        if ask in WAYS[2:]:
            assert list(chain.stream("?"))[-1] == Answer(value=4)
        else:
            assert ask(chain, "?") == Answer(value=4)

    @pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
    @pytest.mark.parametrize(
        ("said", "finish", "words"),
        [
            ({"content": "Four."}, "stop", "text, not JSON"),
            ({"content": ""}, "stop", "empty"),
            ({"content": None}, "stop", "empty"),
            ({"content": "null"}, "stop", "null"),
            ({"content": '{"value": '}, "length", "max_tokens"),
            ({"content": '{"value": "x"}'}, "stop", "does not fit"),
            ({"content": None, "refusal": "I cannot."}, "stop", "refused: I cannot"),
        ],
    )
    def test_row_29_anything_else_is_an_error_never_none(
        self, backend: respx.MockRouter, whole: Ask, method: str, said: Any, finish: str, words: str
    ) -> None:
        """The error says what came; with `include_raw` the result holds both the error and the reply."""
        backend.post(PATH).mock(return_value=reply(said, finish=finish))
        with pytest.raises(OutputParserException, match=words):
            whole(model().with_structured_output(Answer, method=method), "?")
        both_parts = whole(model().with_structured_output(Answer, method=method, include_raw=True), "?")
        assert both_parts["parsed"] is None
        assert words in str(both_parts["parsing_error"])
        assert isinstance(both_parts["raw"], AIMessage)

    def test_row_29_streams_too_end_in_an_error(self, backend: respx.MockRouter) -> None:
        """A stream of text without JSON does not end in nothing."""
        backend.post(PATH).mock(return_value=events(*text_frames("Four of course")))
        with pytest.raises(OutputParserException, match="text, not JSON"):
            list(model().with_structured_output(Answer).stream("?"))

    def test_objects_grow_while_they_stream(self, backend: respx.MockRouter) -> None:
        """A dict schema gives partial objects, a pydantic class valid ones."""
        frames = [chunk({"content": text}) for text in ('{"value"', ": 4", ', "more": "te', 'xt"}')]
        backend.post(PATH).mock(return_value=events(*frames, chunk(finish="stop")))
        schema = {"title": "Answer", "type": "object", "properties": {"value": {"type": "integer"}}}
        seen = list(model().with_structured_output(schema).stream("?"))
        assert seen[-1] == {"value": 4, "more": "text"}
        assert {"value": 4} in seen

    def test_row_30_parallel_tool_calls_is_not_sent_unasked(self, backend: respx.MockRouter) -> None:
        """Many servers do not know it."""
        call = {"id": "a", "type": "function", "function": {"name": "Answer", "arguments": '{"value": 4}'}}
        backend.post(PATH).mock(return_value=reply({"content": None, "tool_calls": [call]}))
        assert model().with_structured_output(Answer, method="function_calling").invoke("?") == Answer(value=4)
        assert "parallel_tool_calls" not in sent(backend)
        assert "strict" not in json.dumps(sent(backend))
        assert sent(backend)["tool_choice"] == {"type": "function", "function": {"name": "Answer"}}

    def test_strict_and_schema_go_out(self, backend: respx.MockRouter) -> None:
        """As `response_format`, with the schema's name."""
        backend.post(PATH).mock(return_value=reply({"content": '{"value": 4}'}))
        model().with_structured_output(Answer, method="json_schema", strict=True).invoke("?")
        form = sent(backend)["response_format"]["json_schema"]
        assert (form["name"], form["strict"], form["schema"]["properties"]["value"]["type"]) == (
            "Answer",
            True,
            "integer",
        )

    def test_an_unknown_method_is_refused(self) -> None:
        """With the known ones."""
        with pytest.raises(langchain_rivya.InvalidInputError, match="json_mode"):
            model().with_structured_output(Answer, method="xml")


class TestTools:
    def test_every_form_of_tool_and_choice(self, backend: respx.MockRouter) -> None:
        """Pydantic, function, JSON schema, and a provider's built-in tool passed through."""

        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        schema = {
            "title": "Look",
            "description": "Look it up.",
            "type": "object",
            "properties": {"q": {"type": "string"}},
        }
        backend.post(PATH).mock(return_value=reply())
        tools = [Answer, add, schema, {"type": "web_search_preview"}, {"type": "my_own", "x": 1}]
        for choice, expected in (
            ("any", "required"), (True, "required"), ("auto", "auto"), ("none", "none"), ("required", "required"),
            ("add", {"type": "function", "function": {"name": "add"}}), ({"type": "x"}, {"type": "x"}),
            ("my_own", {"type": "my_own"}),
        ):  # fmt: skip
            model(use_responses_api=False).bind_tools(tools, tool_choice=choice).invoke("?")
            assert sent(backend)["tool_choice"] == expected
        names = [tool.get("function", {}).get("name", tool["type"]) for tool in sent(backend)["tools"]]
        assert names == ["Answer", "add", "Look", "web_search_preview", "my_own"]

    def test_strict_and_parallel_are_sent_only_when_set(self, backend: respx.MockRouter) -> None:
        """In `bind_tools` and in the constructor."""
        backend.post(PATH).mock(return_value=reply())
        model().bind_tools([Answer]).invoke("?")
        assert not {"parallel_tool_calls", "tool_choice"} & set(sent(backend))
        model().bind_tools([Answer], strict=True, parallel_tool_calls=False).invoke("?")
        assert sent(backend)["parallel_tool_calls"] is False
        assert sent(backend)["tools"][0]["function"]["strict"] is True
        model(parallel_tool_calls=False).invoke("no tools")
        assert "parallel_tool_calls" not in sent(backend)

    def test_an_unknown_tool_choice_is_refused(self) -> None:
        """With the names that there are."""
        with pytest.raises(langchain_rivya.InvalidInputError, match="Answer"):
            model().bind_tools([Answer], tool_choice="Question")


class TestLife:
    def test_rows_31_32_loops_pickle_and_deepcopy(self, backend: respx.MockRouter) -> None:
        """Four event loops in a row; used models can be copied."""
        backend.post(PATH).mock(return_value=reply())
        used = model()
        for twin in (used, pickle.loads(pickle.dumps(used)), copy.deepcopy(used), used):
            assert asyncio.run(twin.ainvoke("?")).text == "hi"

    def test_row_35_tokens_of_foreign_models_are_counted_offline(self) -> None:
        """No tokenizer is downloaded."""
        assert model(model="whatever").get_num_tokens("x" * 40) == 10

    def test_profiles_tell_agents_what_a_model_can(self) -> None:
        """For known models; nothing is guessed for others, and a caller's own wins."""
        profile = ChatGMI(api_key="sk-gmi-key").profile
        assert profile["max_input_tokens"] == 128_000 - 16_384
        assert profile["structured_output"]
        assert model().profile is None
        assert model(profile={"max_input_tokens": 9}).profile == {"max_input_tokens": 9}
