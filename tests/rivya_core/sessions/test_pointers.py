"""Digests and pointers: equal for the same messages in any form, different for any edit, and not to be forged."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from core_messages import digest_of, messages, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from rivya_core.errors import HistoryMismatchError, InvalidInputError
from rivya_core.sessions.pointers import (
    POINTER_VERSION,
    Pointer,
    TranscriptDigest,
    origin_of,
    pinned,
    route,
)
from rivya_core.types import Media, Message, RawBlock, Text, ToolCall

ORIGIN = origin_of("https://host/v1", "m", "key-1")
USER = Message("user", (Text("hi"),))
SAID = Message("assistant", (Text("ho"),))
IMAGE = Media("image", data=b"\x89PNG", mime_type="image/png")
RICH = [
    Message("system", (Text("Be terse."),)),
    Message("user", (Text("Look:"), IMAGE, Text("what is it?")), name="Ann"),
    Message("assistant", (Text("Hm."),), tool_calls=(ToolCall("c1", "look", '{"at": 1, "zoom": 2}'),)),
    Message("tool", (Text("a cat"),), tool_call_id="c1"),
]


def reply(*before: Message, session: str = "s1", turn: int = 1) -> Message:
    """The reply SAID after *before*, with its pointer."""
    pointer = ORIGIN.pointer(session, turn, digest_of([*before, SAID]), "ledger-1")
    assert pointer is not None
    return SAID._replace(pointer=pointer.to_json())


EVERY_FORM = [
    Message("system", (Text("Be terse."),)),
    Message("user", (Text("Look: Ω\u2028"), Media("image", data=b"x"), Text("a"))),
    Message("user", (Text(""),)),
    Message("user", (Text("a"), Text("b")), name="Ann"),
    Message("assistant", (Text("Hm."),), tool_calls=(ToolCall("c", "n", '{"b":1, "a":2}'),)),
    Message("tool", (Text("r"),), tool_call_id="c", failed=True),
    Message("assistant", (Text("ho"),), name="x", pointer={"v": 2}),
    Message("user", (RawBlock({"z": 1, "a": [1]}),)),
]


def test_the_digest_stays_what_it_is() -> None:
    """Stored pointers hold it. A change must raise `POINTER_VERSION`, so that old pointers replay."""
    assert digest_of(EVERY_FORM) == "608b92ed1a38a23d5f81c4abf3f2e25ae6b99b04d63544eb5b5a66231b7e8ad6"
    assert POINTER_VERSION == 2


@pytest.mark.parametrize("cut", range(len(EVERY_FORM) + 1))
def test_a_digest_grows_with_the_transcript(cut: int) -> None:
    """In pieces it is the same as at once, and the shorter one can be used again."""
    begun = TranscriptDigest().upto(EVERY_FORM[:cut])
    other = begun.upto([*EVERY_FORM[:cut], USER])

    assert begun.upto(EVERY_FORM).hex == digest_of(EVERY_FORM)
    assert other.hex == digest_of([*EVERY_FORM[:cut], USER])
    assert (begun.count, other.count) == (cut, cut + 1)


class TestDigest:
    @settings(max_examples=40)
    @given(transcripts)
    def test_it_does_not_depend_on_how_a_text_is_cut(self, transcript: list[Message]) -> None:
        """Streamed pieces, blocks and one string are the same text."""
        cut = [message._replace(parts=tuple(pieces(message))) for message in transcript]

        assert digest_of(cut) == digest_of(transcript)

    @settings(max_examples=40)
    @given(transcripts)
    def test_it_does_not_depend_on_what_a_model_does_not_see(self, transcript: list[Message]) -> None:
        """Reasoning and wire facts are no part of it, and a copy is the same."""
        noisy = [message._replace(reasoning="hm", extras={"id": "x"}) for message in transcript]

        assert digest_of(noisy) == digest_of(transcript)
        assert digest_of(pickle.loads(pickle.dumps(transcript))) == digest_of(copy.deepcopy(transcript))

    @settings(max_examples=40)
    @given(transcripts, st.data())
    def test_it_changes_with_every_edit_that_a_model_would_see(self, transcript: list[Message], data: Any) -> None:
        """Whichever message loses, gains or swaps something."""
        at = data.draw(st.integers(0, len(transcript) - 1))
        message = transcript[at]
        edited = [
            message._replace(parts=(*message.parts, Text("!"))),
            message._replace(parts=(*message.parts, IMAGE)),
            message._replace(role="tool" if message.role != "tool" else "user"),
            message._replace(name=(message.name or "") + "x"),
            message._replace(failed=not message.failed),
            message._replace(tool_call_id=(message.tool_call_id or "") + "x"),
            message._replace(tool_calls=(*message.tool_calls, ToolCall("c", "n", "{}"))),
        ]
        others = [[*transcript[:at], one, *transcript[at + 1 :]] for one in edited]
        others += [
            transcript[:at] + transcript[at + 1 :],
            [*transcript, USER],
            [*transcript[:at], USER, *transcript[at:]],
        ]

        assert digest_of(transcript) not in {digest_of(other) for other in others}

    @settings(max_examples=40)
    @given(messages, messages)
    def test_messages_cannot_run_into_each_other(self, first: Message, second: Message) -> None:
        """Where one message ends and the next begins is part of it."""
        together = first._replace(parts=first.parts + second.parts)

        assert digest_of([first, second]) != digest_of([together])

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
            ('{"a": 1}', '{"a": "1"}', False),
            ("{broken", "{broken", True),
            ("{broken", '"{broken"', False),
            ("[" * 100_000, "[" * 100_000, True),
        ],
        ids=["form", "value", "broken", "quoted", "deep"],
    )
    def test_arguments_count_by_their_value(self, one: str, other: str, same: bool) -> None:
        """Blanks and the order of keys are no edit; broken or absurd arguments do not crash."""
        digests = {digest_of([SAID._replace(tool_calls=(ToolCall("c", "n", text),))]) for text in (one, other)}

        assert (len(digests) == 1) is same

    def test_the_name_put_on_our_reply_is_no_edit(self) -> None:
        """Agents sign a model's replies after the fact; a name on anybody else's message is part of it."""
        ours = reply(USER)

        assert digest_of([ours._replace(name="agent")]) == digest_of([SAID])
        assert digest_of([SAID._replace(name="agent")]) != digest_of([SAID])

    def test_a_block_that_json_cannot_carry_is_refused(self) -> None:
        """Nothing can be said about it, and it could not be sent either."""
        with pytest.raises(InvalidInputError, match="JSON"):
            digest_of([Message("user", (RawBlock({"value": {1, 2}}),))])


class TestRoute:
    def test_a_history_that_the_session_holds_is_continued(self) -> None:
        """Only what is newer than the reply is sent, into its session."""
        newer = [Message("tool", (Text("x"),), tool_call_id="c2"), USER]
        found = route([*RICH, reply(*RICH, turn=3), *newer], ORIGIN)

        assert (found.reason, found.messages, found.session_id) == ("continue", tuple(newer), "s1")
        assert found.pointer is not None
        assert found.pointer.head.turn == 3

    def test_a_conversation_without_replies_is_new(self) -> None:
        """There is nothing to be continued, so nothing can mismatch."""
        assert route(RICH[:2], ORIGIN, "error").reason == "new"

    def test_anothers_answer_in_between_is_context(self) -> None:
        """A reply of another model is sent along as a message of the conversation."""
        theirs = Message("assistant", (Text("by a fallback"),), pointer={"v": 2, "origin": "other"})
        found = route([USER, reply(USER), USER, theirs, USER], ORIGIN)

        assert (found.reason, found.messages) == ("continue", (USER, theirs, USER))

    @pytest.mark.parametrize(
        "history",
        [
            [Message("user", (Text("edited"),)), reply(USER), USER],
            [USER, reply(USER)._replace(parts=(Text("edited"),)), USER],
            [Message("system", (Text("new"),)), USER, reply(USER), USER],
            [reply(USER), USER],
            [USER, reply(USER)],
            [USER, SAID, USER],
            [USER, reply(USER), USER, reply(USER, reply(USER), USER, turn=2)._replace(parts=()), USER],
        ],
        ids=["edited human", "edited reply", "system prompt", "trimmed", "regenerate", "pointer lost", "newest edited"],
    )
    def test_any_other_history_is_replayed_or_refused(self, history: list[Message]) -> None:
        """All of it goes into a new session; where that is not wanted, the error comes before anything is sent."""
        found = route(history, ORIGIN)

        assert (found.reason, found.messages, found.session_id) == ("replay", tuple(history), None)
        with pytest.raises(HistoryMismatchError, match=r"because .*on_history_mismatch"):
            route(history, ORIGIN, "error")

    @pytest.mark.parametrize(
        ("base_url", "model", "key"),
        [("https://x/v1", "m", "key-1"), ("https://host/v1", "n", "key-1"), ("https://host/v1", "m", "key-2")],
    )
    def test_other_hosts_models_and_accounts_share_no_sessions(self, base_url: str, model: str, key: str) -> None:
        """A reply's session is continued only where it was given."""
        assert route([USER, reply(USER), USER], origin_of(base_url, model, key)).reason == "replay"

    @pytest.mark.parametrize(
        "changes",
        [
            {"session_id": "s2"},
            {"turn": 2},
            {"ledger": "ledger-2"},
            {"ledger": ""},
            {"digest": digest_of([USER, SAID])},
            {"digest": "é"},
        ],
    )
    def test_a_forged_pointer_is_a_mismatch(self, changes: dict[str, Any]) -> None:
        """Without the key, changed metadata cannot lead into another session or claim another turn."""
        forged = SAID._replace(pointer={**reply(USER).pointer, **changes})

        assert route([USER, forged, USER], ORIGIN).reason == "replay"

    def test_a_pointer_copied_from_another_conversation_is_a_mismatch(self) -> None:
        """A sound pointer on the wrong message leads nowhere."""
        stolen = reply(*RICH).pointer

        assert route([USER, SAID._replace(pointer=stolen), USER], ORIGIN).reason == "replay"

    def test_a_pointer_on_a_users_message_counts_for_nothing(self) -> None:
        """Only replies have pointers."""
        assert route([USER._replace(pointer=reply(USER).pointer)], ORIGIN).reason == "new"


