"""Point 14 for `Rivya`: the model sees exactly the caller's messages, whichever call continues a session."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from llama_index.core import ChatPromptTemplate
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.storage.chat_store import SimpleChatStore
from samples import png, png_url

from llamaindex_rivya import ContextOverflowError, HistoryMismatchError, InvalidInputError, NotSupportedError, Rivya
from rivya_sandbox import Fault


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def routes(*replies: ChatMessage) -> list[str]:
    return [reply.additional_kwargs["session_route"] for reply in replies]


def seen(sandbox) -> list[tuple[str, str]]:
    """What the model saw in the newest turn."""
    return [(message.role, message.text) for message in sandbox.journal.turns[-1].context]


class TestContinuing:
    def test_a_second_turn_continues_the_session(self, rivya, sandbox, calls):
        """Only the new message is sent, and the model sees the whole conversation."""
        first = calls.run(rivya, "chat", [user("I am Ann.")]).message
        second = calls.run(rivya, "chat", [user("I am Ann."), first, user("Who am I?")]).message

        assert routes(first, second) == ["new", "continue"]
        assert sandbox.journal.requests[-1].body["message"] == "Who am I?"
        assert seen(sandbox) == [("user", "I am Ann."), ("assistant", first.content), ("user", "Who am I?")]

    def test_streamed_replies_continue_alike(self, rivya, sandbox, calls):
        """The last chunk's message carries the pointer."""
        first = calls.each(rivya, "stream_chat", [user("I am Ann.")])[-1].message
        second = calls.each(rivya, "stream_chat", [user("I am Ann."), first, user("Who am I?")])[-1].message

        assert routes(first, second) == ["new", "continue"]

    @pytest.mark.parametrize(
        "trip",
        [
            lambda m: ChatMessage.model_validate_json(m.model_dump_json()),
            lambda m: ChatMessage.model_validate(m.model_dump()),
            lambda m: pickle.loads(pickle.dumps(m)),
            lambda m: m.model_copy(deep=True),
        ],
        ids=["json", "dict", "pickle", "copy"],
    )
    def test_a_pointer_survives_round_trips(self, rivya, trip):
        """Messages that were stored and read back continue their session, reasoning and images included."""
        asked = ChatMessage(role="user", blocks=[TextBlock(text="What is it?"), ImageBlock(image=png())])
        reply = rivya.chat([asked], reasoning_effort="high").message

        again = rivya.chat([trip(asked), trip(reply), user("And now?")], reasoning_effort="high").message

        assert routes(again) == ["continue"]

    def test_memory_buffers_keep_the_pointer(self, rivya):
        """A `ChatMemoryBuffer` written to JSON and read back continues the session."""
        memory = ChatMemoryBuffer.from_defaults(llm=rivya)
        memory.put(user("I am Ann."))
        memory.put(rivya.chat(memory.get()).message)
        stored = [message.model_dump_json() for message in memory.get_all()]

        store = SimpleChatStore(store={"chat_history": [ChatMessage.model_validate_json(text) for text in stored]})
        read = ChatMemoryBuffer(chat_store=store, token_limit=memory.token_limit)
        read.put(user("Who am I?"))

        assert routes(rivya.chat(read.get()).message) == ["continue"]

    def test_memory_in_a_database_keeps_the_pointer(self, rivya):
        """LlamaIndex's `Memory` stores messages in SQLite; they continue the session."""
        reply = asyncio.run(talk(rivya, Memory.from_defaults(session_id="s", token_limit=4000)))

        assert routes(reply) == ["continue"]

    def test_a_pickled_model_continues(self, rivya):
        """No state of a conversation lives in the model object."""
        first = rivya.chat([user("I am Ann.")]).message

        twin = pickle.loads(pickle.dumps(rivya))

        assert routes(twin.chat([user("I am Ann."), first, user("Who am I?")]).message) == ["continue"]


