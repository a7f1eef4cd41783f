"""The image tools inside LlamaIndex: agents of every kind, events, blocks, errors, copies."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
from typing import Any

import pytest
from image_tools import image_file
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCall, ToolCallResult
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import ToolMetadata
from llama_index.core.workflow import Context
from scripted_models import ScriptedLLM

from llamaindex_rivya import GeneratedImage, RivyaImageProgressEvent, RivyaImageToolSpec
from rivya_core.errors import InvalidInputError, TaskFailedError
from rivya_sandbox import Fault, Sandbox

pytestmark = [
    pytest.mark.usefixtures("slept"),
    # What LlamaIndex's agents themselves warn of.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key"),
]
STAGES = ["submitting", "queued", "processing", "downloading", "done"]


def image_in(text: str) -> str:
    found = re.search(r"img_\w{8}", text)
    assert found
    return found.group()


def wider(text: str) -> Any:
    arguments = {"prompt": "make it wider", "aspect_ratio": "16:9", "reference_images": [image_in(text)]}
    return [("generate_image", arguments)]


def reacting(text: str) -> str:
    return (
        "Thought: I make it wider.\nAction: generate_image\n"
        f'Action Input: {{"prompt": "make it wider", "aspect_ratio": "16:9", "reference_images": ["{image_in(text)}"]}}'
    )


DRAW = [("generate_image", {"prompt": "A red fox"})]
REACT = 'Thought: I draw.\nAction: generate_image\nAction Input: {"prompt": "A red fox"}'
ANSWER = "Thought: I can answer without using any more tools.\nAnswer: Done."


def agent(kind: str, tools: list[Any]) -> Any:
    if kind == "react":
        return ReActAgent(tools=tools, llm=ScriptedLLM(script=[REACT, reacting, ANSWER], seen=[], functions=False))
    function = FunctionAgent(name="f", tools=tools, llm=ScriptedLLM(script=[DRAW, wider, "Done."], seen=[]))
    return function if kind == "function" else AgentWorkflow(agents=[function], root_agent="f")


async def events_of(made: Any) -> tuple[list[Any], Any]:
    handler = made.run("Draw a fox, then make it wider")
    return [event async for event in handler.stream_events()], await handler


@pytest.mark.parametrize("kind", ["function", "workflow", "react"])
def test_agents_generate_an_image_and_change_it(box: Sandbox, kind: str) -> None:
    """The second call names the first image; progress events come between a call and its result."""
    events, answer = asyncio.run(events_of(agent(kind, RivyaImageToolSpec().to_tool_list())))
    results = [event for event in events if isinstance(event, ToolCallResult)]

    assert "Done." in str(answer)
    assert [False, False] == [event.tool_output.is_error for event in results]
    assert all(isinstance(event.tool_output.raw_output, GeneratedImage) for event in results)
    assert (256, 144) == results[1].tool_output.raw_output.pil().size
    assert 1 == len(box.tasks.all[1].references)
    kinds = [type(event) for event in events if isinstance(event, (ToolCall, ToolCallResult, RivyaImageProgressEvent))]
    assert [ToolCall] + [RivyaImageProgressEvent] * 5 + [ToolCallResult] == kinds[:7]
    outcome_text = [event.stage for event in events if isinstance(event, RivyaImageProgressEvent)]
    assert [*STAGES, "uploading", *STAGES] == outcome_text


def test_an_agent_gets_the_error_text(box: Sandbox) -> None:
    """An error is the tool's result, so the agent can correct the call."""
    script = [[("generate_image", {"prompt": "p", "aspect_ratio": "odd"})], DRAW, "Done."]
    llm = ScriptedLLM(script=script, seen=[])
    events, _ = asyncio.run(events_of(FunctionAgent(tools=RivyaImageToolSpec().to_tool_list(), llm=llm)))
    first, second = [event.tool_output for event in events if isinstance(event, ToolCallResult)]

    assert first.is_error
    assert "auto, 1:1, 9:16, 16:9, 4:3, 3:4" in first.content
    assert not second.is_error


def test_a_restored_context_still_knows_the_image(box: Sandbox) -> None:
    """The id in the memory is enough."""
    spec = RivyaImageToolSpec()
    llm = ScriptedLLM(script=[DRAW, "Here it is.", lambda _: wider(history(llm)), "Wider."], seen=[])
    made = FunctionAgent(tools=spec.to_tool_list(), llm=llm)

    async def talk() -> None:
        memory, context = ChatMemoryBuffer.from_defaults(llm=llm), Context(made)
        await made.run("Draw a fox", ctx=context, memory=memory)
        context = Context.from_dict(made, context.to_dict())
        await made.run("Make it wider", ctx=context, memory=memory)

    asyncio.run(talk())
    assert 1 == len(box.tasks.all[1].references)


