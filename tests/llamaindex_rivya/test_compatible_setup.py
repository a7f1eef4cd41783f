"""`Evolink`, `GMI` and `OpenAICompatible`: what each is set up with, and how their fields reach the wire."""

from __future__ import annotations

import json

import pytest
from llama_backend import Backend, Call, OpenAIRouter, Raw, Reply, chunk, sse
from llama_calls import user
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    CitationBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel
from samples import png_url

from llamaindex_rivya import (
    GMI,
    ConfigurationError,
    Evolink,
    InsufficientCreditsError,
    InvalidInputError,
    OpenAICompatible,
    Rivya,
)

KEY = "key-0123456789"


@pytest.fixture
def backend(scripted: Backend) -> Backend:
    scripted.reset(OpenAIRouter())
    return scripted


@pytest.fixture
def gmi(backend) -> GMI:
    return GMI(api_key=KEY, base_url=backend.url)


@pytest.mark.parametrize(
    ("kind", "variable", "model", "url"),
    [
        (Evolink, "EVOLINK_API_KEY", "gpt-5.2", "https://api.evolink.ai/v1"),
        (GMI, "GMI_API_KEY", "openai/gpt-5.2-chat", "https://api.gmi-serving.com/v1"),
    ],
)
def test_a_key_in_the_environment_is_enough(monkeypatch, kind, variable, model, url):
    """Model and URL have their providers' defaults; without a key its variable is named."""
    with pytest.raises(ConfigurationError, match=variable):
        kind()
    monkeypatch.setenv(variable, KEY)

    llm = kind()

    assert (llm.model, llm.base_url) == (model, url)


def test_any_server_needs_a_model_and_a_url(backend, calls):
    """No default, no environment, and no key where the server wants none."""
    with pytest.raises(ConfigurationError, match="needs `model`"):
        OpenAICompatible(base_url=backend.url)
    with pytest.raises(ConfigurationError, match="needs `base_url`"):
        OpenAICompatible(model="m")

    calls.run(OpenAICompatible(model="m", base_url=backend.url), "complete", "Hi")

    assert "authorization" not in backend.requests[0].headers


def test_class_names_are_stable():
    """Serialised forms are known by these names."""
    names = [kind.class_name() for kind in (Rivya, Evolink, GMI, OpenAICompatible)]

    assert names == ["rivya_llm", "evolink_llm", "gmi_llm", "openai_compatible_llm"]


@pytest.mark.parametrize(("model", "window"), [("openai/gpt-5.2-chat", 128_000), ("openai/gpt-5.2", 400_000)])
def test_known_models_have_their_size(model, window):
    """What is known of a model is its window; `max_tokens` is what prompts leave free."""
    assert GMI(api_key=KEY, model=model).metadata.context_window == window
    assert GMI(api_key=KEY, model=model).metadata.num_output == 4_096
    assert GMI(api_key=KEY, model=model, max_tokens=100).metadata.num_output == 100


def test_unknown_models_have_a_usable_size_that_can_be_said():
    """An unknown model gets 32,000 tokens, or the size that the caller gives."""
    assert OpenAICompatible(model="m", base_url="http://h/v1").metadata.context_window == 32_000
    small = OpenAICompatible(model="m", base_url="http://h/v1", context_window=2_000).metadata
    assert (small.context_window, small.num_output) == (2_000, 250)


def test_fields_are_sent_when_they_are_set(backend, calls):
    """Each field under its name in the wire, `max_tokens` under the one that the model wants."""
    said = {
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logit_bias": {"5": 1.0},
        "logprobs": True,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "verbosity": "low",
        "service_tier": "flex",
        "user": "ann",
    }
    llm = GMI(api_key=KEY, base_url=backend.url, max_tokens=9, extra_body={"top_k": 3}, **said)

    calls.run(llm, "complete", "Hi")

    body = {k: v for k, v in backend.requests[0].body.items() if k not in {"model", "messages"}}
    assert body == {**said, "max_completion_tokens": 9, "top_k": 3}


def test_a_call_overrides_the_constructor(backend, calls):
    """Per-call keywords win, `max_tokens` included; None takes a field back."""
    llm = GMI(api_key=KEY, base_url=backend.url, max_tokens=9, temperature=0.5, extra_body={"a": 1})

    calls.run(llm, "complete", "Hi", max_tokens=5, temperature=None, model="other", extra_body={"b": 2}, timeout=3)

    body = backend.requests[0].body
    assert (body["model"], body["max_tokens"], body["a"], body["b"]) == ("other", 5, 1, 2)
    assert "temperature" not in body


