"""Conversations that are written into one message, split into their messages."""

import pytest

from rivya_sandbox import Attachment, Message, StandIn, unfold

WRITTEN = """[conversation 3f9a2c]
What follows is a conversation.
[3f9 user] is no header.

[3f9a2c system]
You are terse.
Really.
[3f9a2c user {"name": "Ann", "attachments": [2]}]
My name is Ann
[conversation 000000]
[3f9a2c assistant]

[3f9a2c tool_call {"id": "c1", "name": "look"}]
{"at": "it"}
[3f9a2c tool {"tool_call_id": "c1"}]
a cat
[3f9a2c user]
What is my name?
[3f9a2c end]"""


def test_every_message_comes_back_as_it_was():
    """Roles, line breaks, empty texts, names, calls, and the attachments that belong to each."""
    images = (Attachment("file_1", "aa"), Attachment("file_2", "bb"))

    assert unfold((Message("user", WRITTEN, images),)) == (
        Message("system", "You are terse.\nReally."),
        Message("user", "My name is Ann\n[conversation 000000]", (images[1],), name="Ann"),
        Message("assistant", "", tool_calls=({"id": "c1", "name": "look", "arguments": '{"at": "it"}'},)),
        Message("tool", "a cat", tool_call_id="c1"),
        Message("user", "What is my name?"),
    )


def test_the_model_answers_the_last_user_message_of_it():
    """With the messages before it."""
    assert StandIn()((Message("user", WRITTEN),)).text == "Your name is Ann."


def test_plain_messages_stay_between_written_out_ones():
    """A session that starts with a transcript continues with plain messages."""
    context = (Message("user", WRITTEN), Message("assistant", "Ann."), Message("user", "Thanks"))

    assert [message.text for message in unfold(context)][-3:] == ["What is my name?", "Ann.", "Thanks"]


@pytest.mark.parametrize(
    "text",
    [
        "[conversation 3f9a2c]\nno blocks",
        WRITTEN.removesuffix("[3f9a2c end]"),
        WRITTEN.replace("[conversation 3f9a2c]", "[conversation 3f9a2d]"),
        "A word on [conversation 3f9a2c]",
    ],
)
def test_what_is_not_closed_properly_is_one_message(text):
    """No text becomes another role by accident."""
    assert unfold((Message("user", text),)) == (Message("user", text),)


def test_broken_headers_do_no_harm():
    """Header data must be a JSON object; numbers beyond the attachments are ignored."""
    text = '[conversation ab]\n\n[ab user {nope}]\nx\n[ab user {"attachments": [0, 3]}]\ny\n[ab end]'

    assert unfold((Message("user", text),)) == (Message("user", "x"), Message("user", "y"))


def test_an_assistants_text_is_never_taken_apart():
    """Only a user's message can be a transcript."""
    assert unfold((Message("assistant", WRITTEN),)) == (Message("assistant", WRITTEN),)
