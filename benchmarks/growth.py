"""Whether length costs more than its share: of a history, of a session, of a stream, of a tool call's arguments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import _raw
import httpx
from _measure import KEY, Sample, Server, Table, alternating, measure, medians, serving
from _sides import langchain_models, llamaindex_models
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock

from langchain_rivya import ChatOpenAICompatible, ChatRivya
from llamaindex_rivya import OpenAICompatible, Rivya
from rivya_core.sessions.ledger import MemoryLedger

ROUNDS = 5
SIZES = (1000, 20000)
AGENT_SIZES = (1000, 4000)
HISTORIES = (400, 4000)
TURNS = 1000
CALLS = (1000, 4000)
TEXT = "Some words of a usual length, here and there. " * 4


def look_up(k: int = 0, z: int = 0) -> str:
    """Look something up."""
    return str(k + z)


def langchain(model: Any) -> int:
    """Read a stream to its end, as a user does who shows each piece and keeps none."""
    return sum(1 for _ in model.stream("Say hello."))


def llamaindex(model: Any) -> int:
    """The same in LlamaIndex, where each response holds all the text so far."""
    return sum(1 for _ in model.stream_complete("Say hello."))


def llamaindex_chat(model: Any) -> int:
    """The same as a chat, whose responses hold the tool calls, too."""
    return sum(1 for _ in model.stream_chat([ChatMessage("Say hello.")]))


def llamaindex_tools(model: Any) -> int:
    """Chunks of one tool call, with the question that LlamaIndex's agent asks of each: which calls are there?"""
    from llama_index.core.tools import FunctionTool

    tool, seen = FunctionTool.from_defaults(look_up), 0
    for response in model.stream_chat_with_tools([tool], user_msg="Say hello."):
        seen += len(model.get_tool_calls_from_response(response, error_on_no_tool_call=False))
    return seen


def langchain_tools(model: Any) -> int:
    """Chunks of one tool call."""
    return sum(1 for _ in model.bind_tools([look_up]).stream("Say hello."))


def agent(model: Any) -> None:
    """A run of LlamaIndex's `FunctionAgent` that ends with its one tool call, whose arguments are streamed."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.tools import FunctionTool

    async def run() -> None:
        worker = FunctionAgent(llm=model, tools=[FunctionTool.from_defaults(look_up, return_direct=True)])
        await worker.run("Say hello.")

    asyncio.run(run())


Make = Callable[[Server, str], Any]
Side = tuple[str, Callable[[Any], Any], Make, tuple[int, ...]]


def openai(kind: type, what: str) -> Make:
    """A model in OpenAI's wire whose server streams *what*."""
    return lambda server, how: kind(model="gpt-5.2", api_key=KEY, base_url=server.openai(f"{how},what={what}"))


def rivya(kind: type, what: str) -> Make:
    """A model in Rivya's wire whose server streams *what*."""
    return lambda server, how: kind(api_key=KEY, base_url=server.rivya(f"{how},what={what}"))


def incumbent(models: Callable[..., dict[str, Any]], what: str) -> Make:
    """The peer of a framework, whose server streams *what*."""
    return lambda server, how: list(models(server, KEY, f"{how},what={what}").values())[-1]


SIDES: list[Side] = [
    ("ChatRivya, text", langchain, rivya(ChatRivya, "text"), SIZES),
    ("ChatRivya, reasoning", langchain, rivya(ChatRivya, "reasoning"), SIZES),
    ("ChatOpenAICompatible, text", langchain, openai(ChatOpenAICompatible, "text"), SIZES),
    ("ChatOpenAICompatible, reasoning", langchain, openai(ChatOpenAICompatible, "reasoning"), SIZES),
    ("ChatOpenAICompatible, tool call", langchain_tools, openai(ChatOpenAICompatible, "tools"), SIZES),
    ("incumbent ChatOpenAI, tool call", langchain_tools, incumbent(langchain_models, "tools"), SIZES),
    ("Rivya, text", llamaindex, rivya(Rivya, "text"), SIZES),
    ("OpenAICompatible, text", llamaindex, openai(OpenAICompatible, "text"), SIZES),
    ("OpenAICompatible, tool call", llamaindex_tools, openai(OpenAICompatible, "tools"), SIZES),
    ("ChatOpenAICompatible, a call each", langchain, openai(ChatOpenAICompatible, "calls"), CALLS),
    ("incumbent ChatOpenAI, a call each", langchain, incumbent(langchain_models, "calls"), CALLS),
    ("OpenAICompatible, a call each", llamaindex_chat, openai(OpenAICompatible, "calls"), CALLS),
    ("FunctionAgent, tool call", agent, openai(OpenAICompatible, "tools"), AGENT_SIZES),
    ("incumbent FunctionAgent, tool call", agent, incumbent(llamaindex_models, "tools"), AGENT_SIZES),
]


def add_streams(table: Table, server: Server) -> None:
    """The cost of a piece in a short stream and in a long one."""
    for name, work, make, sizes in SIDES:
        found: dict[str, Sample] = {}
        for size in sizes:
            model = make(server, f"n={size}")
            work(model)
            rounds = ROUNDS if size < max(SIZES) else 2
            found[f"{size:,} pieces"] = medians([measure(partial(work, model), size) for _ in range(rounds)])
        goal = "" if name.startswith("incumbent") else "<= 1.2"
        table.add(name, found, f"{sizes[0]:,} pieces", goals={f"{size:,} pieces": goal for size in sizes[1:]})


