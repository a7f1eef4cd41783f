"""The session timeline and the credits chart: what they show, and that they trust nothing that they show."""

import asyncio
import re

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.llms import ChatMessage

import langchain_rivya
import llamaindex_rivya
from langchain_rivya import ChatGMI, ChatRivya, RivyaCreditsHandler, SessionTimeline
from rivya_core.reporting.costs import Cost
from rivya_core.reporting.credits_html import credits_html
from rivya_core.reporting.steps import Step
from rivya_core.reporting.timeline_html import COLOURS, MOST_ROWS


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


def test_a_fork_is_joined_to_the_reply_that_it_forks(sandbox):
    """The line of a replayed session begins at the dot of the reply that its history ends with."""
    html = SessionTimeline(*talk(ChatRivya(**where(sandbox))))._repr_html_()
    (
        first,
        *_,
    ) = rows_of(html)

    assert curves(first) == [("9", "27"), ("9", "45")]
    assert curves(html) == curves(first)


@pytest.mark.parametrize("framework", [langchain_rivya, llamaindex_rivya], ids=["langchain", "llamaindex"])
def test_handlers_of_both_frameworks_join_forks(sandbox, framework):
    """A fork of the second reply starts at that reply, with the handler of either framework, in text too."""
    with framework.RivyaCreditsHandler() as spent:
        if framework is langchain_rivya:
            model = ChatRivya(**where(sandbox))
            history = [HumanMessage("My name is Ada.")]
            for question in ("What is my name?", "Thank you."):
                history += [model.invoke(history), HumanMessage(question)]
            model.invoke([*history[:-1], HumanMessage("Say hello.")])
            model.invoke([*history[:-1], HumanMessage("Say goodbye.")])
        else:
            llm = llamaindex_rivya.Rivya(**where(sandbox))
            told = [ChatMessage("My name is Ada.")]
            for question in ("What is my name?", "Thank you."):
                told += [llm.chat(told).message, ChatMessage(question)]
            llm.chat([*told[:-1], ChatMessage("Say hello.")])
            llm.chat([*told[:-1], ChatMessage("Say goodbye.")])

    *_, last = str(spent.timeline).splitlines()
    assert last.split()[:3] == ["4", "replay", "2"]
    assert curves(rows_of(spent.timeline._repr_html_())[1]) == [("9", "27")]


def test_a_lane_is_used_again():
    """A thousand short conversations have one lane, and the newest calls are drawn."""
    steps = [Step("Hi", "new", f"session {number}", "m", Cost(1)) for number in range(1000)]
    html = SessionTimeline.of(steps)._repr_html_()

    assert html.count('cx="9"') == html.count("<circle") == MOST_ROWS
    assert "1,000 calls" in html
    assert len(str(SessionTimeline.of(steps)).splitlines()) == 1001


def test_text_is_legible_on_light_and_dark_pages(sandbox):
    """Every colour of text is white on a badge of 4.5:1 or more; the rest has the page's own colour."""
    with RivyaCreditsHandler() as spent:
        talk(ChatRivya(**where(sandbox)))
    html = spent._repr_html_() + spent.timeline._repr_html_()

    assert all(contrast(colour, "#ffffff") >= 4.5 for colour in COLOURS.values())
    assert set(re.findall(r"(?<![-\w])color:([^;\"]*)", html)) == {"#fff"}
    assert set(re.findall(r"background:(#\w+)", html)) <= set(COLOURS.values())
    assert 'stroke="currentColor"' in html


def test_a_long_prompt_stays_on_one_line():
    """It is cut by the page where it does not fit, and the whole of it is its title."""
    html = SessionTimeline.of([Step("What is the longest river?", "new", "s", "m", Cost(1))])._repr_html_()

    assert re.search(r'<div style="[^"]*text-overflow:ellipsis;white-space:nowrap" title="What is the longest', html)


def test_a_terminal_shows_a_table(sandbox):
    """What a prompt shows is what `print` writes; it has the numbers of the chart."""
    with RivyaCreditsHandler(limit=10) as spent:
        ChatRivya(**where(sandbox)).invoke("Hello")
        ChatGMI(**where(sandbox, "gmi")).invoke("Hello")

    headline, head, *rows = repr(spent).splitlines()
    assert headline == "1 of 10 credits in 2 calls, 1 of them without reported credits"
    assert head.split()[:3] == ["model", "credits", "calls"]
    assert [row.split()[:2] for row in rows] == [["gpt-5-2-chat", "1"], ["openai/gpt-5.2-chat", "not"]]
    assert repr(spent.timeline) == str(spent.timeline)
    assert repr(RivyaCreditsHandler()) == "0 credits in 0 calls"


def test_a_terminal_is_not_steered():
    """Escape sequences in what a user or a server wrote are left out."""
    facts = {"session_route": "new\x1b[2J", "session_id": "\x1b]0;owned\x07", "model": "m\x1b[31m"}
    timeline = SessionTimeline([HumanMessage("\x1b[2Jhello\r\nthere"), AIMessage("", response_metadata=facts)])
    spent = RivyaCreditsHandler()
    spent._add("run", timeline.steps[0])

    assert "\x1b" not in str(timeline) + repr(spent)
    assert "hello there" in str(timeline)


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
    assert bars(html) == [("10", "1")]


def test_a_chart_without_credits_is_one_of_tokens():
    """Where no reply names credits the chart says so, and the bars are labelled as tokens."""
    html = credits_html({"a": Cost(1, 0, 10, 10), "b": Cost(2, 0, 5, 5)})

    assert bars(html) == [("100", "20"), ("50", "10")]
    assert "credits not reported in 3 calls" in html
    assert html.count(">not reported<") == 2
    assert ">tokens</th>" in html


def test_a_provider_without_credits_has_no_bar_beside_one_with_credits():
    """An amount that was not reported is not drawn as zero."""
    html = credits_html({"rivya": Cost(2, 3, 10, 10, priced_calls=2), "gmi": Cost(1, 0, 500, 500)})

    assert bars(html) == [("100", "3")]
    assert ">not reported<" in html
    assert "3 credits in 3 calls, 1 of them without reported credits" in html


def test_calls_that_are_free_cost_nothing():
    """Zero credits that a reply names are not the same as none reported."""
    html = credits_html({"a": Cost(1, 0, 10, 10, priced_calls=1)})

    assert "0 credits in 1 call" in html
    assert "not reported" not in html


def rows_of(html):
    return re.findall(r"(?s)<tr style.*?</tr>", html)


def curves(html):
    """The lanes that each fork goes from and to."""
    return re.findall(r'd="M(\d+) 15C\d+ 30 (\d+) ', html)


def bars(html):
    """The width and the label of each bar."""
    return re.findall(r'<rect width="(\d+)" height="14" rx="3" fill="#2a6fc9"/></svg> ([^<]*)', html)


def contrast(one, other):
    """The contrast of two colours by WCAG 2.1."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
