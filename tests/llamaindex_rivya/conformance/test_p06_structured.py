"""Point 6: objects out of replies, whole and streamed, and errors that say what came instead."""

from __future__ import annotations

import copy
import json

import pytest
from llama_backend import Call, Reply
from llama_calls import user
from llama_candidates import with_tools
from llama_events import recorded
from llama_index.core import ChatPromptTemplate, PromptTemplate
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

pytestmark = with_tools


class City(BaseModel):
    """A city."""

    name: str
    people: int


class Country(BaseModel):
    """A country."""

    name: str
    cities: list[City] = []


VALUE = {"name": "Schweiz", "cities": [{"name": "Zürich", "people": 443_037}, {"name": "Bern", "people": 134_506}]}
WANTED = Country.model_validate(VALUE)
TEXT = json.dumps(VALUE)
ASK = PromptTemplate("Tell me of {topic}.")


def answer(text=TEXT, **more):
    """The object in the form that was asked for: a call of the tool, or the text."""

    def reply(request):
        tools = request.body.get("tools")
        call = Call(tools[0]["function"]["name"], text, pieces=9) if tools else None
        return Reply(
            "" if call else tuple(text[i : i + 7] for i in range(0, len(text), 7)), calls=(call,) * bool(call), **more
        )

    return reply


def predict(calls, llm, name, *args, **kwargs):
    if name == "structured_predict":
        return calls.run(llm, name, *args, **kwargs)
    return calls.each(llm, name, *args, **kwargs)[-1]