def histories(size: int) -> dict[str, tuple[Callable[..., dict[str, Any]], list[Any], list[dict[str, Any]]]]:
    """Histories in both frameworks, with what goes over the wire: plain texts, texts in four blocks, rounds of a tool."""
    roles = [("assistant" if at % 2 else "user") for at in range(size - 1)]
    said = [{"role": role, "content": TEXT} for role in roles]
    blocks = [{"type": "text", "text": TEXT[: len(TEXT) // 4]}] * 4
    named = {"name": "look_up", "arguments": '{"k": 1}'}
    rounds: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": named}]},
        {"role": "tool", "tool_call_id": "c", "content": TEXT},
    ]
    asked = AIMessage("", tool_calls=[{"id": "c", "name": "look_up", "args": {"k": 1}}])
    called = ToolCallBlock(tool_call_id="c", tool_name="look_up", tool_kwargs={"k": 1})
    calling = [
        ChatMessage(role="assistant", blocks=[called]),
        ChatMessage(TEXT, role="tool", additional_kwargs={"tool_call_id": "c"}),
    ]
    kinds = [AIMessage if role == "assistant" else HumanMessage for role in roles]
    pieces = [TextBlock(text=block["text"]) for block in blocks]
    return {
        "LangChain, texts": (langchain_models, [kind(TEXT) for kind in kinds], said),
        "LangChain, blocks": (langchain_models, [kind(list(blocks)) for kind in kinds], said),
        "LangChain, tools": (
            langchain_models,
            [asked, ToolMessage(TEXT, tool_call_id="c")] * (size // 2),
            rounds * (size // 2),
        ),
        "LlamaIndex, texts": (llamaindex_models, [ChatMessage(TEXT, role=role) for role in roles], said),
        "LlamaIndex, blocks": (llamaindex_models, [ChatMessage(role=role, blocks=pieces) for role in roles], said),
        "LlamaIndex, tools": (llamaindex_models, calling * (size // 2), rounds * (size // 2)),
    }


def add_histories(table: Table, server: Server) -> None:
    """A call with a long history; httpx gets the list of messages ready-made and has to write it as JSON only."""
    client = httpx.Client()
    for size in HISTORIES:
        for what, (models, history, ready) in histories(size).items():
            found = models(server, KEY)
            peer = next(name for name in found if name.startswith("incumbent"))
            ours = next(name for name in found if name.startswith(("ChatOpenAIC", "OpenAIC")))
            names = (ours, peer) if what.endswith("texts") else (ours,)
            sides: dict[str, Callable[[], object]] = {"httpx": partial(post, client, server.openai(), ready)}
            sides |= {
                name: partial(getattr(found[name], "invoke", None) or found[name].chat, history) for name in names
            }
            measured = alternating(sides)
            table.add(f"{what}, {size:,} messages", measured, "httpx", *names[1:], goals={ours: "<= 3 x httpx"})


def post(client: httpx.Client, url: str, messages: list[dict[str, Any]]) -> Any:
    """Send *messages* with httpx alone."""
    body = {"model": "gpt-5.2", "messages": messages}
    return client.post(_raw.path_of(url, stream=False), headers=_raw.HEADERS, json=body).json()


def add_sessions(table: Table, server: Server) -> None:
    """What the history adds to a turn of a session, which sends the new message alone, beside writing it as JSON."""
    where = {"api_key": KEY, "base_url": server.rivya()}
    for name, model, ask, human in (
        ("ChatRivya", ChatRivya(**where, session_ledger=MemoryLedger()), ChatRivya.invoke, HumanMessage),
        ("Rivya", Rivya(**where, session_ledger=MemoryLedger()), lambda llm, talk: llm.chat(talk).message, ChatMessage),
    ):
        talk: list[Any] = []
        turns = {"first turns": turn_cost(model, ask, human, talk, 20)}
        for _ in range(TURNS - 40):
            talk.append(human(TEXT))
            talk.append(ask(model, talk))
        late = f"turns up to the {TURNS:,}th"
        turns[late] = turn_cost(model, ask, human, talk, 20)
        said = [
            {"role": message.type if hasattr(message, "type") else message.role.value, "content": message.content}
            for message in talk
        ]
        turns["json.dumps of the history"] = medians([measure(partial(json.dumps, said), 1) for _ in range(20)])
        table.add(f"{name}, session", turns)
        extra = turns[late].cpu - turns["first turns"].cpu
        ratio = extra / turns["json.dumps of the history"].cpu
        table.note(f"{name}, session", "what the history adds", f"{ratio:.1f} x json.dumps of it", "<= 6")


def turn_cost(model: Any, ask: Callable[..., Any], human: Callable[[str], Any], talk: list[Any], turns: int) -> Sample:
    """Continue *talk* for some turns and return the medians of their times."""
    samples = []
    for _ in range(turns):
        talk.append(human(TEXT))
        replies: list[Any] = []
        samples.append(measure(lambda: replies.append(ask(model, talk)), 1))  # noqa: B023 - called at once
        talk += replies
    return medians(samples)


def main() -> None:
    with serving() as server:
        table = Table("Growth: CPU per call with a long history", unit="ms")
        add_histories(table, server)
        add_sessions(table, server)
        table.print()
        table = Table("Growth: CPU per piece of streams of different length")
        add_streams(table, server)
        table.print()


if __name__ == "__main__":
    main()