ABSURD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("v", "session_id", "turn", "origin", "digest", "ledger")


class TestPointer:
    @given(ABSURD)
    def test_anything_in_the_metadata_is_a_pointer_or_none(self, value: Any) -> None:
        """Metadata is untrusted: no value crashes, and what is no pointer is not sent."""
        assert Pointer.from_json(value) is None
        assert route([USER, SAID._replace(pointer=value), USER], ORIGIN).session_id is None

    @given(st.sampled_from(KEYS), ABSURD)
    def test_a_pointer_with_a_wrong_value_is_none_or_a_mismatch(self, key: str, value: Any) -> None:
        """Wrong types, absurd numbers and other versions are never sent."""
        damaged = {**reply(USER).pointer, key: value}

        found = route([USER, SAID._replace(pointer=damaged), USER], ORIGIN)
        assert found.session_id is None or damaged == reply(USER).pointer

    @pytest.mark.parametrize("key", [key for key in KEYS if key != "ledger"])
    def test_a_pointer_with_a_missing_value_is_none(self, key: str) -> None:
        """Half a pointer is none."""
        assert Pointer.from_json({k: v for k, v in reply(USER).pointer.items() if k != key}) is None

    @pytest.mark.parametrize("turn", [0, -1, 1_000_000, True, 1.0, "1", float("nan")])
    def test_an_absurd_turn_makes_none(self, turn: Any) -> None:
        """Turns are numbered from 1 with whole numbers that can be."""
        assert Pointer.from_json({**reply(USER).pointer, "turn": turn}) is None

    @pytest.mark.parametrize("version", [0, 1, 3, "1", True, None, [1]])
    def test_another_version_makes_none(self, version: Any) -> None:
        """A later form of the digest does not confuse old checkpoints, nor an old form later ones."""
        assert Pointer.from_json({**reply(USER).pointer, "v": version}) is None

    def test_it_survives_json(self) -> None:
        """What is written is read back the same."""
        pointer = ORIGIN.pointer("s1", 4, digest_of(RICH), "ledger-1")
        assert pointer is not None
        assert Pointer.from_json(pointer.to_json()) == pointer

    @pytest.mark.parametrize("session_id", ["", "x" * 513, "a\nb", "\ud800"])
    def test_there_is_none_for_a_session_id_that_cannot_be_kept(self, session_id: str) -> None:
        """A server's absurd id is not stored."""
        assert ORIGIN.pointer(session_id, 1, digest_of(RICH)) is None

    def test_it_holds_no_key(self) -> None:
        """Neither the pointer nor the origin shows the account's key."""
        origin = origin_of("https://host/v1", "m", "very-secret-key")
        assert "very-secret-key" not in repr(origin) + repr(origin.pointer("s", 1, digest_of(RICH)))
        assert repr(origin.secret) not in repr(origin)


