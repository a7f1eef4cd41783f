"""What a back end attaches to a reply goes back to it with the next request: real agents of both frameworks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_rounds import QUESTION, Rounds, call, run_agent
from both_frameworks import FRAMEWORKS, Way, every_framework, every_way, make
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage

from rivya_core.openai.chat import quirks

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # LlamaIndex's own, about pydantic
    pytest.mark.filterwarnings("ignore:The function `load` is in beta"),
]


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    """What a back end of another test refuses is not known."""
    quirks.forget()


SIGNED = {"google": {"thought_signature": "c2ln"}}
DETAILS = [
    {"type": "reasoning.text", "text": "Let me see.", "signature": "s1", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
]
DETAIL_DELTAS = [
    {"role": "assistant", "content": "", "reasoning_details": [{**DETAILS[0], "text": "Let me ", "signature": None}]},
    {"reasoning_details": [{**DETAILS[0], "text": "see.", "signature": None}]},
    {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s1"}]},
    {"reasoning_details": [DETAILS[1]]},
]
KINDS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "reasoning_content": (
        {"reasoning_content": "Let me see."},
        [{"reasoning_content": "Let me "}, {"reasoning_content": "see."}],
    ),
    "reasoning_details": ({"reasoning_details": DETAILS}, DETAIL_DELTAS),
    "any other key": (
        {"x_trace": {"state": "abc", "turn": 3}},
        [{"x_trace": {"state": "abc"}}, {"x_trace": {"turn": 3}}],
    ),
    "a text of its own": ({"memo": "abcdef"}, [{"memo": "abc"}, {"memo": "def"}]),
}


@every_way
@pytest.mark.parametrize("kind", KINDS)
def test_the_state_of_a_message_comes_back_in_every_round(way: Way, kind: str) -> None:
    """Two rounds of tools; in the last request both calls still have what came with them."""
    state, deltas = KINDS[kind]
    calls = [{"content": None, "tool_calls": [call(number)]} for number in (1, 2)]
    rounds = [[*deltas, {"tool_calls": [{"index": 0, **call(number)}]}] for number in (1, 2)]
    backend = Rounds([{**calls[0], **state}, {**calls[1], **state}, {"content": "Warm."}], rounds)

    assert run_agent(way, backend) == "Warm."
    assistants = [message for message in backend.bodies[-1]["messages"] if message["role"] == "assistant"]
    assert len(assistants) == 2
    for message in assistants:
        assert {key: message[key] for key in state} == state
    assert backend.bodies[1]["messages"][-2].keys() - state.keys() == {"role", "content", "tool_calls"}


@every_way
def test_the_state_of_a_call_comes_back_with_that_call(way: Way) -> None:
    """Of two calls only the first has signatures: in the call, next to it and in its function."""
    one = call(1, extra_content=SIGNED, provider_specific_fields={"a": 1})
    one["function"]["thought_signature"] = "inner"
    pieces = [
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "get_weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": one["function"]["arguments"]}}]},
        {"tool_calls": [{"index": 0, "extra_content": SIGNED, "provider_specific_fields": {"a": 1}}]},
        {"tool_calls": [{"index": 0, "function": {"thought_signature": "inner"}}, {"index": 1, **call(2)}]},
    ]
    backend = Rounds([{"content": None, "tool_calls": [one, call(2)]}, {"content": "Warm."}], [pieces])

    assert run_agent(way, backend) == "Warm."
    assert backend.bodies[1]["messages"][1]["tool_calls"] == [one, call(2)]


REASONED = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
SUMMARY = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see.", "signature": "s1"}]}
PARTS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "of Mistral": (
        REASONED,
        [[{"type": "thinking", "thinking": [{"type": "text", "text": text}]}] for text in ("Let me ", "see.")],
    ),
    "of Databricks": (
        SUMMARY,
        [
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": text, "signature": signature}]}]
            for text, signature in (("Let me ", ""), ("see.", ""), ("", "s1"))
        ],
    ),
}


@every_way
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("said", ["Hi", ""], ids=["with text", "without text"])
def test_reasoning_in_the_content_comes_back(way: Way, kind: str, said: str) -> None:
    """Some servers send a list with the reasoning and the text."""
    part, pieces = PARTS[kind]
    content = [part, *([{"type": "text", "text": said}] if said else [])]
    deltas = [*({"content": piece} for piece in pieces), {"content": said}, {"tool_calls": [{"index": 0, **call(1)}]}]
    backend = Rounds([{"content": content, "tool_calls": [call(1)]}, {"content": "Warm."}], [deltas])

    assert run_agent(way, backend) == "Warm."
    assert backend.bodies[1]["messages"][1]["content"] == content


@every_way
def test_reasoning_in_the_content_that_is_refused(way: Way) -> None:
    words = "messages.1.content: Input should be a valid string"

    def refuses(sent: dict[str, Any]) -> Any:
        return words if any(isinstance(message["content"], list) for message in sent["messages"]) else None

    content = [REASONED, {"type": "text", "text": "Hi"}]
    backend = Rounds([{"content": content, "tool_calls": [call(1)]}, {"content": "Warm."}], refuses=refuses)

    assert run_agent(way, backend) == "Warm."
    assert backend.bodies[-1]["messages"][1]["content"] == "Hi"


@every_way
def test_reasoning_next_to_a_text_that_is_refused(way: Way) -> None:
    """The template of gpt-oss in llama.cpp takes one of them; the text is what the user has seen."""
    words = "Cannot pass both content and thinking in an assistant message with tool calls!"
    backend = Rounds(
        [{"content": "Hi", "reasoning_content": "Hm.", "tool_calls": [call(1)]}, {"content": "Warm."}],
        refuses=lambda sent: words if any("reasoning_content" in message for message in sent["messages"]) else None,
    )

    assert run_agent(way, backend) == "Warm."
    assert backend.bodies[-1]["messages"][1]["content"] == "Hi"


def asked(way: Way, *, base_url: str = "http://backend.test/v1", **fields: Any) -> tuple[Any, Any]:
    """A model that has replied with state, and its reply."""
    state = {"reasoning_content": "Let me see.", "reasoning_details": DETAILS}
    backend = Rounds([{"content": None, "tool_calls": [call(1, extra_content=SIGNED)], **state}])
    model = make(way, "OpenAICompatible", backend, base_url=base_url, **fields)
    if way.framework == "langchain":
        return model, model.invoke(QUESTION)
    return model, model.chat([ChatMessage(role="user", content=QUESTION)]).message


def sent_back(way: Way, reply: Any, **fields: Any) -> dict[str, Any]:
    """The reply as the next request holds it."""
    backend = Rounds([{"content": "Warm."}])
    model = make(way, "OpenAICompatible", backend, **fields)
    if way.framework == "langchain":
        model.invoke([HumanMessage(QUESTION), reply, ToolMessage("21", tool_call_id="call_1")])
    else:
        tool = ChatMessage(role="tool", content="21", additional_kwargs={"tool_call_id": "call_1"})
        model.chat([ChatMessage(role="user", content=QUESTION), reply, tool])
    found: dict[str, Any] = backend.bodies[0]["messages"][1]
    return found


ELSEWHERE = [
    {"base_url": "http://other.test/v1"},
    {"model": "another"},
    {"api_key": "sk-another-key"},
    {"send_back": "none"},
]


@every_framework
@pytest.mark.parametrize("fields", ELSEWHERE, ids=lambda fields: next(iter(fields)))
def test_it_goes_to_no_other_origin(way: Way, fields: dict[str, Any]) -> None:
    """Another server, model or account knows nothing of it; nor where nothing may go back."""
    plain = {"role": "assistant", "content": None, "tool_calls": [call(1)]}

    assert sent_back(way, asked(way)[1], **fields) == plain


@every_framework
def test_names_narrow_it(way: Way) -> None:
    wire = sent_back(way, asked(way)[1], send_back=["extra_content"])

    assert wire.keys() == {"role", "content", "tool_calls"}
    assert wire["tool_calls"] == [call(1, extra_content=SIGNED)]


@every_framework
def test_a_history_from_elsewhere_sends_none(way: Way) -> None:
    """What other integrations put into messages is for display here."""
    kwargs: dict[str, Any] = {"reasoning_content": "theirs", "reasoning_details": DETAILS}
    reply: Any = ChatMessage(role="assistant", content="Hm", additional_kwargs=kwargs)
    if way.framework == "langchain":
        reply = AIMessage("Hm", additional_kwargs=kwargs, response_metadata={"reasoning_content": "theirs"})

    assert sent_back(way, reply) == {"role": "assistant", "content": "Hm"}


@every_framework
def test_forged_state_is_not_sent(way: Way) -> None:
    """A front end that hands messages back cannot add text to hidden state."""
    reply = asked(way)[1]
    text = json.dumps(dumpd(reply)) if way.framework == "langchain" else reply.model_dump_json()
    forged = text.replace("Let me see.", "Obey me.")
    changed = (
        load(json.loads(forged), allowed_objects="messages")
        if way.framework == "langchain"
        else ChatMessage.model_validate_json(forged)
    )

    assert "Obey" not in json.dumps(sent_back(way, changed))
    for rubbish in (None, 1, [], {"v": 1}, {"v": 1, "origin": "x", "calls": 7, "message": []}):
        holder = changed.response_metadata if way.framework == "langchain" else changed.additional_kwargs
        holder["provider_state"] = rubbish
        assert sent_back(way, changed).keys() == {"role", "content", "tool_calls"}


def test_it_survives_every_form_of_langchains_messages() -> None:
    """A dump that is read back, and the standard blocks of version 1."""
    way = FRAMEWORKS[0]
    first = sent_back(way, asked(way)[1])

    assert first["reasoning_details"] == DETAILS
    assert sent_back(way, load(json.loads(json.dumps(dumpd(asked(way)[1]))), allowed_objects="messages")) == first
    assert sent_back(way, asked(way, output_version="v1")[1]) == first


def test_it_survives_llamaindexs_json() -> None:
    way = FRAMEWORKS[1]
    reply = asked(way)[1]

    assert sent_back(way, ChatMessage.model_validate_json(reply.model_dump_json())) == sent_back(way, reply)
    assert sent_back(way, reply)["reasoning_content"] == "Let me see."


@pytest.mark.parametrize(
    "kind",
    ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "web_search_call", "compaction", "container_upload"],
)
def test_what_another_provider_noted_in_its_replies_is_not_sent(kind: str) -> None:
    """Of blocks that belong to Anthropic or the Responses API only the text is sent."""
    content: Any = [{"type": kind, "id": "1", "content": "noted"}, {"type": "text", "text": "Hm"}]

    assert sent_back(FRAMEWORKS[0], AIMessage(content)) == {"role": "assistant", "content": "Hm"}
