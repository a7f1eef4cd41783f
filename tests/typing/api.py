"""Never run, only checked, by mypy and pyright: what a user's editor says about the public names.

`py.typed` promises that the annotations hold outside of this repository; `make check` checks this file as a user's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import BaseTool
from llama_index.core.llms import LLM, ChatMessage, ChatResponse
from llama_index.core.tools import FunctionTool
from pydantic import SecretStr
from typing_extensions import assert_type

from langchain_rivya import (
    ChatEvolink,
    ChatGMI,
    ChatOpenAICompatible,
    ChatRivya,
    CreditLimitError,
    GeneratedImage,
    ImageBatch,
    MemoryLedger,
    ModelEntry,
    RateLimitError,
    RivyaCreditsHandler,
    RivyaError,
    RivyaImageTool,
    SessionTimeline,
    register,
)
from llama_index.llms.rivya import Rivya as NamespacedRivya
from llama_index.tools.rivya import RivyaImageToolSpec as NamespacedSpec
from llamaindex_rivya import GMI, Evolink, OpenAICompatible, Rivya, RivyaImageToolSpec
from llamaindex_rivya import RivyaCreditsHandler as LlamaIndexCreditsHandler
from rivya_sandbox import Answer, Fault, Sandbox, Upstream, serve


def langchain() -> None:
    models: list[BaseChatModel] = [
        ChatRivya(api_key="k", session_ledger=MemoryLedger(), on_history_mismatch="error", reasoning_effort="low"),
        ChatRivya(api_key=SecretStr("k"), timeout=(5, 60), default_headers={"X-Team": "blue"}),
        ChatEvolink(temperature=0.2, api_key=fresh_key, default_query={"api-version": "1"}, ignore_unsupported=True),
        ChatGMI(max_tokens=10, use_responses_api=True),
        ChatOpenAICompatible(model="m", base_url="http://localhost:8000/v1"),
    ]
    reply = models[0].invoke([HumanMessage("Hello")])
    assert_type(reply, AIMessage)
    pieces: Iterator[AIMessageChunk] = models[0].stream("Hello")
    assert pieces
    later: AsyncIterator[AIMessageChunk] = models[0].astream("Hello")
    assert later
    assert_type(ChatRivya().credits(), float)
    assert_type(ChatRivya().models(), list[ModelEntry])
    register()
    register(ignore_unsupported=True)


def fresh_key() -> str:
    return "k"


async def fresh_key_later() -> SecretStr:
    return SecretStr("k")


def images() -> None:
    tool: BaseTool = RivyaImageTool(output_dir="out")
    assert tool
    image = RivyaImageTool().generate("A lighthouse", aspect_ratio="16:9")
    assert_type(image, GeneratedImage)
    assert_type(RivyaImageTool().generate_many(["A"]), ImageBatch)
    assert_type(image.content, bytes)


def counting() -> None:
    with RivyaCreditsHandler(limit=5) as spent:
        pass
    assert_type(spent, RivyaCreditsHandler)
    assert_type(spent.credits, float)
    assert_type(spent.timeline, SessionTimeline)
    with LlamaIndexCreditsHandler() as counted:
        assert_type(counted, LlamaIndexCreditsHandler)


def llamaindex() -> None:
    llms: list[LLM] = [
        Rivya(api_key="k", timeout=5, reasoning_effort="low"),
        NamespacedRivya(),
        Evolink(api_key=fresh_key_later, extra_body={"top_k": 3}),
        GMI(),
        OpenAICompatible(model="m", base_url="http://x/v1"),
    ]
    assert llms
    assert_type(RivyaImageToolSpec().to_tool_list(), list[FunctionTool])
    assert NamespacedSpec()


async def asynchronously() -> None:
    assert_type(await ChatRivya().acredits(), float)
    assert_type(await Rivya().amodels(), list[ModelEntry])
    response: ChatResponse = await Rivya().achat([ChatMessage("Hello")])
    assert response


def failing() -> None:
    try:
        langchain()
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int | None)
    except (CreditLimitError, RivyaError) as error:
        assert_type(error.code, str | None)


def sandboxed() -> None:
    with serve(port=0, credits=5) as sandbox:
        assert_type(sandbox, Sandbox)
        sandbox.answer(lambda context: Answer(f"{len(context)} messages"))
        sandbox.fault(Fault(status=503, times=2))
        assert_type(sandbox.rivya_url, str)
    serve(model=Upstream("http://localhost:8000/v1"))
