"""The session timeline and the credits chart: what they show, and that they trust nothing that they show."""

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.llms import ChatMessage

import langchain_rivya
import llamaindex_rivya
from langchain_rivya import ChatGMI, ChatRivya, RivyaCreditsHandler, SessionTimeline
from rivya_core.reporting.costs import Cost
from rivya_core.reporting.timeline_html import credits_html, timeline_html


def where(sandbox, provider="rivya"):
    return {"api_key": sandbox.api_key, "base_url": getattr(sandbox, f"{provider}_url")}


def talk(model):
    """A conversation, a fork of it and an edited one; return the three histories."""

    def ask(history, question):
        history = [*history, HumanMessage(question)]
        return [*history, model.invoke(history)]

    first = ask([], "My name is Ada.")
    second = ask(first, "What is my name?")
    forked = ask(first, "Say hello.")
    edited = ask([HumanMessage("My name is Grace."), first[1]], "What is my name?")
    return second, forked, edited


def test_messages_tell_what_happened_to_their_sessions(sandbox):
    """Replies that two histories share are one call; each row says how it was sent and what it answered."""
    timeline = SessionTimeline(*talk(ChatRivya(**where(sandbox))))

    assert [(step.route, step.asked) for step in timeline.steps] == [
        ("new", "My name is Ada."),
        ("continue", "What is my name?"),
        ("replay", "Say hello."),
        ("replay", "What is my name?"),
    ]
    assert len({step.session for step in timeline.steps}) == 3
    assert [step.cost.credits for step in timeline.steps] == [turn.charged for turn in sandbox.journal.turns]
    assert all(step.cost.input_tokens for step in timeline.steps)


def test_a_handler_sees_the_same(sandbox):
    """The timeline of the credits handler is that of the messages."""
    with RivyaCreditsHandler() as spent:
        histories = talk(ChatRivya(**where(sandbox)))

    assert spent.timeline.steps == SessionTimeline(*histories).steps
    assert str(spent.timeline) == str(SessionTimeline(*histories))
    assert "replay" in str(spent.timeline)


def test_a_failed_call_leaves_nothing_behind(sandbox):
    """Only calls that ended are rows, and what they asked is forgotten with them."""
    with RivyaCreditsHandler() as spent, pytest.raises(langchain_rivya.AuthenticationError):
        ChatRivya(**where(sandbox) | {"api_key": "wrong"}).invoke("Hello?")

    assert spent.timeline.steps == []
    assert spent._under_way == {}
    assert (str(spent.timeline), spent.timeline._repr_html_()) == ("No calls.", "<p>No calls.</p>")


def test_llamaindex_replies_and_memories_show_the_same(sandbox):
    """Responses, the messages in a memory, a handler on the model and one in a `with` all give the same steps."""
    counting = llamaindex_rivya.RivyaCreditsHandler()
    llm = llamaindex_rivya.Rivya(**where(sandbox))
    messages = [ChatMessage("My name is Ada.")]
    responses = []
    with counting:
        for question in ("What is my name?", "Goodbye."):
            responses.append(llm.chat(messages))
            messages += [responses[-1].message, ChatMessage(question)]
        *_, last = llm.stream_chat(messages)
        asyncio.run(llm.acomplete("Hello"))

    routes = [step.route for step in counting.timeline.steps]
    assert routes == ["new", "continue", "continue", "new"]
    assert [step.asked for step in counting.timeline.steps][:2] == ["My name is Ada.", "What is my name?"]
    assert [step.route for step in SessionTimeline(responses, last).steps] == routes[:3]
    assert [step.asked for step in SessionTimeline(messages).steps] == ["My name is Ada.", "What is my name?"]


def test_lanes_are_sessions(sandbox):
    """In a notebook each session is a lane: the fork and the edit of a conversation each have their own."""
    html = SessionTimeline(*talk(ChatRivya(**where(sandbox))))._repr_html_()

    assert html.count("<circle") == 4
    assert [html.count(f'cx="{x}"') for x in (9, 27, 45)] == [2, 1, 1]


def test_stored_responses_are_chains(sandbox):
    """Where replies continue replies, a second continuation of a reply is a lane of its own."""
    model = ChatGMI(use_responses_api=True, use_previous_response_id=True, **where(sandbox, "gmi"))
    timeline = SessionTimeline(*talk(model))

    assert [step.route for step in timeline.steps] == ["new", "continue", "continue", "replay"]
    assert [timeline._repr_html_().count(f'cx="{x}"') for x in (9, 27, 45)] == [2, 1, 1]


def test_whole_histories_share_a_lane(sandbox):
    """Chat completions have no sessions."""
    timeline = SessionTimeline(*talk(ChatGMI(**where(sandbox, "gmi"))))

    assert {step.route for step in timeline.steps} == {None}
    assert timeline._repr_html_().count('cx="9"') == 4
    assert "whole" in str(timeline)


def test_nothing_that_is_shown_is_trusted():
    """Messages and metadata may be anybody's: markup is escaped, long texts are cut, odd values are left out."""
    facts = {"session_route": "<b>", "session_id": '"><script>', "id": 7, "credits": {"final": "many"}}
    evil = [HumanMessage("<script>alert(1)</script> " + "x" * 5000), AIMessage("", response_metadata=facts)]
    timeline = SessionTimeline(evil)

    html = timeline._repr_html_() + credits_html({"<script>": Cost(1, 2)})

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert len(timeline.steps[0].asked) == 60
    assert timeline.steps[0].cost.credits == 0


def test_the_chart_has_a_bar_for_each_model_and_the_limit(sandbox):
    """Bars are as long as their share; beside a limit they show how much of it is left."""
    with RivyaCreditsHandler(limit=10) as spent:
        ChatRivya(**where(sandbox)).invoke("Hello")

    html = spent._repr_html_()

    assert "1 of 10 credits" in html
    assert "gpt-5-2-chat" in html
    assert 'width="20"' in html


def test_a_chart_without_credits_is_one_of_tokens():
    """Where nothing costs credits the bars are tokens."""
    html = credits_html({"a": Cost(1, 0, 10, 10), "b": Cost(2, 0, 5, 5)})

    assert 'width="200" height="14" rx="3" fill="#3b7dd8"' in html
    assert 'width="100" height="14" rx="3" fill="#3b7dd8"' in html
    assert timeline_html([]) == "<p>No calls.</p>"
