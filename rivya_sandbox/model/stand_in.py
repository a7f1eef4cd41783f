"""The stand-in model: deterministic, fast, and sensible for its prompt.

It is no language model. It finds the sentence of a passage that answers a question, follows the formats of the
frameworks' prompts, calls tools that fit, fills schemas, remembers what the user said, repeats what it is told to
repeat, and otherwise replies with a short sentence on the subject. Any other `Model` can replace it: `serve(model=…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rivya_sandbox.model import canned_replies, prompts, react_agent
from rivya_sandbox.model.canned_replies import History
from rivya_sandbox.model.json_output import conforming
from rivya_sandbox.model.text_utils import subject_of
from rivya_sandbox.model.tool_choice import choose_calls, results_since_user
from rivya_sandbox.model.transcript import unfold
from rivya_sandbox.values import Completion, Context, Message, ModelRequest

PROMPT_FORMS: Sequence[Callable[[str], str | None]] = (
    prompts.keyword_list,
    prompts.refined,
    prompts.choice,
    prompts.condensed,
    prompts.from_passages,
)
ASKING = ("user", "tool")
NO_MESSAGE = Message("user", "")
REPLIES: Sequence[Callable[[str, History], str | None]] = (
    canned_replies.repeat,
    canned_replies.recall,
    canned_replies.calculate,
    canned_replies.greet,
    canned_replies.know,
    canned_replies.write,
)


class StandIn:
    """A model without a model."""

    def __call__(self, request: Context, /) -> Completion:
        """Reply to the last message. A conversation that is written into one message counts as its messages."""
        request = ModelRequest(unfold(request), **getattr(request, "__dict__", {}))
        reasoning = reasoning_about(request)
        if calls := choose_calls(request):
            return Completion("", reasoning, calls)
        if request.schema is not None:
            return Completion(conforming(request.schema, question_and_results(request)), reasoning)
        return Completion(from_results(request) or respond(request), reasoning)


def question_and_results(request: ModelRequest) -> str:
    """Return the user's newest message and the tool results since; the instructions if there is neither."""
    asked = next((message.text for message in reversed(request) if message.role == "user"), "")
    return "\n".join([asked or request[-1].text, *results_since_user(request)])


def from_results(request: ModelRequest) -> str | None:
    """Return a reply that repeats tool results, where there are some to repeat."""
    found = results_since_user(request)
    if request.tools and (len(found) > 1 or (found and request[-1].role == "tool")):
        return ("The tool answered: " if len(found) == 1 else "The tools answered: ") + "; ".join(found)
    return None


def respond(messages: ModelRequest) -> str:
    """Reply to the last message in words."""
    asked = next((message for message in reversed(messages) if message.role in ASKING), NO_MESSAGE)
    instructions = messages.system
    if react_agent.is_agent_prompt(instructions or asked.text):
        return react_agent.act(
            instructions or asked.text, asked_in(messages), lambda question: reply(question, messages, "")
        )
    if asked.role == "tool":
        return canned_replies.shortened(f"The tool answered: {asked.text}")
    return reply(asked.text, messages, instructions)


def reply(question: str, messages: Context, instructions: str) -> str:
    """Reply to a question outside of an agent."""
    for form in PROMPT_FORMS:
        if (answer := form(question)) is not None:
            return answer
    from_documents = prompts.from_documents(question, instructions)
    if from_documents is not None:
        return from_documents
    return talk(question, messages)


def talk(question: str, messages: Context) -> str:
    """Reply to plain conversation."""
    history = History(messages[:-1])
    for canned in REPLIES:
        if (answer := canned(question, history)) is not None:
            return answer
    if (summary := prompts.summarized(question)) is not None:
        return summary
    return about_images(messages) or canned_replies.anything_else(question)


def about_images(messages: Context) -> str | None:
    """Return a sentence about the images of the last message."""
    images = messages[-1].attachments if messages else ()
    if not images:
        return None
    digests = ", ".join(image.sha256[:8] for image in images)
    return f"I see {len(images)} image{'s' if len(images) > 1 else ''} (sha256 {digests})."


def asked_in(messages: Context) -> list[str]:
    """Return the texts of the user and the tools; a tool's text as an observation."""
    asked = [message for message in messages if message.role in ASKING]
    return [f"Observation: {message.text}" if message.role == "tool" else message.text for message in asked]


def reasoning_about(messages: Context) -> str:
    """Return the reasoning that the model would show."""
    question = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return f"The user writes about {subject_of(question)}. I look for the answer in the material that I have."