def history(llm: ScriptedLLM) -> str:
    return " ".join(str(message.content) for message in llm.seen[-1])


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("shown", [False, True, "base64"])
def test_the_model_sees_the_image_only_if_configured(box: Sandbox, way: str, shown: Any) -> None:
    """Text comes first, so that models without vision get something to read."""
    tool = RivyaImageToolSpec(image_blocks=shown).to_tool_list()[0]
    output = asyncio.run(tool.acall(prompt="p")) if way == "async" else tool.call(prompt="p")

    assert isinstance(output.blocks[0], TextBlock)
    assert output.content.startswith("Image img_")
    assert isinstance(output.raw_output, GeneratedImage)
    assert (2 if shown else 1) == len(output.blocks)
    if shown:
        image = output.blocks[1]
        assert isinstance(image, ImageBlock)
        assert ("image/png", output.raw_output["url"] if shown is True else None) == (
            image.image_mimetype,
            str(image.url) if image.url else None,
        )
        if shown == "base64":
            assert output.raw_output.content == image.resolve_image().read()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_without_waiting_the_task_tools_continue(box: Sandbox, way: str) -> None:
    def run(tool: Any, **args: Any) -> str:
        return (asyncio.run(tool.acall(**args)) if way == "async" else tool.call(**args)).content

    box.tasks.ready_after = 3
    make, look, wait = RivyaImageToolSpec(wait=False).to_tool_list()
    ordered = run(make, prompt="p")
    task_id = ordered.split()[2]
    assert f"Image task {task_id} was submitted. Use wait_for_image or get_image_status." == ordered
    assert f"Image task {task_id} is processing." == run(look, task_id=task_id)
    assert run(wait, task_id=task_id).startswith("Image img_")
    other = run(make, prompt="The image of another conversation").split()[2]
    for tool in (look, wait):
        with pytest.raises(InvalidInputError, match="There is no image task") as caught:
            run(tool, task_id="task_of_somebody_else")
        assert other not in str(caught.value)


def test_an_agent_sees_the_models_own_options() -> None:
    """Names, enumerations and descriptions, but not the context."""
    make, look, wait = RivyaImageToolSpec(api_key="rvya_sk_x", model="nano-banana-pro").to_tool_list()
    shown = make.metadata.to_openai_tool()["function"]

    assert "generate_image" == shown["name"]
    assert "Nano Banana Pro" in shown["description"]
    assert {"prompt", "aspect_ratio", "resolution", "output_format", "reference_images"} == set(
        shown["parameters"]["properties"]
    )
    assert ["1K", "2K", "4K"] == shown["parameters"]["properties"]["resolution"]["enum"]
    for tool in (look, wait):
        assert ["task_id"] == [*tool.metadata.to_openai_tool()["function"]["parameters"]["properties"]]


def test_tools_can_be_selected_and_renamed() -> None:
    spec = RivyaImageToolSpec(api_key="rvya_sk_x")
    own = ToolMetadata("Draws logos.", "draw")
    tools = spec.to_tool_list(["wait_for_image", ("generate_image", "agenerate_image")], {"generate_image": own})

    assert ["wait_for_image", "draw"] == [tool.metadata.name for tool in tools]
    assert ["agenerate_image"] == [name for name in dir(spec) if name.startswith("agenerate_im")]
    if hasattr(spec, "to_tool_list_async"):  # later versions of the framework
        assert 3 == len(asyncio.run(spec.to_tool_list_async()))


def test_a_context_without_a_running_loop_gets_no_events(box: Sandbox) -> None:
    """A sync call in another thread cannot write to a workflow."""
    made = agent("function", [])

    assert isinstance(RivyaImageToolSpec().generate_image("p", ctx=Context(made)), GeneratedImage)


def test_direct_calls_return_images_and_raise_typed_errors(box: Sandbox) -> None:
    spec = RivyaImageToolSpec()
    assert isinstance(spec.generate_image("p", aspect_ratio="16:9"), GeneratedImage)
    box.fault(Fault(task="fail"))
    with pytest.raises(TaskFailedError):
        asyncio.run(spec.agenerate_image("p"))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_model_is_read_from_the_service(box: Sandbox, way: str) -> None:
    spec = RivyaImageToolSpec(model="seedream-4-5")
    asyncio.run(spec.arefresh()) if way == "async" else spec.refresh()
    shown = spec.to_tool_list()[0].metadata.to_openai_tool()["function"]["parameters"]["properties"]

    assert 10 == shown["reference_images"]["maxItems"]


def test_copies_and_pickles_work_and_hold_no_key(box: Sandbox) -> None:
    headers = {"x-gateway-key": "gw_secret"}
    spec = RivyaImageToolSpec(model="nano-banana-pro", images={"logo": image_file()}, default_headers=headers)
    image = spec.generate_image("p")
    assert copy.deepcopy(spec).generate_image("q", reference_images=[image["id"]])

    pickled = pickle.dumps(spec)
    for secret in (box.api_key, "gw_secret"):
        assert secret.encode() not in pickled
        assert secret not in repr(spec)
    assert "nano-banana-pro" == pickle.loads(pickled).generate_image("p", reference_images=["logo"])["model"]
