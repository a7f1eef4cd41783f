"""A search comes before the text that it was for, and a citation stands on the text that it is about."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from responses_backend import said_message
from two_turns import TwoTurns

SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}}
FIRST, SECOND = "Rain today.", "Sun tomorrow."


def note(url: str, start: int, end: int) -> dict[str, Any]:
    return {"type": "url_citation", "url": url, "title": url[-1], "start_index": start, "end_index": end}


ANSWER = said_message(FIRST, annotations=[note("http://a", 0, 4)])
SECOND_ANSWER = said_message(SECOND, annotations=[note("http://b", 0, 3), note("http://c", 4, 13)])
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"]),
]
versions = pytest.mark.parametrize("version", ["v0", "v1"])


def asked(streamed: bool, version: str, output: list[dict[str, Any]], **fields: Any) -> Any:
    return TwoTurns("langchain", streamed, True, version, output).ask(**fields)


def cited(block: dict[str, Any]) -> list[str]:
    """The texts that the citations of a block are about."""
    return [block["text"][one["start_index"] : one["end_index"]] for one in block.get("annotations", ())]


def content(message: Any) -> list[Any]:
    """The blocks of a message without those that are empty."""
    assert isinstance(message.content, list)
    return [block for block in message.content if block]


@versions
def test_a_search_is_call_result_and_text(streamed: bool, version: str) -> None:
    message = asked(streamed, version, [SEARCH, ANSWER])

    for blocks in (content(message), message.content_blocks):
        assert [block["type"] for block in blocks] == ["server_tool_call", "server_tool_result", "text"]
        assert (blocks[2]["text"], cited(blocks[2])) == (FIRST, ["Rain"])
    assert message.text == FIRST


@versions
def test_every_citation_stands_on_its_own_text(streamed: bool, version: str) -> None:
    again = {**SEARCH, "id": "ws2"}
    message = asked(streamed, version, [SEARCH, ANSWER, again, SECOND_ANSWER])

    blocks = message.content_blocks
    search = ["server_tool_call", "server_tool_result"]
    assert [block["type"] for block in blocks] == [*search, "text", *search, "text"]
    assert (blocks[2]["text"], cited(blocks[2])) == (FIRST, ["Rain"])
    assert (blocks[5]["text"], cited(blocks[5])) == (SECOND, ["Sun", "tomorrow."])
    assert message.text == FIRST + SECOND


@versions
def test_text_before_the_search_stays_before_it(streamed: bool, version: str) -> None:
    message = asked(streamed, version, [said_message("Let me see. "), SEARCH, ANSWER])

    blocks = message.content_blocks
    assert [block["type"] for block in blocks] == ["text", "server_tool_call", "server_tool_result", "text"]
    assert (blocks[3]["text"], cited(blocks[3])) == (FIRST, ["Rain"])


@versions
def test_reasoning_comes_first(streamed: bool, version: str) -> None:
    reasoning = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]}
    tools = [{"type": "web_search"}]
    blocks = asked(streamed, version, [reasoning, SEARCH, ANSWER], built_in_tools=tools).content_blocks

    kinds = [block["type"] for block in blocks]
    assert kinds == ["reasoning", "server_tool_call", "server_tool_result", "text"]


@versions
def test_sources_without_a_reported_search_stand_on_the_text(streamed: bool, version: str) -> None:
    """A request with a tool of the provider expects citations."""
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 4}
    answer = said_message(FIRST, annotations=[note("http://a", 0, 4), file])
    message = asked(streamed, version, [answer], built_in_tools=[{"type": "file_search"}])

    [block] = message.content_blocks
    assert block["text"] == FIRST
    assert [(one["type"], one["title"]) for one in block["annotations"]] == [("citation", "a"), ("citation", "a.pdf")]


@versions
def test_citations_of_a_chat_completion(streamed: bool, version: str) -> None:
    nested = {"type": "url_citation", "url_citation": {k: v for k, v in note("http://a", 0, 4).items() if k != "type"}}
    turns = TwoTurns(
        "langchain",
        streamed,
        False,
        version,
        message={"role": "assistant", "content": FIRST, "annotations": [nested]},
        deltas=[{"content": "Rain "}, {"content": "today."}, {"annotations": [nested]}],
    )
    [block] = turns.ask(extra_body={"web_search_options": {}}).content_blocks

    assert (block["text"], cited(block)) == (FIRST, ["Rain"])


@versions
def test_images_without_ids_stay_apart(streamed: bool, version: str) -> None:
    images = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}} for data in ("AAAA", "BBBB")]
    turns = TwoTurns(
        "langchain", streamed, False, version, message={"role": "assistant", "content": "Two.", "images": images}
    )
    message = turns.ask()

    assert [block["base64"] for block in message.content_blocks if block["type"] == "image"] == ["AAAA", "BBBB"]


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_such_a_reply_goes_back_as_its_items_and_continues_its_response(framework: str, streamed: bool) -> None:
    output = [said_message("Let me see. "), SEARCH, ANSWER]
    turns = TwoTurns(framework, streamed, True, output=output)
    message = turns.ask()
    sent = turns.continue_with(message)
    assert [item["type"] for item in sent[1:-1]] == ["message", "web_search_call", "message"]

    turns = TwoTurns(framework, streamed, True, output=output)
    turns.continue_with(turns.ask(use_previous_response_id=True), use_previous_response_id=True)
    assert turns.bodies[-1]["previous_response_id"] == "resp_1"


def test_citations_of_llamaindex_have_their_places_in_the_text(streamed: bool) -> None:
    message = TwoTurns("llamaindex", streamed, True, output=[SEARCH, ANSWER, SEARCH, SECOND_ANSWER]).ask()

    text, citations = message.content, message.additional_kwargs["citations"]
    assert text == FIRST + SECOND
    assert [text[one["start_index"] : one["end_index"]] for one in citations] == ["Rain", "Sun", "tomorrow."]


def test_blocks_that_only_the_end_of_a_stream_holds(streamed: bool) -> None:
    """The last event alone, as some servers send it."""
    turns = TwoTurns("langchain", streamed, True)
    body = {"id": "r", "status": "completed", "model": "m", "output": [SEARCH, ANSWER]}

    def answer(request: httpx.Request) -> httpx.Response:
        if not json.loads(request.content).get("stream"):
            return httpx.Response(200, json=body)
        data = f"data: {json.dumps({'type': 'response.completed', 'response': body})}\n\n"
        return httpx.Response(200, text=data, headers={"content-type": "text/event-stream"})

    turns.respond = answer
    blocks = turns.ask().content_blocks
    assert [block["type"] for block in blocks] == ["server_tool_call", "server_tool_result", "text"]
    assert cited(blocks[2]) == ["Rain"]
