"""What a long history costs, in calls of functions, which do not depend on how busy the machine is."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from both_frameworks import KEY, URL, Backend
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.base.llms.types import ChatMessage

from langchain_rivya import ChatOpenAICompatible
from llamaindex_rivya import OpenAICompatible

OURS = ("/rivya_core/", "/langchain_rivya/", "/llamaindex_rivya/")


def langchain(texts: list[str]) -> Callable[[], Any]:
    history = [(AIMessage if at % 2 else HumanMessage)(text) for at, text in enumerate(texts)]
    model = ChatOpenAICompatible(model="m", api_key=KEY, base_url=URL, http_client=Backend().clients["http_client"])
    return lambda: model.invoke(history)


def llamaindex(texts: list[str]) -> Callable[[], Any]:
    history = [ChatMessage(text, role="assistant" if at % 2 else "user") for at, text in enumerate(texts)]
    model = OpenAICompatible(model="m", api_key=KEY, base_url=URL, http_client=Backend().clients["http_client"])
    return lambda: model.chat(history)


def calls_of(work: Callable[[], Any]) -> Counter[str]:
    """How often each function is called while *work* runs once more; built-in functions that our code calls, too."""
    work()
    found: Counter[str] = Counter()

    def count(frame: Any, event: str, _: Any) -> None:
        if event in {"call", "c_call"} and any(part in frame.f_code.co_filename for part in OURS):
            found[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("framework", [langchain, llamaindex])
def test_a_message_costs_the_same_whatever_its_length(framework: Callable[[list[str]], Callable[[], Any]]) -> None:
    short, long = (calls_of(framework([text] * 100)) for text in ("Hello.", "Hello, " * 500))

    assert long == short


@pytest.mark.parametrize("framework", [langchain, llamaindex])
def test_a_history_costs_as_much_a_message_however_long_it_is(
    framework: Callable[[list[str]], Callable[[], Any]],
) -> None:
    short, longer, longest = (
        calls_of(framework(["Hello."] * count)) for count in (512, 1024, 1536)
    )  # written in parts of 256

    assert longest - longer == longer - short
