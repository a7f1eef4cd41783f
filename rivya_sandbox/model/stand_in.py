"""The stand-in model: deterministic, fast, and sensible for its prompt.

It is not a language model. It finds the sentence of a passage that answers a question, follows the formats of the
frameworks' prompts, calls tools that fit, fills schemas, remembers what the user said, repeats text on
request, and otherwise replies with a short sentence on the subject. Any other `Model` can replace it: `serve(model=…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rivya_sandbox.model import canned_replies, code_agent, prompts, react_agent, tool_text
from rivya_sandbox.model.canned_replies import History
from rivya_sandbox.model.json_output import conforming, schema_in
from rivya_sandbox.model.text_utils import subject_of
from rivya_sandbox.model.tool_choice import choose_calls, results_since_user
from rivya_sandbox.model.transcript import unfold
from rivya_sandbox.values import Completion, Context, ModelRequest

TOOLS_IN_WORDS = tuple((form.read, form.write) for form in (tool_text, react_agent, code_agent))
"""The forms in which a prompt describes tools: how each is read, and how a reply is written in it."""
REPLIES: Sequence[Callable[[str, History], str | None]] = (
    canned_replies.repeat,
    canned_replies.recall,
    canned_replies.calculate,
    canned_replies.greet,
    canned_replies.know,
    canned_replies.write,
)


class StandIn:
    """The sandbox's own model, which gives deterministic replies without a language model.

    It answers questions from the passages in the prompt, calculates, remembers what the user said, calls tools that
    fit, fills JSON schemas, and follows the formats of LangChain's and LlamaIndex's prompts. The same request always
    gets the same reply.
    """

    def __call__(self, request: Context, /) -> Completion:
        """Reply to the last message. A conversation that is written into one message counts as its messages."""
        asked = with_wanted(ModelRequest(unfold(request), **getattr(request, "__dict__", {})))
        reasoning = reasoning_about(asked)
        for read, write in TOOLS_IN_WORDS:
            if (in_words := read(asked)) is not None:
                return Completion(write(reply_to(in_words), asked), reasoning)
        return replace(reply_to(asked), reasoning=reasoning)


def with_wanted(request: ModelRequest) -> ModelRequest:
    """Return the request with the schema that its rules name in words."""
    wanted = None if request.schema is not None else tool_text.wanted(request)
    return request if wanted is None else ModelRequest(request, **{**vars(request), "schema": wanted})


def reply_to(request: ModelRequest) -> Completion:
    """Return tool calls, a JSON text, or words."""
    if calls := choose_calls(request):
        return Completion(calls=calls)
    if request.schema is not None:
        return Completion(conforming(request.schema, question_and_results(request)))
    return Completion(from_results(request) or respond(request))


def question_and_results(request: ModelRequest) -> str:
    """Return the user's newest message and the tool results since; the instructions if there is neither.

    A question about passages is replaced by its answer, and an extract by its material.
    """
    asked = next((message.text for message in reversed(request) if message.role == "user"), "")
    asked = prompts.answer_from_passages(asked) or prompts.material(asked) or tool_text.without_description(asked)
    return "\n".join([asked or request[-1].text, *results_since_user(request)])


def from_results(request: ModelRequest) -> str | None:
    """Return a reply that repeats tool results, where there are some to repeat."""
    found = results_since_user(request)
    if len(found) > 1 or (found and request[-1].role == "tool"):
        return ("The tool answered: " if len(found) == 1 else "The tools answered: ") + "; ".join(found)
    return None


def respond(messages: ModelRequest) -> str:
    """Reply to the last message in words."""
    question = next((message.text for message in reversed(messages) if message.role == "user"), "")
    if (answer := prompts.answer_prompt(question, messages.system)) is not None:
        return answer
    said = [message.text for message in messages[:-1] if message.role != "system"]
    if (asked := prompts.rephrased(question, messages.system, said)) is not None:
        return asked
    if (schema := schema_in(question) or schema_in(messages.system)) is not None:
        return conforming(schema, question_and_results(messages))
    return prompts.from_documents(question, messages.system) or talk(question, messages)


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


def reasoning_about(messages: Context) -> str:
    """Return the reasoning that the model would show."""
    question = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return f"The user writes about {subject_of(question)}. I look for the answer in the material that I have."