class TestPinned:
    def test_only_what_follows_the_last_reply_is_sent(self) -> None:
        """The caller answers for what the session holds."""
        found = pinned([USER, SAID, USER, RICH[3]], "s9")

        assert (found.reason, found.messages, found.session_id) == ("pinned", (USER, RICH[3]), "s9")
        assert found.pointer is None

    def test_a_reply_of_the_same_session_may_be_among_the_messages(self) -> None:
        """A pinned session that the messages came from is continued."""
        assert pinned([USER, reply(USER, session="s9"), USER], "s9").messages == (USER,)

    def test_a_reply_of_another_session_excludes_it(self) -> None:
        """The messages say one session and the caller another one."""
        with pytest.raises(InvalidInputError, match="another session"):
            pinned([USER, reply(USER), USER], "s9")

    def test_there_must_be_something_new(self) -> None:
        """An empty request is never sent."""
        with pytest.raises(InvalidInputError, match="after the last reply"):
            pinned([USER, SAID], "s9")

    @pytest.mark.parametrize("session_id", ["", "a\nb", 7])
    def test_what_cannot_be_an_id_is_refused(self, session_id: Any) -> None:
        """The error says so, not the server."""
        with pytest.raises(InvalidInputError, match="session_id"):
            pinned([USER], session_id)


def pieces(message: Message) -> list[Any]:
    """The parts of *message* with every text cut into characters."""
    return [
        piece
        for part in message.parts
        for piece in ([Text(c) for c in part.text] if isinstance(part, Text) else [part])
    ]
