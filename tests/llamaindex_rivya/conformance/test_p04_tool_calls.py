"""Point 4: what is asked of the model about tools, and what its calls become."""

from __future__ import annotations

import pytest
from llama_backend import Call, Reply
from llama_calls import user
from llama_candidates import with_tools
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.tools import FunctionTool

pytestmark = with_tools


def search(q: str) -> str:
    """Search."""
    return q


def multiply(a: int, b: int) -> int:
    """Multiply."""
    return a * b


TOOLS = [FunctionTool.from_defaults(search), FunctionTool.from_defaults(multiply)]
TWO = Reply("", calls=(Call("search", {"q": "Basel"}, "a"), Call("multiply", {"a": 6, "b": 7}, "b")))
HOW = [("run", "chat_with_tools"), ("each", "stream_chat_with_tools")]


def ask(calls, llm, how, name, **kwargs):
    result = getattr(calls, how)(llm, name, TOOLS, **{"user_msg": "Hi", **kwargs})
    return result if how == "run" else result[-1]


@pytest.mark.parametrize(("how", "name"), HOW)
def test_tools_are_offered(llm, backend, calls, how, name):
    """The name, description and schema of each tool are sent; the model chooses unless the caller says otherwise."""
    ask(calls, llm, how, name)

    (request,) = backend.requests
    functions = [tool["function"] for tool in request.body["tools"]]
    assert [function["name"] for function in functions] == ["search", "multiply"]
    assert functions[1]["parameters"]["properties"].keys() == {"a", "b"}
    assert request.body.get("tool_choice", "auto") == "auto"


@pytest.mark.parametrize(("how", "name"), HOW)
def test_only_what_is_asked_for_is_sent(llm, backend, calls, how, name):
    """No `strict`, no `parallel_tool_calls`, no sampling parameter that the caller did not set: some back ends refuse them."""
    ask(calls, llm, how, name)

    (request,) = backend.requests
    assert request.body.keys() <= {"model", "messages", "tools", "tool_choice", "stream", "stream_options"}
    assert "strict" not in str(request.body)


@pytest.mark.parametrize(("how", "name"), HOW)
def test_a_tool_can_be_required(llm, backend, calls, how, name):
    """`tool_required` and `tool_choice` reach the wire."""
    ask(calls, llm, how, name, tool_required=True)
    ask(calls, llm, how, name, tool_choice="multiply")

    assert backend.requests[0].body["tool_choice"] == "required"
    assert backend.requests[1].body["tool_choice"] == {"type": "function", "function": {"name": "multiply"}}


def test_no_tools_no_choice(llm, backend, calls):
    """Without tools nothing is said of them: a choice without tools is an error to strict servers."""
    calls.run(llm, "chat_with_tools", [], user_msg="Hi", tool_required=True)

    assert backend.requests[0].body.keys() & {"tools", "tool_choice", "parallel_tool_calls"} == set()


def test_the_callers_history_stays_as_it_was(llm, backend, calls):
    """The question is added to a copy of the list."""
    history = [user("Before")]

    calls.run(llm, "chat_with_tools", TOOLS, user_msg="Now", chat_history=history)

    assert history == [user("Before")]
    assert [message["content"] for message in backend.requests[0].body["messages"]] == ["Before", "Now"]


@pytest.mark.parametrize(("how", "name"), HOW)
def test_parallel_calls(llm, backend, calls, how, name):
    """Allowed, all calls count; not allowed, the first one does, in blocks and JSON, whole and streamed."""
    backend.say(TWO, TWO)

    allowed = ask(calls, llm, how, name, allow_parallel_tool_calls=True)
    single = ask(calls, llm, how, name, allow_parallel_tool_calls=False)

    assert [call.tool_name for call in llm.get_tool_calls_from_response(allowed)] == ["search", "multiply"]
    assert [call.tool_name for call in llm.get_tool_calls_from_response(single)] == ["search"]
    assert len(single.message.additional_kwargs["tool_calls"]) == 1
    assert sum(isinstance(block, ToolCallBlock) for block in single.message.blocks) == 1


def test_no_call_is_an_error_or_not(llm, backend, calls):
    """`error_on_no_tool_call` both ways; the error says what the model said."""
    backend.say(Reply("I would rather not."))
    response = calls.run(llm, "chat_with_tools", TOOLS, user_msg="Hi")

    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="rather not"):
        llm.get_tool_calls_from_response(response)