NAMES = ["structured_predict", "stream_structured_predict"]
MODES = [PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
def test_objects_in_every_mode(make, backend, calls, name, mode):
    """Natively, by a tool, in words; list fields are whole."""
    backend.say(answer())

    assert predict(calls, make(pydantic_program_mode=mode), name, Country, ASK, topic="Switzerland") == WANTED
    assert len(backend.requests) == 1


def test_the_schema_is_sent(make, backend, calls):
    """Each mode says what is wanted where the server looks for it, and no choice of tools without tools."""
    for mode in MODES:
        backend.say(answer())
        calls.run(make(pydantic_program_mode=mode), "structured_predict", Country, ASK, topic="x")

    bodies = [request.body for request in backend.requests]
    assert all("people" in json.dumps(body) for body in bodies)
    assert all("tool_choice" not in body or "tools" in body for body in bodies)
    assert "tools" in bodies[1]
    assert bodies[2].keys() & {"tools", "response_format", "tool_choice"} == set()


@pytest.mark.parametrize("mode", MODES)
def test_streamed_objects_grow(make, backend, calls, mode):
    """Partial objects come before the whole one, and their lists grow."""
    backend.say(answer())

    objects = calls.each(make(pydantic_program_mode=mode), "stream_structured_predict", Country, ASK, topic="x")

    assert len(objects) > 3
    counts = [len(getattr(found, "cities", None) or []) for found in objects]
    assert counts == sorted(counts)
    assert {0, 1, 2} <= set(counts)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrapped", ["```json\n{}\n```", "Here it is: {}. Anything else?", "<think>{{?}}</think>{}"])
def test_objects_in_their_wrappings(make, backend, calls, name, wrapped):
    """Fences, prose and reasoning around the JSON do no harm."""
    text = wrapped.replace("{}", TEXT).replace("{{?}}", "{?}")
    backend.say(Reply(text))

    assert predict(calls, make(pydantic_program_mode=PydanticProgramMode.LLM), name, Country, ASK, topic="x") == WANTED


@pytest.mark.parametrize("name", NAMES)
def test_text_where_a_call_was_wanted(make, backend, calls, name):
    """A model that writes the object instead of calling the tool is understood."""
    backend.say(Reply(TEXT))

    assert (
        predict(calls, make(pydantic_program_mode=PydanticProgramMode.FUNCTION), name, Country, ASK, topic="x")
        == WANTED
    )


BAD = {
    "a missing field": (answer(json.dumps({"cities": []})), "name"),
    "words": (Reply("I cannot tell."), "I cannot tell"),
    "nothing": (Reply(""), ""),
    "null": (Reply("null"), "null"),
    "cut off": (answer(TEXT[:-9], finish="length"), "token limit"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_object_is_a_clear_error(make, backend, calls, name, case, mode):
    """A typed `ValueError` with what came instead; never a half object, never a bare pydantic error."""
    said, words = BAD[case]
    backend.say(said)

    with pytest.raises(ValueError, match=words or None) as caught:
        predict(calls, make(pydantic_program_mode=mode), name, Country, ASK, topic="x")

    assert not type(caught.value).__module__.startswith("pydantic")


def test_a_refusal_is_told(make, backend, calls):
    """The model's words of refusal are in the error."""
    message = {"role": "assistant", "content": None, "refusal": "I must not."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    from llama_backend import Raw

    backend.say(
        Raw((json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}).encode(),))
    )

    with pytest.raises(ValueError, match="I must not"):
        calls.run(make(), "structured_predict", Country, ASK, topic="x")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
def test_the_system_prompt_is_said(make, backend, calls, name, mode):
    """`system_prompt` comes first in every mode, sync and async."""
    backend.say(answer())

    predict(calls, make(system_prompt="Be exact.", pydantic_program_mode=mode), name, Country, ASK, topic="x")

    first = backend.requests[0].body["messages"][0]
    assert (first["role"], first["content"]) in {("system", "Be exact."), ("developer", "Be exact.")}


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_objects_stay_as_they_were(make, backend, calls, mode):
    """Prompt, keywords and messages can be used again."""
    llm = make(pydantic_program_mode=mode)
    message, keywords = user("Tell me of {topic}."), {"temperature": 0.5, "tool_choice": "required"}
    template, kept = ChatPromptTemplate(message_templates=[message]), copy.deepcopy((message, keywords))
    for name in NAMES:
        backend.say(answer())
        predict(calls, llm, name, Country, template, keywords, topic="x")

    assert (message, keywords) == kept
    assert template.output_parser is None
    assert all(request.body["temperature"] == 0.5 for request in backend.requests)
    backend.say(Reply("fine"))
    assert calls.run(llm, "predict", template, topic="x") == "fine"
    assert backend.requests[-1].body["messages"][-1]["content"] == "Tell me of x."


def test_structured_llms(llm, backend, calls):
    """`as_structured_llm` has the object in `raw` and its JSON as text."""
    backend.say(answer())

    response = calls.run(llm.as_structured_llm(Country), "chat", [user("Tell me of Switzerland.")])

    assert response.raw == WANTED
    assert json.loads(response.message.content) == VALUE


def test_structured_prediction_is_one_call(llm, backend, calls):
    """One request, reported as one chat within one structured prediction."""
    backend.say(answer())

    with recorded() as events:
        calls.run(llm, "structured_predict", Country, ASK, topic="x")

    assert len(backend.requests) == 1
    assert events.names() == [
        "LLMStructuredPredictStartEvent",
        "LLMChatStartEvent",
        "LLMChatEndEvent",
        "LLMStructuredPredictEndEvent",
    ]


def test_the_frameworks_own_program_works(llm, backend):
    """`FunctionCallingProgram`, used directly, calls the tool that it must."""
    backend.say(answer())

    assert FunctionCallingProgram.from_defaults(Country, "Tell me of {topic}.", llm=llm)(topic="x") == WANTED
    assert backend.requests[0].body["tool_choice"] == "required"


def test_a_structured_stream_left_early_frees_the_connection(llm, backend):
    """Closing the stream of objects closes the request."""
    from llama_backend import EVENTS, Raw

    def slow(request):
        return Raw(backend.wire.render(answer()(request), request).pieces, headers=EVENTS, pause=0.05)

    backend.say(slow)
    stream = llm.stream_structured_predict(Country, ASK, topic="x")
    next(stream)
    stream.close()

    assert backend.requests[0].left.wait(1)
