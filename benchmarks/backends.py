"""What real OpenAI-compatible back ends send, through this package, langchain-openai and OpenAILike.

Each row is one deviation of servers. A local server sends it, every client is asked, and the check says whether the
message that came out (or the error) is right. Prints a table and a score; asserts nothing.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import _llamaindex_backends
from _bodies import calls, chunk, piece, response, said, sse, whole
from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ConfigDict

from langchain_rivya import ChatOpenAICompatible

Check = Callable[[Any], bool]
SCHEMA = {"title": "Answer", "description": "d", "type": "object", "properties": {"value": {"type": "integer"}}}


@dataclass(frozen=True)
class Row:
    """One liberty: what the server sends, how it is asked, and what is right."""

    name: str
    body: Any
    check: Check
    stream: bool = True
    status: int = 200
    ask: Any = "?"
    options: Any = None
    method: str = ""
    """How an object is asked for; empty where a message is."""
    schema: Any = None


def text(expected: str) -> Check:
    """The text is the expected one."""
    return lambda got: isinstance(got, AIMessage) and got.text == expected


def two_calls(got: Any) -> bool:
    """Both calls came out, each with its own name and arguments."""
    return isinstance(got, AIMessage) and [(c["name"], c["args"]) for c in got.tool_calls] == [
        ("f", {"x": 1}),
        ("g", {"y": 2}),
    ]


def no_valid_call(got: Any) -> bool:
    """Nothing that an agent would carry out."""
    return isinstance(got, AIMessage) and not got.tool_calls and bool(got.invalid_tool_calls)


def says(words: str) -> Check:
    """A typed error with the provider's words."""
    return lambda got: isinstance(got, ModelError) and words in str(got)


def typed(got: Any) -> bool:
    """An error of LangChain's model tree."""
    return isinstance(got, ModelError)


def overflow(got: Any) -> bool:
    """The framework's context-overflow error."""
    return isinstance(got, ContextOverflowError)


def usage(total: int) -> Check:
    """The tokens are right."""
    return lambda got: isinstance(got, AIMessage) and (got.usage_metadata or {}).get("total_tokens") == total


def reasoning(got: Any) -> bool:
    """The reasoning is a block."""
    return isinstance(got, AIMessage) and any(block["type"] == "reasoning" for block in got.content_blocks)


def error(got: Any) -> bool:
    """An error instead of the wrong object."""
    return isinstance(got, Exception)


def refused(got: Any) -> bool:
    """The refusal is the standard block."""
    return isinstance(got, AIMessage) and any(block["type"] == "refusal" for block in got.content_blocks)


def not_done(got: Any) -> bool:
    """A call that the caller must run, which nothing reports as run."""
    kinds = [block["type"] for block in got.content_blocks] if isinstance(got, AIMessage) else ["server_tool_result"]
    return bool(kinds) and not any(kind.startswith("server_tool") for kind in kinds)


class Tree(BaseModel):
    """A tree."""

    name: str
    kids: list[Tree] = []


class Titled(BaseModel):
    """A class whose title has spaces."""

    model_config = ConfigDict(title="A title (with spaces)")
    value: int


USAGE = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
HI = (chunk({"content": "hi"}), chunk(finish="stop"))
NESTED = {"error": {"message": "use max_completion_tokens", "param": "max_tokens", "code": "unsupported_parameter"}}
GMI = {
    "error": {"message": "Backend request failed", "type": "backend_error", "code": 400, "details": json.dumps(NESTED)}
}
HISTORY = [
    HumanMessage("?"),
    AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {}}]),
    ToolMessage("boom", tool_call_id="1", status="error"),
]

