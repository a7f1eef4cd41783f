"""The Responses API through LangChain: what leaves the wire, what comes back as blocks, and state done right."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx
from asking import WAYS, ainvoke, invoke
from langchain_core import exceptions as lc
from langchain_core.caches import InMemoryCache
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from pydantic import BaseModel
from responses_backend import Backend, said_message
from wire import PATH, URL, reply

import langchain_rivya
from langchain_rivya import ChatGMI, ChatOpenAICompatible

Ask = Callable[..., Any]
RESPONSES = f"{URL}/responses"
GMI_RESPONSES = "https://api.gmi-serving.com/v1/responses"


@pytest.fixture
def backend() -> Iterator[Backend]:
    """The server, at GMI's address and at a plain one."""
    server = Backend()
    with respx.mock(assert_all_called=False) as router:
        router.post(RESPONSES).mock(side_effect=server)
        router.post(GMI_RESPONSES).mock(side_effect=server)
        router.post(PATH).mock(return_value=reply())
        yield server


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


def gmi(**fields: Any) -> ChatGMI:
    return ChatGMI(**{"api_key": "sk-gmi-key", "use_responses_api": True, **fields})


def chained(**fields: Any) -> ChatOpenAICompatible:
    given = {"model": "m", "base_url": URL, "api_key": "sk-backend", "use_previous_response_id": True, "max_retries": 0}
    return ChatOpenAICompatible(**{**given, **fields})


WEATHER = {
    "type": "function",
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "description": "Temperature unit", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["location", "unit"],
    },
}
MODEL = "openai/gpt-5.2-chat"


