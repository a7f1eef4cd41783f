"""Tools that the caller runs are calls, on both APIs; only what the provider ran is reported as run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx
from asking import WAYS
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, messages_from_dict, messages_to_dict
from langchain_core.tools import Tool
from responses_backend import Backend, said_message
from wire import PATH, URL, chunk, events, reply

from langchain_rivya import ChatOpenAICompatible
from langchain_rivya.chat_models.messages import to_core
from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.sessions.transcript import render

Ask = Callable[..., Any]
CODE = 'print("hi")\n{not json}'
CUSTOM = {"type": "custom_tool_call", "id": "ctc", "call_id": "c1", "name": "run", "input": CODE, "status": "completed"}
TOOL = {"type": "custom", "name": "run", "description": "Run Python."}
CLIENT_RUN = [
    {"type": "computer_call", "id": "i", "call_id": "c2", "action": {"type": "click"}, "status": "completed"},
    {"type": "local_shell_call", "id": "i", "call_id": "c2", "action": {"command": ["ls"]}, "status": "completed"},
    {"type": "shell_call", "id": "i", "call_id": "c2", "action": {"commands": ["ls"]}, "status": "in_progress"},
    {
        "type": "apply_patch_call",
        "id": "i",
        "call_id": "c2",
        "operation": {"type": "delete_file"},
        "status": "completed",
    },
    {"type": "tool_search_call", "id": "i", "call_id": "c2", "execution": "client", "status": "completed"},
    {"type": "brand_new_call", "id": "i", "call_id": "c2", "status": "completed"},
]
PROVIDER_RUN: list[tuple[dict[str, Any], Any, str]] = [
    ({"type": "web_search_call", "id": "i", "action": {"type": "search", "query": "q"}, "status": "completed"}, None, "success"),
    ({"type": "code_interpreter_call", "id": "i", "code": "1", "outputs": [{"logs": "1"}], "status": "completed"}, [{"logs": "1"}], "success"),
    ({"type": "file_search_call", "id": "i", "queries": ["q"], "results": [], "status": "failed"}, [], "error"),
    ({"type": "mcp_call", "id": "i", "name": "n", "arguments": "{}", "output": None, "error": "broken"}, "broken", "error"),
    ({"type": "tool_search_call", "id": "i", "execution": "server", "status": "completed"}, None, "success"),
]  # fmt: skip


@pytest.fixture
def server() -> Iterator[Backend]:
    found = Backend()
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{URL}/responses").mock(side_effect=found)
        yield found


@pytest.fixture(params=WAYS, ids=lambda ask: ask.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    """The four ways of asking."""
    return request.param


def model(**fields: Any) -> ChatOpenAICompatible:
    return ChatOpenAICompatible(**{"model": "m", "base_url": URL, "api_key": "k", "use_responses_api": True, **fields})


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("item", CLIENT_RUN, ids=lambda item: item["type"])
def test_a_call_that_the_caller_runs_is_not_reported_as_done(
    server: Backend, ask: Ask, version: str, item: dict[str, Any]
) -> None:
    server.output = [item]
    message = ask(model(output_version=version), "?")

    [block] = [one for one in message.content_blocks if one["type"] != "text"]
    assert (block["type"], block["value"]["type"]) == ("non_standard", item["type"])
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("kind", [["computer_call"], {"type": []}, 5, None])
def test_an_item_without_a_proper_type_can_be_read_and_goes_back(
    server: Backend, ask: Ask, version: str, kind: Any
) -> None:
    """LangChain looks the types of blocks up in sets."""
    server.output = [{"type": kind, "id": "i"}, said_message("ok")]
    model_ = model(output_version=version)
    message = ask(model_, "?")

    assert [block["type"] for block in message.content_blocks] in (["non_standard", "text"], ["text"])
    assert ask(model_, [("user", "?"), message, ("user", "Again?")]).text == "ok"


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize(
    ("item", "output", "status"), PROVIDER_RUN, ids=lambda x: x.get("type") if isinstance(x, dict) else ""
)
def test_what_the_provider_ran_is_a_call_and_its_result(
    server: Backend, ask: Ask, version: str, item: dict[str, Any], output: Any, status: str
) -> None:
    server.output = [item, said_message("ok")]
    blocks = ask(model(output_version=version), "?").content_blocks

    call, result = (one for one in blocks if one["type"].startswith("server_tool"))
    assert (call["id"], result["tool_call_id"], result["status"]) == ("i", "i", status)
    assert result.get("output") == output


def test_what_has_not_ended_has_no_result(server: Backend, ask: Ask) -> None:
    server.output = [{"type": "web_search_call", "id": "i", "status": "searching"}]
    kinds = [block["type"] for block in ask(model(), "?").content_blocks]

    assert "server_tool_call" in kinds
    assert "server_tool_result" not in kinds


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_an_image_is_an_image_block(server: Backend, ask: Ask, version: str) -> None:
    """And the message goes back as the item that it came as."""
    item = {
        "type": "image_generation_call",
        "id": "ig",
        "status": "completed",
        "result": "aGk=",
        "output_format": "webp",
    }
    server.output = [item]
    message = ask(model(output_version=version), "?")

    [block] = [one for one in message.content_blocks if one["type"] != "text"]
    assert (block["type"], block["base64"], block["mime_type"]) == ("image", "aGk=", "image/webp")
    model().invoke([HumanMessage("?"), message, HumanMessage("Bluer.")])
    assert item.items() <= server.bodies[-1]["input"][1].items()


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_custom_tool_is_called_with_its_text(server: Backend, ask: Ask, version: str) -> None:
    """In LangChain's form; its result goes back in the API's, also to another account and after a checkpoint."""
    server.output = [CUSTOM]
    message = ask(model(output_version=version).bind_tools([TOOL], tool_choice="run"), "?")

    assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [("run", {"__arg1": CODE}, "c1")]
    assert server.bodies[-1]["tools"] == [TOOL]
    assert server.bodies[-1]["tool_choice"] == {"type": "custom", "name": "run"}
    stored = messages_from_dict(messages_to_dict([message]))[0]
    for key in ("k", "another"):
        history = [HumanMessage("?"), stored, ToolMessage("hi", tool_call_id="c1")]
        model(api_key=key).bind_tools([TOOL]).invoke(history)
        _, call, result = server.bodies[-1]["input"]
        assert (call["type"], call["call_id"], call["input"]) == ("custom_tool_call", "c1", CODE)
        assert result == {"type": "custom_tool_call_output", "call_id": "c1", "output": "hi"}


SHOT = {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGk="}
OUTPUT = {"type": "computer_call_output", "call_id": "c2", "output": SHOT}
REQUEST = {"type": "mcp_approval_request", "id": "mcpr", "server_label": "s", "name": "n", "arguments": "{}"}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr", "approve": True}


@pytest.mark.parametrize(
    ("asked", "answer", "sent"),
    [
        (CLIENT_RUN[0], ToolMessage([{**OUTPUT, "call_id": ""}], tool_call_id="c2"), OUTPUT),
        (CLIENT_RUN[0], ToolMessage(json.dumps(OUTPUT), tool_call_id="c2"), OUTPUT),
        (CLIENT_RUN[0], ToolMessage([{**SHOT, "type": "input_image"}], tool_call_id="c2"), OUTPUT),
        (CLIENT_RUN[0], HumanMessage([OUTPUT]), OUTPUT),
        (REQUEST, ToolMessage([APPROVAL], tool_call_id="mcpr"), APPROVAL),
        (REQUEST, HumanMessage([APPROVAL]), APPROVAL),
    ],
)
@pytest.mark.parametrize("chained", [False, True])
def test_answers_to_other_calls_go_back_in_their_form(
    server: Backend, asked: Any, answer: Any, sent: Any, chained: bool
) -> None:
    server.output = [asked]
    llm = model(use_previous_response_id=chained)
    message = llm.invoke("?")

    llm.invoke([HumanMessage("?"), message, answer])
    assert server.bodies[-1]["input"][-1] == sent


def test_an_answer_in_words_is_refused(server: Backend) -> None:
    server.output = [CLIENT_RUN[0]]
    message = model().invoke("?")

    with pytest.raises(InvalidInputError, match="answer to a `computer_call` must be the API's item"):
        model().invoke([HumanMessage("?"), message, ToolMessage("done", tool_call_id="c2")])
    assert len(server.bodies) == 1


def test_an_agent_runs_a_custom_tool() -> None:
    server = Backend()
    ran: list[str] = []
    tool = Tool("run", lambda text: ran.append(text) or "done", "Run Python.", metadata={"type": "custom_tool"})

    def say(request: Any) -> Any:
        server.output = [CUSTOM] if len(server.bodies) == 0 else [said_message("It ran.")]
        return server(request)

    with respx.mock() as router:
        router.post(f"{URL}/responses").mock(side_effect=say)
        state = create_agent(model(), tools=[tool]).invoke({"messages": [("user", "?")]})
    assert ran == [CODE]
    assert state["messages"][-1].text == "It ran."
    assert server.bodies[1]["input"][-1]["type"] == "custom_tool_call_output"


def test_custom_tools_of_chat_completions(ask: Ask) -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "run", "input": CODE}}
    pieces = [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "run", "input": ""}}]
    pieces += [{"index": 0, "custom": {"input": CODE[at : at + 4]}} for at in range(0, len(CODE), 4)]
    bodies: list[Any] = []

    def say(request: Any) -> Any:
        bodies.append(json.loads(request.content))
        if bodies[-1].get("stream"):
            return events(*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk(finish="tool_calls"))
        return reply({"role": "assistant", "content": None, "tool_calls": [call]}, finish="tool_calls")

    with respx.mock() as router:
        router.post(PATH).mock(side_effect=say)
        bound = model(use_responses_api=False).bind_tools([TOOL], tool_choice="run")
        message = ask(bound, "?")
        assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [("run", {"__arg1": CODE}, "c1")]
        nested = {"type": "custom", "custom": {"name": "run", "description": "Run Python."}}
        assert bodies[-1]["tools"] == [nested]
        assert bodies[-1]["tool_choice"] == {"type": "custom", "custom": {"name": "run"}}
        bound.invoke([HumanMessage("?"), message, ToolMessage("hi", tool_call_id="c1")])

    assert bodies[-1]["messages"][1]["tool_calls"] == [call]
    assert bodies[-1]["messages"][2] == {"role": "tool", "tool_call_id": "c1", "content": "hi"}


FOREIGN: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}},
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {}},
    {"type": "mcp_list_tools", "id": "m", "tools": []},
    {"type": "executable_code", "executable_code": "1"},
    {"type": "code_execution_result", "code_execution_result": "1"},
    {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
    {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
]


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_another_provider_ran_is_not_sent(responses: bool, wrapped: bool) -> None:
    blocks = [{"type": "non_standard", "value": block} if wrapped else block for block in FOREIGN]
    history = [HumanMessage("?"), AIMessage([*blocks, {"type": "text", "text": "Found."}]), HumanMessage("More.")]
    with respx.mock(assert_all_called=False) as router:
        router.post(PATH).mock(return_value=reply())
        router.post(f"{URL}/responses").mock(side_effect=Backend())
        model(use_responses_api=responses).invoke(history)
        body = json.loads(router.calls.last.request.content)

    assert (body.get("input") or body["messages"])[1] == {"role": "assistant", "content": "Found."}


def to_second_account(message: AIMessage, responses: bool, results: list[Any]) -> Any:
    history = [HumanMessage("?"), *messages_from_dict(messages_to_dict([message])), *results, HumanMessage("So?")]
    return model(api_key="another", use_responses_api=responses).invoke(history)


@pytest.mark.parametrize("responses", [True, False], ids=["responses", "chat"])
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("item", CLIENT_RUN, ids=lambda item: item["type"])
def test_a_call_of_another_account_is_refused_and_never_left_out(
    server: Backend, ask: Ask, responses: bool, version: str, item: dict[str, Any]
) -> None:
    """Where it came from, it goes back as its item, also if state may not."""
    server.output = [item, said_message("Done soon.")]
    message = ask(model(output_version=version), "?")

    with pytest.raises(NotSupportedError, match=f"`{item['type']}`.*Nothing was sent"):
        to_second_account(message, responses, [])
    assert len(server.bodies) == 1
    model(send_back=("reasoning",)).invoke([HumanMessage("?"), message, HumanMessage("So?")])
    assert item.items() <= server.bodies[-1]["input"][1].items()


def test_the_result_of_such_a_call_is_refused_too() -> None:
    result = ToolMessage([{"type": "computer_call_output", "output": {}}], tool_call_id="c2")
    with pytest.raises(NotSupportedError, match="`computer_call_output`"):
        model(use_responses_api=False).invoke([HumanMessage("?"), result])


def test_a_transcript_for_rivya_has_such_a_call() -> None:
    call = {"type": "non_standard", "value": CLIENT_RUN[1]}
    text = render(to_core([HumanMessage("?"), AIMessage([call]), HumanMessage("So?")]))
    assert '"name": "local_shell_call"' in text
    assert '"ls"' in text


def test_an_image_item_of_another_package_is_an_image() -> None:
    item = {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "aGk="}
    [message] = to_core([AIMessage([item])])
    assert [media.data for media in message.media] == [b"hi"]
