"""What handlers and traces learn of a call: images counted once, parameters as sent, token usage in its older place."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool as as_tool

from langchain_rivya import ChatOpenAICompatible, ChatRivya, CreditLimitError, RivyaCreditsHandler, RivyaImageTool
from rivya_sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("box", "slept")


def run(asynchronous: bool, target: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if asynchronous:
        return asyncio.run(getattr(target, "a" + name)(*args, **kwargs))
    return getattr(target, name)(*args, **kwargs)


def task_call(task_id: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": "2", "name": "any", "args": {"task_id": task_id}}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("given", ["with", "config", "constructor"])
def test_an_image_is_counted_once_however_it_is_made(box: Sandbox, given: str, asynchronous: bool) -> None:
    """Plain arguments, a tool call, and the status asked again and again."""
    spent = RivyaCreditsHandler()
    config: Any = {"callbacks": [spent]} if given == "config" else None
    tool = RivyaImageTool(callbacks=[spent] if given == "constructor" else None)
    call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {"prompt": "p"}}
    before = box.credits()

    def work() -> None:
        run(asynchronous, tool, "invoke", {"prompt": "p"}, config)
        task_id = run(asynchronous, tool, "invoke", call, config).artifact["task_id"]
        for companion in tool.companions():
            run(asynchronous, companion, "invoke", task_call(task_id), config)

    if given == "with":
        with spent:
            work()
    else:
        work()

    assert spent.total.calls == len(box.tasks.all) == 2
    assert spent.credits == before - box.credits() > 0
    assert set(spent.by_run) == {task.id for task in box.tasks.all}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_applications_own_calls_are_counted(box: Sandbox, asynchronous: bool) -> None:
    """`generate`, batches and `resume`, in the handler's context and inside a runnable that has it as a callback."""
    tool, before = RivyaImageTool(), box.credits()
    with RivyaCreditsHandler() as spent:
        image = run(asynchronous, tool, "generate", "p")
        run(asynchronous, tool, "generate_many", ["q", "r"])
        run(asynchronous, tool, "resume", image.task_id)
    assert (spent.total.calls, spent.credits) == (3, before - box.credits())

    node = RunnableLambda(lambda prompt: tool.generate(prompt))
    called = RivyaCreditsHandler()
    run(asynchronous, node, "invoke", "s", {"callbacks": [called]})
    assert called.total.calls == 1


def test_a_tool_of_ones_own_around_an_image_is_counted_once() -> None:
    """The inner call and the artifact of the outer one are the same task."""
    inner = RivyaImageTool()

    @as_tool(response_format="content_and_artifact")
    def draw(prompt: str) -> Any:
        """Draw."""
        image = inner.generate(prompt)
        return str(image), image

    with RivyaCreditsHandler() as spent:
        draw.invoke({"type": "tool_call", "id": "1", "name": "draw", "args": {"prompt": "p"}})
    assert spent.total.calls == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_task_that_is_waited_for_later_is_counted_once(box: Sandbox, asynchronous: bool) -> None:
    """Its cost is reserved at the submission, so that the limit holds, and counted when its image is ready."""
    tool = RivyaImageTool(wait=False, handle_tool_error=False)
    with RivyaCreditsHandler(limit=1) as spent:
        call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {"prompt": "p"}}
        task_id = run(asynchronous, tool, "invoke", call).artifact["task_id"]
        assert spent.total.calls == 0
        with pytest.raises(CreditLimitError, match="under way"):
            run(asynchronous, tool, "invoke", {"prompt": "another"})
        for companion in [*tool.companions(), *tool.companions()]:
            run(asynchronous, companion, "invoke", task_call(task_id))

    assert (spent.total.calls, spent.by_run) == (1, {task_id: spent.total})
    assert len(box.tasks.all) == 1


