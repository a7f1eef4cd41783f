"""The Responses API through LlamaIndex: blocks, tools, and state done right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CitationBlock,
    DocumentBlock,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel
from responses_backend import Backend, said_message

import llamaindex_rivya
from llamaindex_rivya import GMI, OpenAICompatible

URL = "http://backend.test/v1"
GMI_URL = "https://api.gmi-serving.com/v1"
Ask = Callable[..., ChatResponse]


@pytest.fixture
def backend() -> Iterator[Backend]:
    """The server, at GMI's address and at a plain one."""
    server = Backend()
    with respx.mock(assert_all_called=False) as router:
        for url in (URL, GMI_URL):
            router.post(f"{url}/responses").mock(side_effect=server)
        yield server


def chat(llm: Any, messages: Any) -> ChatResponse:
    return llm.chat(messages)


def achat(llm: Any, messages: Any) -> ChatResponse:
    return asyncio.run(llm.achat(messages))


def stream_chat(llm: Any, messages: Any) -> ChatResponse:
    return list(llm.stream_chat(messages))[-1]


def astream_chat(llm: Any, messages: Any) -> ChatResponse:
    async def collect() -> ChatResponse:
        return [response async for response in await llm.astream_chat(messages)][-1]

    return asyncio.run(collect())


@pytest.fixture(params=[chat, achat, stream_chat, astream_chat], ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


def gmi(**fields: Any) -> GMI:
    return GMI(**{"api_key": "sk-gmi-key", "use_responses_api": True, **fields})


def chained(**fields: Any) -> OpenAICompatible:
    given = {"model": "m", "base_url": URL, "api_key": "sk-backend", "use_previous_response_id": True, "max_retries": 0}
    return OpenAICompatible(**{**given, **fields})


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def test_thinking_text_calls_citations_and_searches(backend: Backend, ask: Ask) -> None:
    """Each in the block or key where LlamaIndex's users look for it."""
    note = {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 2}
    backend.output = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
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
    response = ask(gmi(), [user("?")])
    message = response.message
    assert [block.content for block in message.blocks if isinstance(block, ThinkingBlock)] == ["Hm."]
    assert [block.text for block in message.blocks if isinstance(block, TextBlock)] == ["Yes."]
    assert [(call.tool_name, call.tool_kwargs) for call in gmi().get_tool_calls_from_response(response)] == [
        ("f", {"x": 1})
    ]
    assert message.additional_kwargs["citations"][0]["url"] == "http://a"
    (cited,) = [block for block in message.blocks if isinstance(block, CitationBlock)]
    assert (cited.source, cited.title, cited.cited_content.text) == ("http://a", "A", "Ye")
    assert cited.additional_location_info == {"start_index": 0, "end_index": 2}
    assert message.additional_kwargs["built_in_tool_calls"][0]["action"]["query"] == "q"
    assert response.raw["usage"]["total_tokens"] == 5
    assert response.raw["api"] == "responses"


def test_built_in_tools_and_files_switch_the_api_on(backend: Backend, ask: Ask) -> None:
    """A request that chat completions cannot express uses the Responses API automatically."""
    ask(gmi(use_responses_api=None, built_in_tools=[{"type": "web_search_preview"}]), [user("?")])
    assert backend.bodies[-1]["tools"] == [{"type": "web_search_preview"}]
    document = ChatMessage(role="user", blocks=[TextBlock(text="read"), DocumentBlock(url="https://a.example/a.pdf")])
    ask(gmi(use_responses_api=None), [document])
    assert backend.bodies[-1]["input"][0]["content"][1] == {"type": "input_file", "file_url": "https://a.example/a.pdf"}


def test_function_tools_are_flat(backend: Backend) -> None:
    """`chat_with_tools` works as on chat completions."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    tool = FunctionTool.from_defaults(add)
    gmi().chat_with_tools([tool], "1 + 2?", tool_required=True)
    sent = backend.bodies[-1]
    assert (sent["tools"][0]["type"], sent["tools"][0]["name"], sent["tool_choice"]) == ("function", "add", "required")


def test_structured_prediction(backend: Backend) -> None:
    """The schema is sent as `text.format`."""

    class Answer(BaseModel):
        """An answer."""

        value: int

    backend.output = [said_message('{"value": 4}')]
    from llama_index.core.prompts import PromptTemplate

    assert gmi().structured_predict(Answer, PromptTemplate("?")) == Answer(value=4)
    assert backend.bodies[-1]["text"]["format"]["name"] == "Answer"


class TestState:
    def talk(self, ask: Ask, **fields: Any) -> tuple[Any, list[ChatMessage]]:
        """A conversation of two turns."""
        llm = chained(**fields)
        history = [ChatMessage(role="system", content="be kind"), user("one")]
        for text in ("two", "three"):
            history += [ask(llm, history).message, user(text)]
        return llm, history

    def test_an_unchanged_history_continues(self, backend: Backend, ask: Ask) -> None:
        """Only what is new is sent, and the model sees the whole list."""
        llm, history = self.talk(ask)
        response = ask(llm, history)
        assert backend.bodies[-1]["previous_response_id"] == "resp_2"
        assert backend.bodies[-1]["input"] == "three"
        assert [text for _, text in backend.seen[-1]] == [message.content for message in history]
        assert response.message.additional_kwargs["session_route"] == "continue"

    @pytest.mark.parametrize(
        "change",
        [
            lambda h: [ChatMessage(role="system", content="be rude"), *h[1:]],
            lambda h: [h[0], user("ONE"), *h[2:]],
            lambda h: h[2:],
            lambda h: h[:-1],
        ],
        ids=["system", "edited", "trimmed", "regenerate"],
    )
    def test_a_changed_history_is_sent_whole(self, backend: Backend, ask: Ask, change: Any) -> None:
        """The change takes effect."""
        llm, history = self.talk(ask)
        changed = change(history)
        ask(llm, changed)
        assert "previous_response_id" not in backend.bodies[-1]
        assert [text for _, text in backend.seen[-1]] == [message.content for message in changed]

    def test_json_round_trip(self, backend: Backend, ask: Ask) -> None:
        """A stored memory is the same history."""
        llm, history = self.talk(ask)
        again = [ChatMessage.model_validate(json.loads(message.model_dump_json())) for message in history]
        ask(llm, again)
        assert backend.bodies[-1]["previous_response_id"] == "resp_2"

    def test_an_expired_response_is_replayed_once(self, backend: Backend, ask: Ask) -> None:
        """Then the turn is made."""
        llm, history = self.talk(ask)
        backend.stored.clear()
        ask(llm, history)
        assert [body.get("previous_response_id") for body in backend.bodies[-2:]] == ["resp_2", None]

    def test_another_conversation_on_the_same_object_is_another(self, backend: Backend, ask: Ask) -> None:
        """No state on the object: a one-shot question continues nothing."""
        llm, _ = self.talk(ask)
        assert llm.complete("one-shot").text
        assert "previous_response_id" not in backend.bodies[-1]


def test_what_the_api_cannot_say_is_refused(backend: Backend) -> None:
    """Before anything is sent."""
    with pytest.raises(llamaindex_rivya.NotSupportedError, match="seed"):
        gmi(seed=1).chat([user("?")])
    assert backend.bodies == []
