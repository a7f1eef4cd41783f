"""An image that the model made does not stop the conversation: not on either API, not on another account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ToolCallBlock
from two_turns import TwoTurns

DATA = "iVBORw0KGgo="
URL = f"data:image/png;base64,{DATA}"
MADE = {"type": "image_generation_call", "id": "ig", "status": "completed", "result": DATA}
SAID = {
    "type": "message",
    "id": "msg",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "A cat.", "annotations": []}],
}
REPLIES = [[MADE], [MADE, SAID], [SAID, MADE, {**MADE, "id": "ig2", "result": "AAAA"}]]
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.parametrize("framework", ["langchain", "llamaindex"]),
    pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"]),
]


def urls(item: dict[str, Any]) -> list[str]:
    """The images in a message of either API."""
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    found = [part["image_url"] for part in parts if part.get("image_url")]
    return [one["url"] if isinstance(one, dict) else one for one in found]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("output", REPLIES, ids=["image", "image and text", "text and images"])
@pytest.mark.parametrize("responses", [True, False], ids=["to responses", "to chat"])
def test_an_image_goes_to_another_account_as_the_users(
    framework: str, streamed: bool, version: str, output: list[dict[str, Any]], responses: bool
) -> None:
    turns = TwoTurns(framework, streamed, True, version, output)
    message = turns.ask()
    sent = turns.continue_with(message, api_key="sk-two", use_responses_api=responses)

    assert [item["role"] for item in sent] == ["user", "assistant", "user"]
    images = [f"data:image/png;base64,{item['result']}" for item in output if item is not SAID]
    assert urls(sent[2]) == images
    assert sent[1]["content"] == ("A cat." if SAID in output else "The image follows in the next message.")
    assert sent[2]["content"][-1]["text"] == "Bluer."


@pytest.mark.parametrize("output", REPLIES, ids=["image", "image and text", "text and images"])
def test_an_image_goes_back_as_its_item_where_it_came_from(
    framework: str, streamed: bool, output: list[dict[str, Any]]
) -> None:
    turns = TwoTurns(framework, streamed, True, output=output)
    sent = turns.continue_with(turns.ask())

    assert [item["type"] for item in sent[1:-1]] == [item["type"] for item in output]
    assert sent[-1] == {"role": "user", "content": "Bluer."}


@pytest.mark.parametrize("key", ["sk-one", "sk-two"])
@pytest.mark.parametrize("responses", [True, False], ids=["to responses", "to chat"])
@pytest.mark.parametrize("url", [URL, "https://images.test/cat.png"], ids=["bytes", "url"])
def test_an_image_of_a_chat_completion(framework: str, streamed: bool, key: str, responses: bool, url: str) -> None:
    image = {"type": "image_url", "image_url": {"url": url}}
    turns = TwoTurns(framework, streamed, False, message={"role": "assistant", "content": "A cat.", "images": [image]})
    sent = turns.continue_with(turns.ask(), api_key=key, use_responses_api=responses)

    assert [item["role"] for item in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == "A cat."
    assert urls(sent[2]) == [url]


@pytest.mark.parametrize("responses", [True, False], ids=["responses", "chat"])
def test_an_image_beside_calls_follows_behind_their_results(framework: str, streamed: bool, responses: bool) -> None:
    turns = TwoTurns(framework, streamed, responses)
    if framework == "langchain":
        calls = [{"name": "f", "args": {}, "id": id_} for id_ in "ab"]
        block = {"type": "image", "base64": DATA, "mime_type": "image/png"}
        said: Any = AIMessage([{"type": "text", "text": "A cat."}, block], tool_calls=calls)
        results: list[Any] = [ToolMessage("done", tool_call_id=id_) for id_ in "ab"]
    else:
        asked = [ToolCallBlock(tool_call_id=id_, tool_name="f", tool_kwargs={}) for id_ in "ab"]
        said = ChatMessage(role="assistant", blocks=[TextBlock(text="A cat."), ImageBlock(url=URL), *asked])
        results = [ChatMessage(role="tool", content="done", additional_kwargs={"tool_call_id": id_}) for id_ in "ab"]
    sent = turns.continue_with(said, *results)

    assert json.dumps(sent[:-1]).count(DATA) == 0
    assert urls(sent[-1]) == [URL]
    kinds = [item.get("role") or item["type"] for item in sent]
    tail = ["function_call"] * 2 + ["function_call_output"] * 2 if responses else ["tool"] * 2
    assert kinds == ["user", "assistant", *tail, "user"]