class TestReplaying:
    def test_another_history_is_another_session(self, rivya, sandbox):
        """An edited question, a trimmed history, a changed system prompt: the model sees what was passed."""
        first = rivya.chat([user("I am Ann.")]).message
        histories = [
            [user("I am Bob."), first, user("Who am I?")],
            [ChatMessage(role="system", content="Be brief."), user("I am Ann."), first, user("Who am I?")],
            [first, user("Who am I?")],
        ]
        for history in histories:
            reply = rivya.chat(history).message
            assert routes(reply) == ["replay"]
            message = sandbox.journal.requests[-1].body["message"]
            assert all((part.content or "") in message for part in history)
            assert "session_id" not in sandbox.journal.requests[-1].body

    def test_two_continuations_of_one_reply_do_not_meet(self, rivya, sandbox):
        """A regenerated answer is a fork: the second branch does not see the first one's turn."""
        first = rivya.chat([user("I am Ann.")]).message
        begun = [user("I am Ann."), first]

        one = rivya.chat([*begun, user("Say one.")]).message
        two = rivya.chat([*begun, user("Say two.")]).message

        assert routes(one, two) == ["continue", "replay"]
        assert "Say one." not in str(seen(sandbox))

    def test_conversations_at_once_do_not_mix(self, rivya, sandbox):
        """Ten conversations of three turns each on one model, side by side."""

        async def converse(name: str) -> None:
            history = [user(f"I am {name}.")]
            for turn in range(3):
                reply = await rivya.achat(history)
                history += [reply.message, user(f"{name} again, turn {turn}")]

        async def every() -> None:
            await asyncio.gather(*(converse(f"Nr{number}x") for number in range(10)))

        asyncio.run(every())

        for turn in sandbox.journal.turns:
            names = {word for message in turn.context for word in message.text.split() if word.startswith("Nr")}
            assert len({name.rstrip(".,") for name in names}) == 1

    def test_a_stream_left_early_is_not_continued(self, rivya, sandbox, calls):
        """What the server kept of an abandoned turn is unknown, so the next turn replays."""
        first = rivya.chat([user("I am Ann.")]).message
        begun = [user("I am Ann."), first]
        sandbox.answer("one two three four five six")

        chunks = calls.some(rivya, "stream_chat", 2, [*begun, user("Count.")])
        after = rivya.chat([*begun, user("Who am I?")]).message

        assert "rivya_session" not in chunks[-1].message.additional_kwargs
        assert routes(after) == ["replay"]

    def test_a_broken_stream_is_an_error_and_not_continued(self, rivya, sandbox, calls):
        """A cut stream raises, and the session is not trusted any more."""
        first = rivya.chat([user("I am Ann.")]).message
        begun = [user("I am Ann."), first]
        sandbox.fault(Fault(path="/chat/completions/stream", cut=2))

        with pytest.raises(Exception, match=r"ended early|stopped"):
            calls.each(rivya, "stream_chat", [*begun, user("Count.")])

        assert routes(rivya.chat([*begun, user("Who am I?")]).message) == ["replay"]

    def test_a_mismatch_can_be_an_error(self, sandbox):
        """With `on_history_mismatch="error"` nothing is sent."""
        llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, on_history_mismatch="error")
        first = llm.chat([user("I am Ann.")]).message

        with pytest.raises(HistoryMismatchError, match="Nothing was charged"):
            llm.chat([user("I am Bob."), first, user("Who am I?")])

        assert len(sandbox.journal.turns) == 1

    def test_another_model_starts_anew(self, rivya):
        """A session belongs to its model."""
        first = rivya.chat([user("I am Ann.")]).message

        other = rivya.chat([user("I am Ann."), first, user("Who?")], model="gpt-5-codex-chat").message

        assert other.additional_kwargs["session_route"] != "continue"


class TestPinning:
    def test_a_pinned_session_gets_what_is_new(self, rivya, sandbox, calls):
        """With `session_id` only the messages after the last reply are sent, and completions share the session."""
        session = rivya.complete("I am Ann.").additional_kwargs["session_id"]
        rivya.session_id = session

        calls.run(rivya, "complete", "Who am I?")

        assert sandbox.journal.turns[-1].session_id == session
        assert seen(sandbox)[0] == ("user", "I am Ann.")

    def test_a_pin_and_a_pointer_exclude_each_other(self, rivya):
        """A reply of another session in the messages is an error."""
        first = rivya.chat([user("I am Ann.")]).message

        with pytest.raises(InvalidInputError, match="another session"):
            rivya.chat([user("I am Ann."), first, user("Who?")], session_id="chatsess_other")