AGENT = "agent"
"""Asks for a tool, sends its result, and returns the second reply."""
WANTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "reasoning wanted": ({"reasoning_content": "hm"}, {}),
    "details wanted": ({"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]}, {}),
    "signature wanted": ({}, {"extra_content": {"google": {"thought_signature": "s"}}}),
}
"""What a server attaches to a message and to its call, and wants back."""

ROWS = [
    Row("1 reasoning_content, streamed", sse(chunk({"reasoning_content": "hm"}), *HI), reasoning),
    Row("1 reasoning_content, whole", whole({"role": "assistant", "content": "hi", "reasoning_content": "hm"}), reasoning, stream=False),
    Row("3 usage in a stream", "usage if asked", usage(10)),
    Row("4 cumulative usage", sse(*(chunk({"content": "x"}, usage=USAGE) for _ in range(3)), chunk(finish="stop", usage=USAGE)), usage(10)),
    Row("6 tool fragments without index", calls(piece('{"x"', "f", id="a"), piece(":1}"), piece('{"y"', "g", id="b"), piece(":2}")), two_calls),
    Row("7 index always 0, whole calls", calls(piece('{"x":1}', "f", index=0, id="a"), piece('{"y":2}', "g", index=0, id="b")), two_calls),
    Row("8 index always 0, fragments", calls(piece('{"x"', "f", index=0, id="a"), piece(":1}", index=0), piece('{"y"', "g", index=0, id="b"), piece(":2}", index=0)), two_calls),
    Row("9 name repeated in every piece", calls(piece('{"x"', "f", index=0, id="a"), piece(":1}", "f", index=0, id="a"), piece('{"y":2}', "g", index=1, id="b")), two_calls),
    Row("10 empty id and name later", calls(piece('{"x"', "f", index=0, id="a"), piece(":1}", "", index=0, id=""), piece('{"y":2}', "g", index=1, id="b")), two_calls),
    Row("11 arguments as an object", whole({"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", **piece({"x": 1}, "f")}, {"id": "b", "type": "function", **piece('{"y":2}', "g")}]}), two_calls, stream=False),
    Row("11 arguments encoded twice", whole({"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", **piece(json.dumps('{"x":1}'), "f")}, {"id": "b", "type": "function", **piece('{"y":2}', "g")}]}), two_calls, stream=False),
    Row("12 function null in a delta", calls({"index": 0, "id": "a", "function": None}, piece('{"x":1}', "f", index=0), piece('{"y":2}', "g", index=1, id="b")), two_calls),
    Row("13 truncated arguments", calls(piece('{"path": "/tmp/a', "rm", index=0, id="a"), finish="length"), no_valid_call),
    Row("14 text and call in one v1 stream", sse(chunk({"content": "hi"}), chunk({"tool_calls": [piece('{"x":1}', "f", index=0, id="a")]}), chunk(finish="tool_calls")), lambda got: isinstance(got, AIMessage) and [b["type"] for b in got.content_blocks] == ["text", "tool_call"], options={"output_version": "v1"}),
    Row("15 finish sent twice", sse(*HI, chunk(finish="stop")), lambda got: isinstance(got, AIMessage) and got.response_metadata.get("finish_reason") == "stop"),
    Row("16 choices null", json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": None}).encode(), typed, stream=False),
    Row("17 choices empty", json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}).encode(), typed, stream=False),
    Row("18 delta null", sse(chunk({"content": "hi"}), {"choices": [{"index": 0, "delta": None}]}, chunk(finish="stop")), text("hi")),
    Row("19 message null", whole(None), lambda got: typed(got) or text("")(got), stream=False),
    Row("19 role null", whole({"role": None, "content": "hi"}), text("hi"), stream=False),
    Row('19 role "model"', whole({"role": "model", "content": "hi"}), text("hi"), stream=False),
    Row("20 error object with 200", json.dumps({"error": {"message": "nope", "code": 400}}).encode(), says("nope"), stream=False),
    Row("21 error inside the stream", sse(chunk({"content": "h"}), {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}), says("slow down")),
    Row("22 FastAPI's detail", json.dumps({"detail": "model x is gone"}).encode(), says("model x is gone"), stream=False, status=400),
    Row("22 HTML 502", b"<html><h1>Bad Gateway at edge</h1></html>", says("Bad Gateway at edge"), stream=False, status=502),
    Row("23 HTML with 200", b"<html><h1>Timeout</h1></html>", typed, stream=False),
    Row("24 malformed frame", sse("data: {oops"), typed),
    Row("25 stream cut off", sse(chunk({"content": "par"}), done=False), typed),
    Row("26 no finish_reason", sse(chunk({"content": "hi"})), lambda got: isinstance(got, AIMessage) and got.response_metadata.get("model_name") == "m"),
    Row("27 citations", whole({"role": "assistant", "content": "hi", "annotations": [{"type": "url_citation", "url_citation": {"url": "http://a", "title": "A", "start_index": 0, "end_index": 1}}]}), lambda got: isinstance(got, AIMessage) and "http://a" in json.dumps(got.content_blocks), stream=False),
    Row("28 stop_reason", json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop", "stop_reason": 42}]}).encode(), lambda got: isinstance(got, AIMessage) and got.response_metadata.get("stop_reason") == 42, stream=False),
    Row("29 fenced JSON", whole({"role": "assistant", "content": '```json\n{"value": 4}\n```'}), lambda got: got == {"value": 4}, stream=False, method="json_schema"),
    Row("29 a schema before the answer", said(f'{json.dumps(SCHEMA)} {{"value": 4}}'), lambda got: got == {"value": 4}, method="json_schema"),
    Row("29 braces in the words after it", said('{"value": 4} Note: use {braces}.'), lambda got: got == {"value": 4}, method="json_schema"),
    Row("29 an example before the answer", said('For example {"value": 1}. So: {"value": 4}'), error, method="json_schema"),
    Row("29 a value of the wrong type", said('{"value": "four"}'), error, method="json_schema"),
    Row("29 another key", said('{"foo": 4}'), error, method="json_mode"),
    Row("29 a call of another tool", whole({"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", **piece('{"value": 1}', "search")}]}), error, method="function_calling"),
    Row("29 a recursive schema leaves whole", "recursion whole", lambda got: getattr(got, "name", "") == "whole", method="function_calling", schema=Tree),
    Row("29 a schema's name is legal", "name legal", lambda got: getattr(got, "value", 0) == 4, method="json_schema", schema=Titled),
    Row("refusal, whole", whole({"role": "assistant", "content": None, "refusal": "No."}), refused, stream=False),
    Row("refusal, streamed", sse(chunk({"refusal": "N"}), chunk({"refusal": "o."}), chunk(finish="stop")), refused),
    Row("refusal, Responses API", response({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "refusal", "refusal": "No."}]}), refused, stream=False, options={"use_responses_api": True}),
    Row("a filter withheld the reply", sse(chunk({"content": ""}), chunk(finish="content_filter")), refused),
    Row("custom_tool_call is a call", response({"type": "custom_tool_call", "id": "i", "call_id": "c", "name": "run", "input": "x"}), lambda got: isinstance(got, AIMessage) and [c["args"] for c in got.tool_calls] in ([{"__arg1": "x"}], [{"input": "x"}]), stream=False, options={"use_responses_api": True}),
    Row("computer_call is not done", response({"type": "computer_call", "id": "i", "call_id": "c", "action": {"type": "wait"}, "pending_safety_checks": [], "status": "completed"}), not_done, stream=False, options={"use_responses_api": True}),
    Row("38 a tool that failed", "tool errors", text("said")  , stream=False, ask=HISTORY),
    Row("GMI: nested error as text", json.dumps(GMI).encode(), says("use max_completion_tokens"), stream=False, status=400),
    Row("plain text 404", b"No matching target server found", says("No matching target server"), stream=False, status=404),
    Row("name split over deltas", calls(piece("", "ge", index=0, id="a"), piece("", "t", index=0), piece('{"x":1}', index=0)), lambda got: isinstance(got, AIMessage) and [c["name"] for c in got.tool_calls] == ["get"]),
    Row("a comment wrapped in data", sse("data: : PROCESSING", *HI), text("hi")),
    Row("usage under x_groq", sse(chunk({"content": "hi"}), chunk(finish="stop", x_groq={"usage": USAGE})), usage(10)),
    Row("usage in the choice", sse(chunk({"content": "hi"}), {**chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}), usage(10)),
    Row("usage with its cost", whole({"role": "assistant", "content": "hi"}, usage={**USAGE, "cost": 0.5}), lambda got: isinstance(got, AIMessage) and '"cost": 0.5' in json.dumps(got.response_metadata), stream=False),
    Row("a list of errors in a stream", sse(chunk({"content": "h"}), [{"error": {"code": 400, "message": "slow down"}}]), says("slow down")),
    Row("base_resp in a stream", sse(chunk({"content": "h"}), {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "slow down"}}), says("slow down")),
    Row("error beside choices", sse({**chunk(finish="error"), "error": {"message": "slow down"}}), says("slow down")),
    Row("finish_reason error alone", sse(chunk({"content": "h"}), chunk(finish="error")), typed),
    Row("context overflow of llama.cpp", json.dumps({"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}).encode(), overflow, stream=False, status=400),
    Row("context overflow of Moonshot", json.dumps({"error": {"message": "Your request exceeded model token limit: 8192", "type": "invalid_request_error"}}).encode(), overflow, stream=False, status=400),
    Row("context overflow of DashScope", json.dumps({"code": "InvalidParameter", "message": "Range of input length should be [1, 30720]"}).encode(), overflow, stream=False, status=400),
    Row("null content refused", "null refused", text("hi"), stream=False, ask=HISTORY),
    Row("reasoning_content wanted back", "reasoning wanted", text("hi"), stream=False, ask=AGENT),
    Row("reasoning_details wanted back", "details wanted", text("hi"), ask=AGENT),
    Row("a call's extra_content wanted back", "signature wanted", text("hi"), ask=AGENT),
    Row("plain answer to a stream request", whole({"role": "assistant", "content": "hi"}), text("hi")),
    Row("stream for a plain request", sse(*HI), text("hi"), stream=False),
]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Takes the liberty of the row at hand."""

    protocol_version = "HTTP/1.1"
    row = ROWS[0]

    def do_POST(self) -> None:
        """Answer."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = answer(self.row, request)
        kind = "application/json" if body.startswith(b"{") else "text/event-stream"
        self.send_response(400 if body is NULL_REFUSED else self.row.status)
        self.send_header("content-type", "text/html" if body.startswith(b"<") else kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def answer(row: Row, request: dict[str, Any]) -> bytes:
    """Return the row's body; some depend on the request."""
    if row.body == "usage if asked":
        asked = (request.get("stream_options") or {}).get("include_usage")
        return sse(*HI, *([{**chunk(), "choices": [], "usage": USAGE}] if asked else []))
    if row.body == "recursion whole":
        parameters = request["tools"][0]["function"]["parameters"]
        is_whole = "kids" in parameters.get("$defs", {}).get("Tree", {}).get("properties", {})
        call = piece(json.dumps({"name": "whole" if is_whole else "cut"}), request["tools"][0]["function"]["name"])
        return whole({"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", **call}]})
    if row.body == "name legal":
        name = request["response_format"]["json_schema"]["name"]
        return said('{"value": 4}' if re.fullmatch("[A-Za-z0-9_-]{1,64}", name) else '{"value": 0}')
    if row.body == "tool errors":
        tool = next(message for message in request["messages"] if message["role"] == "tool")
        return whole({"role": "assistant", "content": "said" if "rror" in str(tool) else "not said"})
    if row.body == "null refused":
        content = next(message.get("content") for message in request["messages"] if message.get("tool_calls"))
        return whole({"role": "assistant", "content": "hi"}) if content is not None else NULL_REFUSED
    return stateful(request, *WANTED[row.body]) if row.body in WANTED else bytes(row.body)


NULL_REFUSED = json.dumps({"error": {"message": "invalid message content type: <nil>"}}).encode()


def stateful(request: dict[str, Any], state: dict[str, Any], of_call: dict[str, Any]) -> bytes:
    """Call a tool; accept its result only together with what came with the call."""
    called = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, **of_call}
    message = {"role": "assistant", "content": None, "tool_calls": [called], **state}
    before = next((m for m in request["messages"] if m.get("tool_calls")), None)
    if before is not None:
        same = state.items() <= before.items() and of_call.items() <= before["tool_calls"][0].items()
        message = {"role": "assistant", "content": "hi" if same else "state is missing"}
    if not request.get("stream"):
        return whole(message)
    found = [{"index": 0, **one} for one in message.get("tool_calls") or ()]
    return sse(chunk({**message, **({"tool_calls": found} if found else {})}), chunk(finish="stop"))


