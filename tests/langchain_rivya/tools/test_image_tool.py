"""The image tool inside LangChain: the standard suites, agents, events, errors, copies."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
from image_tools import image_file
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel, ValidationError
from scripted_models import ScriptedChatModel

from langchain_rivya import GeneratedImage, InvalidInputError, RivyaImageTool, TaskFailedError
from rivya_core.errors import ConfigurationError, TaskTimeoutError
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")


class OnlyPrompt(BaseModel):
    prompt: str


class TestStandardUnit(ToolsUnitTests):
    @property
    def tool_constructor(self) -> type[RivyaImageTool]:
        return RivyaImageTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"api_key": "rvya_sk_sandbox", "output_dir": None}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"prompt": "A lighthouse", "aspect_ratio": "16:9"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"RIVYA_BASE_URL": "https://somewhere.test/v1"}, {"api_key": "rvya_sk_sandbox"}, {}


@pytest.mark.usefixtures("box", "slept")
class TestStandardIntegration(ToolsIntegrationTests):
    @property
    def tool_constructor(self) -> type[RivyaImageTool]:
        return RivyaImageTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"prompt": "A lighthouse", "aspect_ratio": "16:9"}


def call(name: str = "generate_image", **args: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": "call_1", "name": name, "args": args}


def wider(text: str) -> Any:
    """An agent that asks for a wider version of an earlier image."""
    found = re.search(r"img_\w{8}", text)
    assert found
    arguments = {"prompt": "make it wider", "aspect_ratio": "16:9", "reference_images": [found.group()]}
    return [("generate_image", arguments)]


def drawing(**arguments: Any) -> list[tuple[str, dict[str, Any]]]:
    return [("generate_image", {"prompt": "A red fox"} | arguments)]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_agent_changes_an_image_in_a_later_turn(box: Sandbox, way: str, tmp_path: Any) -> None:
    """Through a checkpointer: the later turn names the earlier image by the id in the history."""
    model = ScriptedChatModel(
        script=[drawing(), "Here it is.", lambda _: wider(outcome_text(model)), "Wider now."], seen=[]
    )
    tool = RivyaImageTool(output_dir=tmp_path)
    agent = create_agent(model, [tool], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for text in ("Draw a fox", "Make it wider"):
        messages = {"messages": [HumanMessage(text)]}
        state = asyncio.run(agent.ainvoke(messages, config)) if way == "async" else agent.invoke(messages, config)

    assert "Wider now." == state["messages"][-1].content
    first, second = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert ["success"] * 2 == [first.status, second.status]
    assert 1 == len(box.tasks.all[1].references)
    assert (256, 144) == GeneratedImage(second.artifact).pil().size
    assert len(first.content) < 250
    assert "http" not in first.content, "no signed URL for the model"
    assert convert_to_openai_tool(tool) == convert_to_openai_tool(model.tools[0])


def outcome_text(model: ScriptedChatModel) -> str:
    return str([message for message in model.seen[-1] if isinstance(message, ToolMessage)][-1].content)


def test_an_artifact_survives_checkpoints_of_every_kind(box: Sandbox, tmp_path: Any, caplog: Any) -> None:
    """It is plain JSON, so a strict serialiser restores it without a warning."""
    artifact = RivyaImageTool(output_dir=tmp_path).invoke(call(prompt="p")).artifact
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    with caplog.at_level(logging.WARNING):
        back = serde.loads_typed(serde.dumps_typed({"message": ToolMessage("x", artifact=artifact, tool_call_id="1")}))

    assert artifact == back["message"].artifact
    assert type(artifact) is type(back["message"].artifact)
    assert "unregistered" not in caplog.text.lower()
    assert GeneratedImage(artifact).content == GeneratedImage(back["message"].artifact).content


def test_an_artifact_is_the_same_in_every_turn_of_a_thread(box: Sandbox) -> None:
    """In the turn that makes it and after the checkpoint; without a directory its bytes are found by the tool."""
    model = ScriptedChatModel(script=[drawing(), "Here it is.", drawing(), "Another."], seen=[])
    tool = RivyaImageTool()
    agent = create_agent(model, [tool], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for turn in (1, 2):
        state = agent.invoke({"messages": [HumanMessage("Draw")]}, config)
        artifacts = [message.artifact for message in state["messages"] if message.type == "tool"]
        assert [dict] * turn == [type(artifact) for artifact in artifacts]
        assert all(GeneratedImage(artifact).pil().size for artifact in artifacts)
        assert all(GeneratedImage(artifact).mime_type == "image/png" for artifact in artifacts)


def test_a_tool_node_runs_several_calls_and_reports_errors(box: Sandbox) -> None:
    """An error is the result of its call only."""
    from langgraph.graph import START, MessagesState, StateGraph

    calls = [call(prompt="a"), call(prompt="b", aspect_ratio="odd"), call(), call(prompt="c", foo=1)]
    calls = [{**one, "id": str(number)} for number, one in enumerate(calls)]
    graph = StateGraph(MessagesState).add_node("tools", ToolNode([RivyaImageTool()])).add_edge(START, "tools").compile()
    state = graph.invoke({"messages": [AIMessage("", tool_calls=calls)]})
    messages = state["messages"][1:]

    assert ["success", "error", "error", "error"] == [message.status for message in messages]
    assert "auto, 1:1, 9:16, 16:9, 4:3, 3:4" in messages[1].content
    assert "prompt" in messages[2].content
    assert "foo" in messages[3].content
    assert 1 == len(box.ledger())


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_graph_streams_the_progress(box: Sandbox, way: str) -> None:
    """In the custom stream, while the tool runs."""
    agent = create_agent(ScriptedChatModel(script=[drawing(), "done"], seen=[]), [RivyaImageTool()])
    events = asyncio.run(_gather(agent)) if way == "async" else [*agent.stream(_ask(), stream_mode="custom")]

    assert ["submitting", "queued", "processing", "downloading", "done"] == [event["stage"] for event in events]
    assert {"rivya_image_progress"} == {event["type"] for event in events}
    assert events[-1]["image_id"].startswith("img_")
    assert 3 == events[-1]["credits"]


def _ask() -> Any:
    return {"messages": [HumanMessage("Draw a fox")]}


async def _gather(agent: Any) -> list[Any]:
    return [event async for event in agent.astream(_ask(), stream_mode="custom")]


class Listening(BaseCallbackHandler):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        assert "rivya_image_progress" == name
        self.stages.append(data["stage"])


class ListeningAsync(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.stages: list[str] = []

    async def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        self.stages.append(data["stage"])


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("listening", [Listening, ListeningAsync])
def test_progress_reaches_callback_handlers(box: Sandbox, way: str, listening: Any) -> None:
    """Without a graph, for sync and async handlers."""
    handler = listening()
    config: Any = {"callbacks": [handler]}
    tool = RivyaImageTool()
    asyncio.run(tool.ainvoke({"prompt": "p"}, config)) if way == "async" else tool.invoke({"prompt": "p"}, config)

    assert ["submitting", "queued", "processing", "downloading", "done"] == handler.stages


def test_streamed_events_hold_the_progress(box: Sandbox) -> None:
    tool = RivyaImageTool()

    async def names() -> list[Any]:
        chain = RunnableLambda(lambda prompt: {"prompt": prompt}) | tool
        return [event async for event in chain.astream_events("A fox", version="v2")]

    custom = [event["data"]["stage"] for event in asyncio.run(names()) if event["event"] == "on_custom_event"]
    assert ["submitting", "queued", "processing", "downloading", "done"] == custom


def test_without_a_listener_nothing_is_reported(box: Sandbox) -> None:
    """An imported langgraph does not mean that a graph runs the tool."""
    assert "langgraph.config" in sys.modules
    assert RivyaImageTool(verbose=True).invoke({"prompt": "p"}).startswith("Image img_")


def test_without_langgraph_there_is_no_stream_writer(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "langgraph.config")

    assert RivyaImageTool().invoke({"prompt": "p"}).startswith("Image img_")


def test_handled_errors_are_the_tools_result(box: Sandbox) -> None:
    box.fault(Fault(task="fail"))
    message = RivyaImageTool().invoke(call(prompt="p"))

    assert "error" == message.status
    assert box.tasks.all[0].id in message.content
    assert None is message.artifact


def test_unhandled_errors_keep_their_class(box: Sandbox) -> None:
    """Errors of arguments that the schema refuses as well."""
    box.fault(Fault(task="fail"))
    strict = RivyaImageTool(handle_tool_error=False, handle_validation_error=False)
    with pytest.raises(TaskFailedError):
        strict.invoke({"prompt": "p"})
    with pytest.raises(InvalidInputError):
        strict.invoke({"prompt": "p", "resolution": "8K"})
    with pytest.raises(ValidationError):
        strict.invoke({"prompt": "p", "foo": 1})


def test_a_custom_error_handler_gets_the_cause(box: Sandbox) -> None:
    seen: list[ToolException] = []
    tool = RivyaImageTool(handle_tool_error=lambda error: seen.append(error) or "no image today")

    assert "no image today" == tool.invoke({"prompt": " "})
    assert isinstance(seen[0].__cause__, InvalidInputError)


@pytest.mark.parametrize("shown", [True, "base64"])
def test_the_model_sees_the_image_only_if_configured(box: Sandbox, shown: Any) -> None:
    message = RivyaImageTool(image_blocks=shown).invoke(call(prompt="p"))
    text, image = message.content

    assert text["text"].startswith("Image img_")
    assert ("image", "image/png") == (image["type"], image["mime_type"])
    made = GeneratedImage(message.artifact)
    assert made.base64 == image["base64"] if shown == "base64" else made["url"] == image["url"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_without_waiting_the_task_tools_continue(box: Sandbox, way: str) -> None:
    """An agent submits, polls and waits. It can name only tasks of its own tool."""

    def run(tool: Any, **args: Any) -> ToolMessage:
        made = call(tool.name, **args)
        return asyncio.run(tool.ainvoke(made)) if way == "async" else tool.invoke(made)

    tool = RivyaImageTool(wait=False)
    look, wait = tool.companions()
    box.tasks.ready_after = 3
    ordered = run(tool, prompt="A red fox")
    task_id = ordered.artifact["task_id"]
    assert f"Image task {task_id} was submitted" in ordered.content
    assert f"Image task {task_id} is processing." == run(look, task_id=task_id).content
    ready = run(wait, task_id=task_id)
    assert ready.content.startswith("Image img_")
    assert ready.artifact["id"] == run(look, task_id=task_id).artifact["id"]

    other = run(tool, prompt="The image of another conversation").artifact["task_id"]
    for companion in (look, wait):
        foreign = run(companion, task_id="task_of_somebody_else")
        assert "error" == foreign.status
        assert "There is no image task" in foreign.content
        assert other not in foreign.content  # of an id that it does not know, a model learns nothing
        assert "Invalid arguments" in run(companion, task=1).content
    assert 2 == len(box.ledger())


def test_the_task_tools_report_a_failed_task(box: Sandbox) -> None:
    box.fault(Fault(task="fail"))
    tool = RivyaImageTool(wait=False)
    box.tasks.ready_after = 1
    task_id = tool.invoke(call(prompt="p")).artifact["task_id"]
    message = tool.companions()[0].invoke(call("get_image_status", task_id=task_id))

    assert "error" == message.status
    assert "failed" in message.content
    assert [] == tool.pending()


def test_an_agent_continues_a_task_after_a_deadline(box: Sandbox) -> None:
    """The error text of a deadline tells the agent how to continue."""
    box.tasks.ready_after = 10_000
    tool = RivyaImageTool(deadline=0.05)

    def go_on(text: str) -> Any:
        found = re.search(r"task_\w+", text)
        assert found
        box.tasks.ready_after = 1
        return [("wait_for_image", {"task_id": found.group()})]

    model = ScriptedChatModel(script=[drawing(), go_on, "done"], seen=[])
    state = create_agent(model, [tool, *tool.companions()]).invoke(_ask())
    assert ["error", "success"] == [one.status for one in state["messages"] if isinstance(one, ToolMessage)]
    assert [3] == [entry.final for entry in box.ledger()]


def test_direct_calls_raise_typed_errors(box: Sandbox) -> None:
    box.tasks.ready_after = 10_000
    with pytest.raises(TaskTimeoutError):
        RivyaImageTool(deadline=0.05).generate("p")


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_model_is_read_from_the_service(box: Sandbox, way: str) -> None:
    """An unknown model becomes a known one; a model that does not exist is a clear error."""
    from rivya_sandbox.rivya import catalogue

    tool = RivyaImageTool(model="seedream-4-5")
    tool._backend._generator = copy.copy(tool._backend._generator)
    asyncio.run(tool.arefresh()) if way == "async" else tool.refresh()
    assert catalogue.IMAGE["seedream-4-5"].references is not None
    assert catalogue.IMAGE["seedream-4-5"].references.max_items == tool.args["reference_images"]["maxItems"]

    with pytest.raises(ConfigurationError, match=r"does not list the image model `missing`. It lists: .*gpt-image-2"):
        RivyaImageTool(model="missing").refresh()


def test_a_custom_description_is_kept(box: Sandbox) -> None:
    tool = RivyaImageTool(description="Draws logos.", name="draw", args_schema=OnlyPrompt)
    tool.refresh()

    for one in (tool, pickle.loads(pickle.dumps(tool))):
        assert ("Draws logos.", "draw", ["prompt"]) == (one.description, one.name, [*one.args])
    assert "Nano Banana Pro" in RivyaImageTool(model="nano-banana-pro").description


def test_a_missing_key_is_an_error_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="RIVYA_API_KEY"):
        RivyaImageTool()
    with pytest.raises(ConfigurationError, match=r"no argument `outputdir`; did you mean `output_dir`\?"):
        RivyaImageTool(api_key="rvya_sk_x", outputdir="x")  # type: ignore[call-arg]


def test_copies_and_pickles_work_and_hold_no_key(box: Sandbox) -> None:
    """A copy shares the images; a pickle starts with none, and reads the key of its process."""
    headers = {"x-gateway-key": "gw_secret", "x-team": "art"}
    tool = RivyaImageTool(model="nano-banana-pro", images={"logo": image_file()}, default_headers=headers)
    image = tool.generate("p")
    shared = copy.deepcopy(tool)
    assert shared.generate("q", reference_images=[image["id"]])

    pickled = pickle.dumps(tool)
    for secret in (box.api_key, "gw_secret", '"art"'):
        assert secret.encode() not in pickled
        assert secret not in repr(tool)
    again = pickle.loads(pickled)
    assert headers == again.default_headers
    assert again.generate("p")["model"] == "nano-banana-pro"
    assert again.args == tool.args


def test_importing_the_tool_imports_no_pillow_tqdm_or_langgraph() -> None:
    """They are imported when they are used."""
    code = (
        "import sys; from langchain_rivya import RivyaImageTool; RivyaImageTool(api_key='rvya_sk_x', progress=False);"
        "print([name for name in ('PIL', 'tqdm', 'langgraph', 'sqlite3') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == found.stdout.strip()