@pytest.mark.parametrize(("how", "name"), HOW)
@pytest.mark.parametrize("arguments", ['{"q": "Bas', "Basel", '["Basel"]', '{"q": "Basel"} and more'])
def test_broken_arguments_are_never_run(llm, backend, calls, how, name, arguments):
    """Arguments that are not a JSON object are neither repaired nor treated as empty: no real tool is selected."""
    backend.say(Reply("", calls=(Call("search", arguments),), finish="length"))

    response = ask(calls, llm, how, name)
    found = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)

    assert "search" not in [call.tool_name for call in found]
    assert any("search" in call.tool_name for call in found)
    with pytest.raises(ValueError, match="search"):
        llm.get_tool_calls_from_response(response)


@pytest.mark.parametrize("kwargs", [{"q": "Basel"}, '{"q": "Basel"}'], ids=["dict", "str"])
def test_blocks_of_other_integrations_are_read(llm, kwargs):
    """Arguments are read as a dict or as text, whichever integration made the message."""
    block = ToolCallBlock(tool_call_id="a", tool_name="search", tool_kwargs=kwargs)
    response = ChatResponse(message=ChatMessage(role="assistant", blocks=[block]))

    (call,) = llm.get_tool_calls_from_response(response)

    assert (call.tool_id, call.tool_name, call.tool_kwargs) == ("a", "search", {"q": "Basel"})


def test_unfinished_calls_do_not_raise(llm, backend):
    """Every prefix of a call's arguments gives what can be read of it."""
    text = '{"q": "B\\u00e4sel \\"x\\"", "n": [1, -2.5e3, {"a": null}]}'
    for cut in range(len(text)):
        block = ToolCallBlock(tool_call_id="a", tool_name="search", tool_kwargs=text[:cut])
        response = ChatResponse(message=ChatMessage(role="assistant", blocks=[block]))
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)[0].tool_name == "search"


def test_long_arguments_stay_cheap(llm, backend):
    """Ten times the pieces of arguments, asked for their calls at every piece as agents do, take ten times the work."""

    def talk(count: int) -> None:
        backend.say(Reply("", calls=(Call("search", {"q": "word " * count}, pieces=count),)))
        for response in llm.stream_chat_with_tools(TOOLS, user_msg="Hi"):
            found = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert found[0].tool_kwargs == {"q": "word " * count}

    talk(10)

    talk(2_000)


def test_calls_and_results_go_back_as_they_were(llm, backend, calls):
    """The next request has the call with its id and arguments, and the result with that id."""
    backend.say(Reply("", calls=(Call("multiply", '{"a":6,  "b":7}', "call_x"),)), Reply("42"))
    reply = calls.run(llm, "chat_with_tools", TOOLS, user_msg="6 times 7?").message
    result = ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": "call_x"})

    calls.run(llm, "chat_with_tools", TOOLS, chat_history=[user("6 times 7?"), reply, result])

    _, said, answered = backend.requests[1].body["messages"]
    assert said["tool_calls"] == [
        {"id": "call_x", "type": "function", "function": {"name": "multiply", "arguments": '{"a":6,  "b":7}'}}
    ]
    assert (answered["role"], answered["tool_call_id"], answered["content"]) == ("tool", "call_x", "42")


def test_predict_and_call(llm, backend, calls):
    """The model chooses, the tool runs, its output is the response."""
    backend.say(Reply("", calls=(Call("multiply", {"a": 6, "b": 7}),)))

    assert str(calls.run(llm, "predict_and_call", TOOLS, "6 times 7?")) == "42"


@pytest.mark.parametrize("call", [Call("nothing", {}), Call("search", '{"q": "Bas')], ids=["unknown", "broken"])
@pytest.mark.parametrize("strict", [True, False])
def test_predict_and_call_with_a_call_that_cannot_be_made(llm, backend, calls, call, strict):
    """A tool that is not there, or broken arguments: an error that names it, never a bare `KeyError`."""
    backend.say(Reply("", calls=(call,)))

    with pytest.raises(ValueError, match=call.name):
        calls.run(llm, "predict_and_call", TOOLS, "Hi", error_on_no_tool_call=strict)