@contextmanager
def server() -> Iterator[str]:
    """A local server on a free port."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def outcome(model: Any, row: Row) -> Any:
    """Return the message, the parsed object, or the exception."""
    try:
        if row.ask == AGENT:
            return second_reply(model, row)
        if row.method:
            return model.with_structured_output(row.schema or SCHEMA, method=row.method).invoke(row.ask)
        if row.options and row.options.get("use_responses_api") and not row.stream:
            return model.bind_tools([{"type": "custom", "name": "run"}]).invoke(row.ask)
        if not row.stream:
            return model.invoke(row.ask)
        total: AIMessageChunk | None = None
        for part in model.stream(row.ask):
            total = part if total is None else total + part
    except Exception as error:  # noqa: BLE001 - whatever a client raises is its answer
        return error
    return total


def second_reply(model: Any, row: Row) -> Any:
    """Return the reply to the result of the tool that the first reply calls."""
    messages: list[Any] = [HumanMessage("?")]
    for _ in range(2):
        first, *rest = model.stream(messages) if row.stream else [model.invoke(messages)]
        for part in rest:
            first += part
        messages += [first, ToolMessage("4", tool_call_id="1")]
    return messages[-2]


def verdict(row: Row, got: Any) -> str:
    """Return `ok`, or what came instead."""
    if row.check(got):
        return "ok"
    return f"{type(got).__name__}: {str(got)[:60]}" if isinstance(got, Exception) else "wrong message"


def langchain(kind: Any) -> Callable[[Row, dict[str, Any]], Any]:
    """Return what asks a chat model of LangChain."""
    return lambda row, options: outcome(kind(**options), row)


def llamaindex(make: Any) -> Callable[[Row, dict[str, Any]], Any]:
    """Return what asks a model of LlamaIndex, which has one form of messages."""

    def ask(row: Row, options: dict[str, Any]) -> Any:
        given = {key: value for key, value in options.items() if key != "output_version"}
        return _llamaindex_backends.outcome(make(row, given), row)

    return ask


LLAMAINDEX = ("ours, LlamaIndex", "OpenAILike")


def clients() -> dict[str, Callable[[Row, dict[str, Any]], Any]]:
    """The clients that are compared, by the names of the columns."""
    incumbent = _llamaindex_backends.incumbent()
    if incumbent is None:
        print("OpenAILike is not compared: `llama-index-llms-openai-like` is not installed.\n")
    return {
        "ours": langchain(ChatOpenAICompatible),
        "langchain-openai": langchain(ChatOpenAI),
        "ours, LlamaIndex": llamaindex(_llamaindex_backends.ours),
        **({"OpenAILike": llamaindex(incumbent)} if incumbent else {}),
    }


def main() -> None:
    """Ask every client every row and print the table."""
    asked = clients()
    results: dict[str, list[str]] = {name: [] for name in asked}
    print(f"{'row':36} " + " ".join(f"{name:38}" for name in asked))
    with server() as url:
        for row in ROWS:
            Handler.row = row
            options = {"model": "m", "base_url": url, "api_key": "k" * 8, "max_retries": 0, **(row.options or {})}
            for name, ask in asked.items():
                skipped = name in LLAMAINDEX and row.name in _llamaindex_backends.NOT_ASKED
                results[name].append("-" if skipped else verdict(row, ask(row, options)))
            print(f"{row.name:36} " + " ".join(f"{' '.join(found[-1].split()):38.38}" for found in results.values()))
    print()
    for name, found in results.items():
        print(f"{name}: {found.count('ok')} of {len(found) - found.count('-')} right")


if __name__ == "__main__":
    main()