class TestGMIsOwnExamples:
    """The seven requests on GMI's page of `openai/gpt-5.2-chat`, to the letter."""

    def test_default(self, backend: Backend) -> None:
        """A plain question is a plain `input`."""
        gmi().invoke("Tell me a three sentence bedtime story about a unicorn.")
        assert backend.bodies == [{"model": MODEL, "input": "Tell me a three sentence bedtime story about a unicorn."}]

    def test_streaming(self, backend: Backend) -> None:
        """With instructions."""
        list(gmi(instructions="You are a helpful assistant.").stream("Hello!"))
        expected = {"model": MODEL, "instructions": "You are a helpful assistant.", "input": "Hello!", "stream": True}
        assert backend.bodies == [expected]

    def test_reasoning(self, backend: Backend) -> None:
        """By the API's own object or by the usual name."""
        expected = {
            "model": MODEL,
            "input": "How much wood would a woodchuck chuck?",
            "reasoning": {"effort": "medium"},
        }
        gmi(reasoning={"effort": "medium"}).invoke("How much wood would a woodchuck chuck?")
        gmi(reasoning_effort="medium").invoke("How much wood would a woodchuck chuck?")
        assert backend.bodies == [expected, expected]

    def test_functions(self, backend: Backend) -> None:
        """Function tools are flat."""
        question = "What is the weather like in Boston today?"
        nested = {"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}
        for tool in (WEATHER, nested):
            gmi().bind_tools([tool], tool_choice="auto").invoke(question)
        assert backend.bodies == [{"model": MODEL, "input": question, "tools": [WEATHER], "tool_choice": "auto"}] * 2

    def test_image_input(self, backend: Backend) -> None:
        """Text and image parts."""
        url = "https://qianwen-res.oss-cn-beijing.aliyuncs.com/Qwen-VL/assets/demo.jpeg"
        gmi().invoke(
            [HumanMessage([{"type": "text", "text": "what is in this image?"}, {"type": "image", "url": url}])]
        )
        parts = [{"type": "input_text", "text": "what is in this image?"}, {"type": "input_image", "image_url": url}]
        assert backend.bodies == [{"model": MODEL, "input": [{"role": "user", "content": parts}]}]

    def test_file_input_switches_the_api_on(self, backend: Backend) -> None:
        """A file by URL can be said here alone."""
        url = "https://www.berkshirehathaway.com/letters/2024ltr.pdf"
        message = HumanMessage([{"type": "text", "text": "what is in this file?"}, {"type": "file", "url": url}])
        reply = gmi(use_responses_api=None).invoke([message])
        parts = [{"type": "input_text", "text": "what is in this file?"}, {"type": "input_file", "file_url": url}]
        assert backend.bodies == [{"model": MODEL, "input": [{"role": "user", "content": parts}]}]
        assert reply.response_metadata["api"] == "responses"

    def test_web_search_switches_the_api_on(self, backend: Backend) -> None:
        """A built-in tool passes through."""
        question = "What was a positive news story from today?"
        reply = gmi(use_responses_api=None).bind_tools([{"type": "web_search_preview"}]).invoke(question)
        assert backend.bodies == [{"model": MODEL, "tools": [{"type": "web_search_preview"}], "input": question}]
        assert reply.response_metadata["api"] == "responses"


class TestContent:
    def test_reasoning_search_citations_and_calls_are_standard_blocks(self, backend: Backend, ask: Ask) -> None:
        """In both output versions, whole and streamed."""
        note = {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 2}
        backend.output = [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "q"},
            },
            said_message("Yes.", annotations=[note]),
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "c1",
                "name": "f",
                "arguments": '{"x": 1}',
                "status": "completed",
            },
        ]
        for version in ("v0", "v1"):
            message = ask(gmi(output_version=version), "?")
            kinds = [block["type"] for block in message.content_blocks]
            notes = [note for block in message.content_blocks for note in block.get("annotations", ())]
            assert set(kinds) == {"reasoning", "text", "server_tool_call", "server_tool_result", "tool_call"}
            assert message.text == "Yes."
            assert [(call["name"], call["args"], call["id"]) for call in message.tool_calls] == [("f", {"x": 1}, "c1")]
            assert [(note["type"], note["url"]) for note in notes] == [("citation", "http://a")]
            search = next(block for block in message.content_blocks if block["type"] == "server_tool_call")
            assert (search["name"], search["args"]["query"]) == ("web_search", "q")
            assert message.usage_metadata["output_token_details"] == {"reasoning": 1}

    def test_items_go_back_as_they_came(self, backend: Backend, ask: Ask) -> None:
        """Reasoning and calls keep their ids, so that a tool loop can continue."""
        backend.output = [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "c1",
                "name": "f",
                "arguments": "{}",
                "status": "completed",
            },
        ]
        first = ask(gmi(), "?")
        backend.output = None
        ask(gmi(), [HumanMessage("?"), first, ToolMessage("42", tool_call_id="c1")])
        sent = backend.bodies[-1]["input"]
        assert [item.get("type", item.get("role")) for item in sent] == [
            "user",
            "reasoning",
            "function_call",
            "function_call_output",
        ]
        assert sent[1]["id"] == "rs_1"
        assert sent[3] == {"type": "function_call_output", "call_id": "c1", "output": "42"}

    def test_an_incomplete_response_is_a_partialsaid_message(self, backend: Backend, ask: Ask) -> None:
        """With its reason; it is no pointer for the next turn."""
        backend.status = "incomplete"
        message = ask(chained(), "?")
        assert message.text == "answer 1"
        assert message.response_metadata["finish_reason"] == "length"
        assert "rivya_session" not in message.response_metadata

    def test_structured_output(self, backend: Backend, ask: Ask) -> None:
        """The schema is sent as `text.format`."""

        class Answer(BaseModel):
            """An answer."""

            value: int

        backend.output = [said_message('{"value": 4}')]
        chain = gmi().with_structured_output(Answer, method="json_schema", strict=True)
        assert (invoke if ask in WAYS[::2] else ainvoke)(chain, "?") == Answer(value=4)
        form = backend.bodies[-1]["text"]["format"]
        assert (form["type"], form["name"], form["strict"]) == ("json_schema", "Answer", True)

    def test_what_the_api_cannot_say_is_refused(self, backend: Backend) -> None:
        """And the other way round."""
        with pytest.raises(langchain_rivya.NotSupportedError, match=r"`seed`, `stop`"):
            gmi(seed=1).invoke("?", stop=["x"])
        with pytest.raises(langchain_rivya.NotSupportedError, match="use_responses_api=True"):
            gmi(use_responses_api=False, truncation="auto").invoke("?")
        with pytest.raises(langchain_rivya.InvalidInputError, match="one of them"):
            chained(previous_response_id="resp_1").invoke("?")
        assert backend.bodies == []

    def test_include_and_logprobs(self, backend: Backend) -> None:
        """`include` switches the API on; log probabilities are included by their own name."""
        gmi(use_responses_api=None, include=["reasoning.encrypted_content"], store=False).invoke("?")
        assert (backend.bodies[-1]["include"], backend.bodies[-1]["store"]) == (["reasoning.encrypted_content"], False)
        gmi(logprobs=True, top_logprobs=2).invoke("?")
        assert backend.bodies[-1]["include"] == ["message.output_text.logprobs"]


