"""The stand-in that answers: deterministic, quick, and sensible for its prompt.

It is no language model. It finds the sentence of a given passage that answers the question, keeps to the forms that
the frameworks' prompts ask for, remembers what was said, repeats what it is told to, and otherwise says a short word
on the subject. Any other `Model` (a callable from context to `Answer`) can take its place: `Sandbox(model=…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rivya_sandbox.model import agents, prompts, smalltalk
from rivya_sandbox.model.smalltalk import Before
from rivya_sandbox.model.transcript import unfold
from rivya_sandbox.model.words import subject_of
from rivya_sandbox.values import Answer, Context, Message

PROMPT_FORMS: Sequence[Callable[[str], str | None]] = (
    prompts.keyword_list,
    prompts.refined,
    prompts.choice,
    prompts.condensed,
    prompts.from_passages,
)
ASKING = ("user", "tool")
NOBODY = Message("user", "")
TALK: Sequence[Callable[[str, Before], str | None]] = (
    smalltalk.repeat,
    smalltalk.recall,
    smalltalk.reckon,
    smalltalk.greet,
    smalltalk.know,
    smalltalk.write,
)


class StandIn:
    """A model without a model."""

    def __call__(self, context: Context, /) -> Answer:
        """Answer the last message of the context; a conversation that is written into one message counts as one."""
        messages = unfold(context)
        text = respond(messages)
        return Answer(text, thoughts_on(messages))


def respond(messages: Context) -> str:
    """The answer to the last message."""
    instructions = "\n\n".join([message.text for message in messages if message.role == "system"])
    asked = next((message for message in reversed(messages) if message.role in ASKING), NOBODY)
    if agents.is_agent_prompt(instructions or asked.text):
        return agents.act(instructions or asked.text, said_in(messages), lambda plain: reply(plain, messages, ""))
    if asked.role == "tool":
        return smalltalk.shortened(f"The tool answered: {asked.text}")
    return reply(asked.text, messages, instructions)


def reply(question: str, messages: Context, instructions: str) -> str:
    """The answer to a question that is no agent's."""
    for form in PROMPT_FORMS:
        if (answer := form(question)) is not None:
            return answer
    from_documents = prompts.from_documents(question, instructions)
    if from_documents is not None:
        return from_documents
    return talk(question, messages)


def talk(question: str, messages: Context) -> str:
    """The answer to plain talk."""
    before = Before(messages[:-1])
    for habit in TALK:
        if (answer := habit(question, before)) is not None:
            return answer
    if (summary := prompts.summarised(question)) is not None:
        return summary
    return about_images(messages) or smalltalk.anything_else(question)


def about_images(messages: Context) -> str | None:
    """A word on the images of the last message."""
    images = messages[-1].attachments if messages else ()
    if not images:
        return None
    digests = ", ".join(image.sha256[:8] for image in images)
    return f"I see {len(images)} image{'s' if len(images) > 1 else ''} (sha256 {digests})."


def said_in(messages: Context) -> list[str]:
    """What the user and the tools said; a tool's words are an observation."""
    asked = [message for message in messages if message.role in ASKING]
    return [f"Observation: {message.text}" if message.role == "tool" else message.text for message in asked]


def thoughts_on(messages: Context) -> str:
    """What it would think, were it to think."""
    question = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return f"The user writes about {subject_of(question)}. I look for the answer in what I was given."