def test_a_limit_holds_for_images_at_the_same_time(box: Sandbox) -> None:
    """Twenty at once do not pass a limit that two images reach."""
    tool = RivyaImageTool(handle_tool_error=False)
    price = tool.generate("first").credits["final"]
    with RivyaCreditsHandler(limit=2 * price) as spent:

        def make(number: int) -> Any:
            try:
                return tool.invoke({"prompt": f"Image {number}"}, {"callbacks": [spent]})
            except CreditLimitError as error:
                return error

        with ThreadPoolExecutor(20) as threads:
            done = list(threads.map(make, range(20)))

    assert spent.credits <= 2 * price
    assert sum(isinstance(one, CreditLimitError) for one in done) == 20 - (len(box.tasks.all) - 1) >= 18


def test_a_batch_stops_at_the_limit_and_a_failed_image_gives_its_credits_back(box: Sandbox) -> None:
    """Each image of a batch is an outcome of its own; one that cost nothing does not count."""
    tool = RivyaImageTool()
    price = tool.generate("first").credits["final"]
    with RivyaCreditsHandler(limit=2 * price) as spent:
        outcomes = tool.generate_many([f"Image {number}" for number in range(6)])
    assert sum(isinstance(one, CreditLimitError) for one in outcomes) == 4
    assert spent.credits == 2 * price

    with RivyaCreditsHandler(limit=price) as spent:
        failed = tool.generate_many(["[sandbox: fail] a", "[sandbox: fail] b"])
        assert spent.costs._reserved == 0
    assert len(failed) == 2


class Witness(BaseCallbackHandler):
    """A handler made before `usage_metadata`."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.outputs: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.params = kwargs["invocation_params"]

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.outputs.append(response.llm_output)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_invocation_params_hold_what_was_sent(box: Sandbox, asynchronous: bool) -> None:
    """The model's own settings, and those of the call in their place, whatever name the caller used."""
    seen = Witness()
    model = ChatOpenAICompatible(
        model="gpt-5.2", base_url=box.evolink_url, api_key=box.api_key, temperature=0.3, max_tokens=50, stop=["END"]
    )
    run(asynchronous, model, "invoke", "hi", {"callbacks": [seen]}, max_completion_tokens=20, top_p=0.5)
    for name, value in {
        "temperature": 0.3,
        "max_tokens": 20,
        "top_p": 0.5,
        "stop": ["END"],
        "model": "gpt-5.2",
    }.items():
        assert seen.params[name] == value, name

    run(asynchronous, ChatRivya(reasoning_effort="low"), "invoke", "hi", {"callbacks": [seen]}, stop=None)
    assert seen.params["reasoning_effort"] == "low"
    assert "enable_web_search" not in seen.params


@pytest.mark.parametrize("asynchronous", [False, True])
def test_token_usage_is_where_older_handlers_look(asynchronous: bool) -> None:
    """For one reply, and added up for several."""
    seen = Witness()
    model = ChatRivya()
    reply = run(asynchronous, model, "invoke", "hi", {"callbacks": [seen]})
    assert seen.outputs[-1]["token_usage"] == {
        "prompt_tokens": reply.usage_metadata["input_tokens"],
        "completion_tokens": reply.usage_metadata["output_tokens"],
        "total_tokens": reply.usage_metadata["total_tokens"],
    }
    result = run(asynchronous, model, "generate", [[HumanMessage("one")], [HumanMessage("two")]])
    total = sum(g[0].message.usage_metadata["total_tokens"] for g in result.generations)
    assert result.llm_output["token_usage"]["total_tokens"] == total
    assert result.llm_output["model_name"] == "gpt-5-2-chat"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cached_reply_says_so_and_points_to_no_session(box: Sandbox, asynchronous: bool) -> None:
    """It costs nothing, and a conversation that continues from it starts a new session."""
    model = ChatRivya(cache=InMemoryCache())
    first = run(asynchronous, model, "invoke", "one")
    with RivyaCreditsHandler() as spent:
        again = run(asynchronous, model, "invoke", "one")
    assert again.text == first.text
    assert again.response_metadata["cached"] is True
    assert not {"session_id", "session_route", "rivya_session", "credits"} & set(again.response_metadata)
    assert first.response_metadata["session_id"]
    assert "cached" not in first.response_metadata
    assert (spent.total.calls, spent.total.input_tokens) == (0, 0)

    after = run(asynchronous, model, "invoke", [("human", "one"), again, ("human", "two")])
    assert after.response_metadata["session_route"] == "replay"
