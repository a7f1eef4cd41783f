"""`RivyaCreditsHandler` for LlamaIndex: what is counted, and what a limit stops."""

import asyncio

import pytest
from llama_index.core import Document, Settings, SummaryIndex
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage

from llamaindex_rivya import CreditLimitError, Rivya, RivyaCreditsHandler, RivyaImageToolSpec
from rivya_sandbox import Fault


@pytest.fixture
def llm(sandbox):
    return Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url)


@pytest.fixture
def spec(sandbox, slept):
    return RivyaImageToolSpec(api_key=sandbox.api_key, base_url=sandbox.rivya_url, progress=False)


def messages():
    return [ChatMessage(role="user", content="Name a river.")]


async def _drain(stream):
    return [chunk async for chunk in await stream]


ASKING = {
    "chat": lambda llm: llm.chat(messages()),
    "achat": lambda llm: asyncio.run(llm.achat(messages())),
    "stream_chat": lambda llm: list(llm.stream_chat(messages())),
    "astream_chat": lambda llm: asyncio.run(_drain(llm.astream_chat(messages()))),
    "complete": lambda llm: llm.complete("Name a river."),
    "acomplete": lambda llm: asyncio.run(llm.acomplete("Name a river.")),
    "stream_complete": lambda llm: list(llm.stream_complete("Name a river.")),
    "astream_complete": lambda llm: asyncio.run(_drain(llm.astream_complete("Name a river."))),
}
every_way = pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)


def charged(sandbox):
    return sum(turn.charged for turn in sandbox.journal.turns)


@every_way
def test_inside_a_with_every_call_counts_once(ask, llm, sandbox):
    """Credits and tokens are what the provider charged, by model and by reply."""
    with RivyaCreditsHandler() as spent:
        ask(llm)
        ask(llm)
    ask(llm)

    first, second, _ = sandbox.journal.turns
    assert spent.credits == first.charged + second.charged > 0
    assert set(spent.by_model) == {"gpt-5-2-chat"}
    assert set(spent.by_run) == {first.id, second.id}
    assert spent.total.calls == 2
    assert spent.total.input_tokens > 0 < spent.total.output_tokens


@every_way
def test_a_callback_handler_counts_the_same(ask, llm, sandbox):
    """A handler on the model counts; one that is also the context's does not count twice."""
    counting = RivyaCreditsHandler()
    llm.callback_manager = CallbackManager([counting])

    ask(llm)
    with counting:
        ask(llm)

    assert (counting.total.calls, counting.credits) == (2, charged(sandbox))
    assert counting.total.input_tokens > 0 < counting.total.output_tokens
    assert set(counting.by_run) == {turn.id for turn in sandbox.journal.turns}


@every_way
@pytest.mark.parametrize("how", ["with", "callback"])
def test_a_limit_stops_before_the_next_call(ask, how, llm, sandbox):
    """The call that reaches the limit is still answered; the next is not sent."""
    spent = RivyaCreditsHandler(limit=1)
    if how == "callback":
        llm.callback_manager = CallbackManager([spent])
        ask(llm)
        with pytest.raises(CreditLimitError, match="limit"):
            ask(llm)
    else:
        with spent:
            ask(llm)
            with pytest.raises(CreditLimitError, match="limit"):
                ask(llm)

    assert len(sandbox.journal.turns) == 1


def test_engines_count_through_the_context(llm, sandbox):
    """A query engine makes its calls deep inside; all of them count."""
    index = SummaryIndex.from_documents([Document(text="The Rhine is 1,230 kilometres long.")])
    with RivyaCreditsHandler() as spent:
        index.as_query_engine(llm=llm).query("How long is the Rhine?")

    assert spent.total.calls == len(sandbox.journal.turns) == 1
    assert spent.credits == charged(sandbox)


def test_handlers_can_be_nested(llm):
    """The outer one counts what the inner one counts, and more."""
    with RivyaCreditsHandler() as outer:
        llm.chat(messages())
        with RivyaCreditsHandler() as inner:
            llm.chat(messages())

    assert (outer.total.calls, inner.total.calls) == (2, 1)


