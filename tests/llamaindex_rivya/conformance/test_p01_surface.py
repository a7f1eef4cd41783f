"""Point 1: the eight methods, metadata without I/O, a name of one's own, `Settings.llm`."""

from __future__ import annotations

import inspect

import pytest
from llama_calls import user
from llama_index.core import Settings
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM


def test_is_an_llm(llm, candidate):
    """The class is an `LLM`, and a `FunctionCallingLLM` exactly if it calls functions."""
    assert isinstance(llm, BaseLLM)
    assert isinstance(llm, LLM)
    assert isinstance(llm, FunctionCallingLLM) is candidate.tools


def test_metadata_is_told_without_asking_anybody(llm, candidate, backend):
    """`metadata` says chat model, tools, a usable window, for any model name, and sends nothing."""
    assert llm.metadata.is_chat_model
    assert llm.metadata.is_function_calling_model is candidate.tools
    assert llm.metadata.context_window > 3000
    assert llm.metadata.model_name == llm.model
    assert not backend.requests


def test_unknown_models_are_fine(make, backend, calls):
    """An unknown model has metadata and can be called."""
    llm = make(model="nobody/has-heard-of-it")

    assert llm.metadata.model_name == "nobody/has-heard-of-it"
    assert calls.run(llm, "chat", [user("Hi")]).message.content == "ok"
    assert backend.requests[0].body["model"] == "nobody/has-heard-of-it"


def test_class_name_is_its_own(llm):
    """`class_name()` tells the class from its bases."""
    assert llm.class_name() not in {base.class_name() for base in type(llm).__mro__[1:] if hasattr(base, "class_name")}


@pytest.mark.parametrize(("name", "kind"), [("chat", ChatResponse), ("complete", CompletionResponse)])
def test_whole_methods_return_responses(llm, calls, name, kind):
    """`chat` and `complete`, sync and async, return one response."""
    asked = [user("Hi")] if name == "chat" else "Hi"

    assert isinstance(calls.run(llm, name, asked), kind)


@pytest.mark.parametrize(("name", "kind"), [("stream_chat", ChatResponse), ("stream_complete", CompletionResponse)])
def test_streaming_methods_return_generators(llm, calls, name, kind):
    """`stream_chat` and `stream_complete`, sync and async, give responses one by one."""
    asked = [user("Hi")] if name == "stream_chat" else "Hi"

    assert all(isinstance(item, kind) for item in calls.each(llm, name, asked))


def test_async_streams_are_awaited_and_then_iterated(llm):
    """`astream_chat` and `astream_complete` are coroutine functions, as LlamaIndex calls them."""
    assert inspect.iscoroutinefunction(type(llm).astream_chat)
    assert inspect.iscoroutinefunction(type(llm).astream_complete)
    assert inspect.iscoroutinefunction(type(llm).achat)
    assert inspect.iscoroutinefunction(type(llm).acomplete)


def test_can_be_the_default_model(llm, monkeypatch):
    """`Settings.llm` takes it."""
    monkeypatch.setattr(Settings, "_llm", None)

    Settings.llm = llm

    assert Settings.llm is llm


def test_prompt_wrappers_are_applied(make, backend, calls):
    """`completion_to_prompt` shapes completions, unless they come formatted."""
    llm = make(completion_to_prompt=lambda prompt: f"<<{prompt}>>")

    calls.run(llm, "complete", "Hi")
    calls.run(llm, "complete", "Hi", formatted=True)

    assert "<<Hi>>" in str(backend.requests[0].body)
    assert "<<Hi>>" not in str(backend.requests[1].body)
