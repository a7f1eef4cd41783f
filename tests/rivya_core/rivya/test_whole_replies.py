"""A whole reply in the documented form is read directly, with the same outcome as by the search for its values."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivya_core.rivya import frames
from rivya_core.rivya.frames import Frame, read_reply

REPLY: dict[str, Any] = {
    "id": "chatcmpl_1",
    "object": "chat.completion",
    "session_id": "sess_1",
    "model": "gpt-5-2-chat",
    "created_at": "2026-05-11T00:00:00.000Z",
    "message": {"id": "msg_1", "role": "assistant", "content": "Rhine, Danube, Volga."},
    "usage": {"input_tokens": 12, "output_tokens": 9, "total_tokens": 21},
    "credits": {"reserved": 3, "final": 2},
}
KEYS = sorted({*REPLY, *REPLY["message"], *REPLY["usage"], *REPLY["credits"]})
ODD_KEYS = ["error", "status", "finish_reason", "reasoning", "delta", "choices", "data", "text", "type", "success", "x"]
ODD_VALUES: list[Any] = [
    *(None, "", "Ω", "user", "failed", "chat.completion", 0, 1, -1, 2.5, True, False, 10**400, float("inf")),
    *([], ["a"], {}, {"error": "no"}, {"id": "other"}, {"role": "user", "content": "hi"}, {"content": "more"}),
]


def searched(value: dict[str, Any]) -> Frame:
    """The contents as the search for values in any form finds them."""
    return frames._read(frames.WHOLE, list(frames._layers(value)))


@st.composite
def replies(draw: st.DrawFn) -> dict[str, Any]:
    """The documented reply with up to three changes."""
    value = copy.deepcopy(REPLY)
    for _ in range(draw(st.integers(0, 3))):
        inner = [found for found in value.values() if isinstance(found, dict)]
        place, key = draw(st.sampled_from([value, *inner])), draw(st.sampled_from([*KEYS, *ODD_KEYS]))
        if draw(st.booleans()):
            place[key] = draw(st.sampled_from(ODD_VALUES))
        else:
            place.pop(key, None)
    return value


@settings(max_examples=400)
@given(replies())
def test_both_ways_of_reading_agree(value: dict[str, Any]) -> None:
    """Whatever is missing, odd or in the wrong place."""
    assert read_reply(value) == searched(value)


@pytest.mark.parametrize("left_out", [(), ("object",), ("message", "id")])
def test_the_documented_form_is_read_directly(left_out: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without the values that a reply does not need."""
    value = copy.deepcopy(REPLY)
    place = value
    for key in left_out[:-1]:
        place = place[key]
    if left_out:
        del place[left_out[-1]]
    expected = searched(value)
    monkeypatch.setattr(frames, "_read", lambda *_: pytest.fail("searched"))

    assert read_reply(value) == expected
    assert expected.text == "Rhine, Danube, Volga."