def test_a_stream_that_is_left_is_not_counted_as_a_call_that_ended(llm):
    """Its cost is not known; what the account has tells `credits()`."""
    with RivyaCreditsHandler() as spent:
        stream = llm.stream_chat(messages())
        next(stream)
        stream.close()

    assert spent.total.calls == 0


@pytest.mark.parametrize("prefix", ["", "a"])
def test_images_count_once_and_a_limit_stops_the_next(prefix, spec, sandbox):
    """An image counts when it is downloaded; getting it again costs and counts nothing, even beyond the limit."""

    def run(name, *args):
        result = getattr(spec, prefix + name)(*args)
        return asyncio.run(result) if prefix else result

    with RivyaCreditsHandler(limit=1) as spent:
        image = run("generate_image", "A lighthouse")
        run("get_image_status", image.task_id)
        run("wait_for_image", image.task_id)
        run("resume", image.task_id)
        for order in (("generate_image", "Another"), ("generate_many", ["Another"])):
            with pytest.raises(CreditLimitError):
                run(*order)

    assert spent.by_run == {image.task_id: spent.total}
    assert spent.by_model["gpt-image-2"].credits == 1_000_000 - sandbox.credits() > 0


def test_images_count_for_a_handler_of_the_settings(spec, sandbox, monkeypatch):
    """LlamaIndex's tools have no callback manager of their own. Inside a `with` of the same handler they count once."""
    spent = RivyaCreditsHandler()
    monkeypatch.setattr(Settings, "_callback_manager", CallbackManager([spent]))

    spec.to_tool_list()[0](prompt="A lighthouse")
    with spent:
        asyncio.run(spec.agenerate_image("Another"))

    assert (spent.total.calls, spent.credits) == (2, 1_000_000 - sandbox.credits())


def test_batches_count_every_image(spec, sandbox):
    """All images of a batch count, each for itself."""
    with RivyaCreditsHandler() as spent:
        spec.generate_many(["One", "Two", "Three"])

    assert spent.total.calls == 3
    assert spent.credits == 1_000_000 - sandbox.credits()


@pytest.mark.parametrize("how", ["threads", "tasks", "streams", "manager"])
def test_the_limit_holds_for_calls_at_the_same_time(sandbox, how):
    """Calls under way count with what is reserved for them, so thirty calls at once do not pass a limit of two."""
    import contextvars
    from concurrent.futures import ThreadPoolExecutor

    sandbox.fault(Fault(path="/chat/completions", delay=0.05, times=30))
    spent = RivyaCreditsHandler(limit=2)
    manager = {"callback_manager": CallbackManager([spent])} if how == "manager" else {}
    llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, **manager)

    async def ask(number):
        try:
            if how == "streams":
                return [chunk async for chunk in await llm.astream_complete(f"Number {number}")]
            return await llm.acomplete(f"Number {number}")
        except CreditLimitError as error:
            return error

    async def every():
        return await asyncio.gather(*(ask(number) for number in range(30)))

    def threaded(number):
        try:
            return llm.complete(f"Number {number}")
        except CreditLimitError as error:
            return error

    with spent:
        if how == "threads":
            with ThreadPoolExecutor(30) as threads:
                jobs = [threads.submit(contextvars.copy_context().run, threaded, n) for n in range(30)]
            done = [job.result() for job in jobs]
        else:
            done = asyncio.run(every())

    turns = len(sandbox.journal.turns)
    assert spent.credits <= 2
    assert 1 <= turns <= 2
    assert len([one for one in done if isinstance(one, CreditLimitError)]) == 30 - turns


def test_a_call_that_is_made_again_under_its_key_costs_once(llm, sandbox):
    with RivyaCreditsHandler() as spent:
        for _ in range(3):
            llm.complete("Hello", idempotency_key="step-1")

    assert [spent.credits] == [turn.charged for turn in sandbox.journal.turns]