def test_parallel_calls_are_spoken_of_only_with_tools(backend, calls):
    """`parallel_tool_calls` is an error to servers where there are no tools."""
    llm = GMI(api_key=KEY, base_url=backend.url, parallel_tool_calls=False)

    calls.run(llm, "complete", "Hi")
    calls.run(llm, "chat", [user("Hi")], tools=[{"type": "function", "function": {"name": "f"}}])

    assert "parallel_tool_calls" not in backend.requests[0].body
    assert backend.requests[1].body["parallel_tool_calls"] is False


def test_an_unknown_keyword_is_refused(gmi, backend, calls):
    """Before anything is sent."""
    with pytest.raises(InvalidInputError, match="does not take `temprature`"):
        calls.each(gmi, "stream_chat", [user("Hi")], temprature=1)

    assert not backend.requests


def test_an_unknown_tool_choice_is_refused(gmi, backend, calls):
    """The message lists the valid choices."""
    with pytest.raises(InvalidInputError, match="`auto`, `none`, `any`, `required`, `add`"):
        calls.run(gmi, "chat_with_tools", [tool()], user_msg="Hi", tool_choice="nothing")

    assert not backend.requests


@pytest.mark.parametrize(
    ("given", "sent"), [("any", "required"), ("none", "none"), ({"type": "allowed_tools"}, {"type": "allowed_tools"})]
)
def test_tool_choices_reach_the_wire(gmi, backend, calls, given, sent):
    """Other frameworks' words are translated, objects are sent unchanged."""
    calls.run(gmi, "chat_with_tools", [tool()], user_msg="Hi", tool_choice=given)

    assert backend.requests[0].body["tool_choice"] == sent


@pytest.mark.parametrize("name", ["structured_predict", "stream_structured_predict"])
def test_programs_of_other_packages_can_be_asked_for(backend, calls, name):
    """A program mode that is not carried out here is left to LlamaIndex, which names the package it needs."""
    llm = GMI(api_key=KEY, base_url=backend.url, pydantic_program_mode=PydanticProgramMode.LM_FORMAT_ENFORCER)

    with pytest.raises(ImportError, match="lmformatenforcer"):
        (calls.run if name == "structured_predict" else calls.each)(llm, name, BaseModel, PromptTemplate("Hi"))


def tool():
    from llama_index.core.tools import FunctionTool

    def add(a: int) -> int:
        """Add."""
        return a

    return FunctionTool.from_defaults(add)


def test_usage_is_asked_for_in_streams_and_a_refusal_is_remembered(backend, calls):
    """A back end that refuses `stream_options` once is asked without them from then on."""
    llm = OpenAICompatible(model=f"refuses-{calls.is_async}", base_url=backend.url)
    refusal = json.dumps({"error": {"message": "Unknown parameter: 'stream_options'.", "param": "stream_options"}})
    backend.say(Raw((refusal.encode(),), status=400))

    chunks = calls.each(llm, "stream_chat", [user("Hi")])
    calls.each(llm, "stream_chat", [user("Hi")])

    assert chunks[-1].message.content == "ok"
    assert ["stream_options" in request.body for request in backend.requests] == [True, False, False]


def test_a_negative_answer_about_money_is_typed(gmi, backend, calls):
    """GMI's nested errors are read to their innermost words."""
    inner = json.dumps({"error": {"message": "no credits left", "code": "insufficient_quota"}})
    backend.say(Raw((json.dumps({"error": "backend_error", "details": inner}).encode(),), status=429))

    with pytest.raises(InsufficientCreditsError, match="no credits left"):
        calls.run(gmi, "complete", "Hi")

    assert len(backend.requests) == 1