class Talk:
    """A conversation of two turns on a stored response, ready to be changed."""

    def __init__(self, ask: Ask, backend: Backend, **fields: Any) -> None:
        self.ask, self.backend, self.model = ask, backend, chained(**fields)
        self.history: list[BaseMessage] = [SystemMessage("be kind"), HumanMessage("one")]
        for text in ("two", "three"):
            self.history += [ask(self.model, self.history), HumanMessage(text)]

    def send(self, history: list[BaseMessage] | None = None, model: Any = None) -> AIMessage:
        """Send the next turn and return the reply; the model must have seen exactly what was passed."""
        given = self.history if history is None else history
        got = self.ask(model or self.model, given)
        roles = {
            "human": "user",
            "ai": "assistant",
            "AIMessageChunk": "assistant",
            "system": "system",
            "tool": "function_call_output",
        }
        assert self.backend.seen[-1] == [(roles[message.type], message.text) for message in given]
        return got

    @property
    def continued(self) -> str | None:
        """The response that the last request continued."""
        return self.backend.bodies[-1].get("previous_response_id")


class TestState:
    """One test a row of the table of situations in which the incumbent sends something else."""

    def test_normal_turn(self, backend: Backend, ask: Ask) -> None:
        """Only what is new is sent."""
        talk = Talk(ask, backend)
        got = talk.send()
        assert talk.continued == "resp_2"
        assert got.response_metadata["session_route"] == "continue"
        assert backend.bodies[-1]["input"] == "three"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda h: [SystemMessage("be rude"), *h[1:]], id="system prompt changed"),
            pytest.param(lambda h: [h[0], HumanMessage("ONE"), *h[2:]], id="first human message edited"),
            pytest.param(lambda h: [h[0], HumanMessage("summary"), *h[4:]], id="prefix replaced by a summary"),
            pytest.param(
                lambda h: [*h[:2], AIMessage("edited", response_metadata=h[2].response_metadata), *h[3:4]],
                id="AI message edited",
            ),
            pytest.param(lambda h: h[2:], id="trimmed"),
            pytest.param(lambda h: h[:-1], id="nothing after the reply"),
        ],
    )
    def test_a_changed_history_is_sent_whole(self, backend: Backend, ask: Ask, change: Any) -> None:
        """The change takes effect, and nothing old stays in force."""
        talk = Talk(ask, backend)
        got = talk.send(change(talk.history))
        assert talk.continued is None
        assert got.response_metadata["session_route"] == "replay"

    def test_an_answer_of_another_model_in_between(self, backend: Backend, ask: Ask) -> None:
        """It is sent with what follows."""
        talk = Talk(ask, backend)
        talk.send([*talk.history, AIMessage("from elsewhere"), HumanMessage("four")])
        assert talk.continued == "resp_2"

    def test_another_key_or_base_url(self, backend: Backend, ask: Ask) -> None:
        """An id of another account or place is never sent."""
        talk = Talk(ask, backend)
        talk.send(model=chained(api_key="sk-another"))
        assert talk.continued is None

    def test_not_stored(self, backend: Backend, ask: Ask) -> None:
        """What the server did not keep cannot be continued."""
        talk = Talk(ask, backend, store=False)
        talk.send()
        assert talk.continued is None

    @pytest.mark.parametrize("pointer", [7, "resp_2", None, {"v": 2}, {"v": 2, "session_id": 7}, [], {"v": 99}])
    def test_a_strange_pointer(self, backend: Backend, ask: Ask, pointer: Any) -> None:
        """Never a crash, and never sent."""
        talk = Talk(ask, backend)
        for message in talk.history:
            message.response_metadata = {"rivya_session": pointer, "id": pointer}
        talk.send()
        assert talk.continued is None

    def test_a_forged_pointer(self, backend: Backend, ask: Ask) -> None:
        """Another conversation's id with this one's digest is not sealed."""
        talk = Talk(ask, backend)
        own = talk.history[4].response_metadata
        own["rivya_session"] = {**own["rivya_session"], "session_id": "resp_1"}
        talk.send()
        assert talk.continued != "resp_1"

    def test_an_expired_response(self, backend: Backend, ask: Ask) -> None:
        """One full replay, and the turn is made once."""
        talk = Talk(ask, backend)
        backend.stored.clear()
        got = talk.send()
        assert [body.get("previous_response_id") for body in backend.bodies[-2:]] == ["resp_2", None]
        assert got.response_metadata["session_route"] == "replay"

    def test_an_expired_response_with_replay_forbidden(self, backend: Backend, ask: Ask) -> None:
        """The caller wants to know instead."""
        talk = Talk(ask, backend, on_history_mismatch="error")
        backend.stored.clear()
        with pytest.raises(lc.ModelError, match="gone"):
            talk.send()

    def test_an_aborted_stream(self, backend: Backend) -> None:
        """A partial chunk points nowhere."""
        events = chained().stream("one")
        first = next(events)
        events.close()
        assert "rivya_session" not in first.response_metadata

    def test_a_cache_hit(self, backend: Backend) -> None:
        """Two conversations do not meet on one response."""
        model = chained(cache=InMemoryCache())
        model.invoke("one")
        assert "rivya_session" not in model.invoke("one").response_metadata

    def test_forks_just_work(self, backend: Backend, ask: Ask) -> None:
        """Two continuations of one reply both continue it."""
        talk = Talk(ask, backend)
        for text in ("left", "right"):
            talk.send([*talk.history[:-1], HumanMessage(text)])
            assert talk.continued == "resp_2"

    def test_json_and_pickle(self, backend: Backend, ask: Ask) -> None:
        """A stored history is the same history."""
        talk = Talk(ask, backend)
        for again in (
            messages_from_dict(json.loads(json.dumps(messages_to_dict(talk.history)))),
            pickle.loads(pickle.dumps(talk.history)),
        ):
            talk.send(again)
            assert talk.continued == "resp_2"

    def test_tool_loops_continue(self, backend: Backend, ask: Ask) -> None:
        """Only the tool's results are sent."""
        backend.output = [
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "c1",
                "name": "f",
                "arguments": '{ "x":1}',
                "status": "completed",
            }
        ]
        model = chained()
        first = ask(model, "?")
        backend.output = None
        ask(model, [HumanMessage("?"), first, ToolMessage("42", tool_call_id="c1")])
        assert backend.bodies[-1]["previous_response_id"] == "resp_1"
        assert [item["type"] for item in backend.bodies[-1]["input"]] == ["function_call_output"]