class TestInput:
    def test_an_image_is_uploaded(self, rivya, sandbox, calls, tmp_path):
        """Bytes, a file and a data URL are the same image for the session."""
        path = tmp_path / "picture.png"
        path.write_bytes(png())
        inline = png_url()
        forms = [ImageBlock(image=png()), ImageBlock(path=path), ImageBlock(url=inline)]
        messages = [ChatMessage(role="user", blocks=[TextBlock(text="What is it?"), form]) for form in forms]

        reply = calls.run(rivya, "chat", messages[:1]).message
        routed = [routes(calls.run(rivya, "chat", [m, reply, user("And?")]).message) for m in messages[:1]]
        for message in messages[1:]:
            reply = calls.run(rivya, "chat", [message]).message
            assert sandbox.journal.turns[-1].context[0].attachments
            routed.append(routes(calls.run(rivya, "chat", [messages[0], reply, user("And?")]).message))

        assert routed == [["continue"]] * 3

    def test_an_image_by_url_is_fetched_only_if_allowed(self, rivya, sandbox):
        """Nothing is sent for a remote URL that may not be fetched."""
        message = ChatMessage(role="user", blocks=[TextBlock(text="See"), ImageBlock(url="http://127.0.0.1:9/a.png")])

        with pytest.raises(InvalidInputError, match="fetch_image_urls"):
            rivya.chat([message])

        assert not sandbox.journal.requests

    @pytest.mark.parametrize("text", ["", "   "])
    def test_an_empty_message_is_refused(self, rivya, sandbox, calls, text):
        """There is nothing to answer."""
        with pytest.raises(InvalidInputError, match="empty"):
            calls.run(rivya, "chat", [user(text)])

        assert not sandbox.journal.requests

    def test_no_messages_are_refused(self, rivya):
        """An empty list is an error and no request."""
        with pytest.raises(InvalidInputError, match="no message"):
            rivya.chat([])

    def test_a_message_that_is_too_long_is_refused_with_both_lengths(self, rivya, sandbox, calls):
        """Nothing is cut in silence."""
        with pytest.raises(ContextOverflowError, match=r"20,001 characters.*20,000"):
            calls.each(rivya, "stream_complete", "x" * 20_001)

        assert not sandbox.journal.requests

    def test_what_chat_does_not_take_is_named(self, rivya):
        """The error has block, role and the next move."""
        with pytest.raises(NotSupportedError, match=r"DocumentBlock of the user message.*`GMI`"):
            rivya.chat([ChatMessage(role="user", blocks=[document()])])


async def talk(llm: Rivya, memory: Memory) -> ChatMessage:
    """Two turns through a memory that keeps its messages in a database."""
    await memory.aput(user("I am Ann."))
    await memory.aput((await llm.achat(await memory.aget())).message)
    await memory.aput(user("Who am I?"))
    reply = (await llm.achat(await memory.aget())).message
    await memory.sql_store._async_engine.dispose()
    return reply


def document():
    from llama_index.core.base.llms.types import DocumentBlock

    return DocumentBlock(data=b"%PDF-1.4", document_mimetype="application/pdf")


def test_chat_engines_continue(rivya, sandbox):
    """`SimpleChatEngine` with a memory continues its session turn by turn."""
    engine = SimpleChatEngine.from_defaults(llm=rivya, memory=ChatMemoryBuffer.from_defaults(llm=rivya))

    for text in ("I am Ann.", "Hello again.", "Who am I?"):
        engine.chat(text)

    assert len({turn.session_id for turn in sandbox.journal.turns}) == 1
    assert [turn.number for turn in sandbox.journal.turns] == [1, 2, 3]


def test_prompt_templates_and_system_prompts(sandbox, calls):
    """`predict` puts the system prompt before the template's messages."""
    llm = Rivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url, system_prompt="Be brief.")
    template = ChatPromptTemplate.from_messages([("user", "Tell me of {topic}.")])

    calls.run(llm, "predict", template, topic="rivers")

    message = sandbox.journal.requests[0].body["message"]
    assert "Be brief." in message
    assert "Tell me of rivers." in message