class TestReplies:
    def test_log_probabilities(self, gmi, backend, calls):
        """They are in the response's `logprobs` and in `raw`, and do not fill memories."""
        tokens = [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": [{"token": "Ho", "logprob": -2}]}]
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        body = {"id": "x", "choices": [{**choice, "logprobs": {"content": tokens}}]}
        backend.say(Raw((json.dumps(body).encode(),)))

        response = calls.run(gmi, "chat", [user("Hi")])

        assert [[found.token for found in listed] for listed in response.logprobs] == [["Ho"]]
        assert response.raw["logprobs"]["content"] == tokens
        assert "logprobs" not in response.message.additional_kwargs

    def test_images_and_sound_that_the_model_makes(self, gmi, backend, calls):
        """They are blocks of the last message."""
        url = png_url()
        message = {"role": "assistant", "content": "See.", "images": [{"image_url": {"url": url}}]}
        message["audio"] = {"id": "a", "data": "AAAA", "transcript": "See."}
        body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        backend.say(Raw((json.dumps(body).encode(),)))

        blocks = calls.run(gmi, "chat", [user("Hi")]).message.blocks

        assert [type(block) for block in blocks] == [TextBlock, ImageBlock, AudioBlock]

    def test_citations_are_plain_json(self, gmi, backend, calls):
        """Sources are blocks and metadata of the message, and do not change what is sent back."""
        note = {"type": "url_citation", "url_citation": {"url": "https://example.com/", "title": "T"}}
        message = {"role": "assistant", "content": "So.", "annotations": [note]}
        body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        backend.say(Raw((json.dumps(body).encode(),)))

        reply = calls.run(gmi, "chat", [user("Hi")]).message
        stored = ChatMessage.model_validate_json(reply.model_dump_json())
        calls.run(gmi, "chat", [user("Hi"), stored, user("Go")])

        assert [(type(block), block.source) for block in reply.blocks[1:]] == [(CitationBlock, "https://example.com/")]
        assert [cited["url"] for cited in reply.additional_kwargs["citations"]] == ["https://example.com/"]
        assert backend.requests[1].body["messages"][1] == {"role": "assistant", "content": "So."}

    def test_reasoning_is_sent_back_to_its_origin_only(self, backend, calls):
        """Unless nothing may go back."""
        for rule, wanted in (("own", True), ("none", False)):
            llm = GMI(api_key=KEY, base_url=backend.url, model="deepseek-ai/DeepSeek-V3", send_back=rule)
            backend.say(Reply("Yes.", reasonings="Let me see.", calls=(Call("f", {}),)))
            reply = calls.run(llm, "chat", [user("Is it?")]).message
            backend.requests.clear()
            result = ChatMessage(role="tool", content="1", additional_kwargs={"tool_call_id": "call_1"})
            calls.run(llm, "chat", [user("Is it?"), reply, result])

            assert [b.content for b in reply.blocks if isinstance(b, ThinkingBlock)] == ["Let me see."]
            assert ("reasoning_content" in backend.requests[0].body["messages"][1]) is wanted

    def test_think_tags_can_be_reasoning(self, backend, calls):
        """With `think_tags`, text in tags is reasoning."""
        llm = OpenAICompatible(model="m", base_url=backend.url, think_tags=True)
        backend.say(sse(chunk({"content": "<think>Hm."}), chunk({"content": "</think>Yes."}), chunk({}, "stop")))

        last = calls.each(llm, "stream_chat", [user("Is it?")])[-1]

        assert last.message.content == "Yes."
        assert last.message.blocks[0].content == "Hm."

    def test_usage_with_details(self, gmi, backend, calls):
        """Cached and reasoning tokens are reported with the counts; Evolink's zeros do not hide them."""
        usage = {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "input_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        backend.say(Raw((json.dumps({"id": "x", "choices": [choice], "usage": usage}).encode(),)))

        raw = calls.run(gmi, "chat", [user("Hi")]).raw

        assert raw["usage"]["prompt_tokens"] == 11
        assert raw["usage"]["prompt_tokens_details"] == {"cached_tokens": 5}
        assert raw["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
        assert raw["finish_reason"] == "stop"

    def test_a_refusal_goes_back_as_one(self, gmi, backend, calls):
        """A refusal is in the message's metadata, and the next turn has it."""
        message = {"role": "assistant", "content": None, "refusal": "I must not."}
        body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        backend.say(Raw((json.dumps(body).encode(),)))

        reply = calls.run(gmi, "chat", [user("Hi")]).message
        calls.run(gmi, "chat", [user("Hi"), reply, user("Go")])

        assert reply.additional_kwargs["refusal"] == "I must not."
        assert backend.requests[1].body["messages"][1]["refusal"] == "I must not."
