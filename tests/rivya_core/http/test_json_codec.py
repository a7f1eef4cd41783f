"""JSON as servers write it: the outcome is a value or `ValueError`, whatever the bytes are."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivya_core.errors import InvalidInputError
from rivya_core.http.endpoint import ITEMS_AT_ONCE, encode
from rivya_core.http.json_codec import SurrogateBuffer, arguments_text, is_object, loads, loads_frame, repaired


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab👋🏽é", max_size=8), st.data())
def test_characters_survive_any_cut_of_their_utf_16(text: str, data: st.DataObject) -> None:
    """Halves of pairs, as escapes carry them, come together again."""
    units = text.encode("utf-16-be")
    halves = [units[at : at + 2].decode("utf-16-be", "surrogatepass") for at in range(0, len(units), 2)]
    joined, pieces = SurrogateBuffer(), []
    while halves:
        size = data.draw(st.integers(1, 3))
        pieces.append(joined.add("".join(halves[:size])))
        halves = halves[size:]

    assert "".join(pieces) + joined.finish() == text


def test_halves_that_stay_alone_are_replaced() -> None:
    joined = SurrogateBuffer()

    said = joined.add("a\ud83d") + joined.add("b\udc4b") + joined.add("c\ud83d") + joined.finish()

    assert said == "a\ufffdb\ufffdc\ufffd"


def test_json_is_read_with_half_characters_and_without_guesses() -> None:
    assert loads_frame(b'"\\ud83d"') == "\ud83d"
    assert loads(b'"\\ud83d"') == "\ufffd"
    for data in (b"{", b'{"\\u', b"nope", b""):
        with pytest.raises(ValueError, match=r"EOF|Expecting|expected|escape"):
            loads_frame(data)


@pytest.mark.parametrize(
    ("value", "text", "sound"),
    [
        (None, "{}", True),
        ("", "{}", True),
        ({"ü": 1}, '{"ü": 1}', True),
        ('"{\\"a\\": 1}"', '{"a": 1}', True),
        ('"text"', '"text"', False),
        ('"\\"{}\\""', "{}", True),
        ('"open', '"open', False),
        ('{"a": 1} x', '{"a": 1} x', False),
        ([1], "[1]", False),
        ("{'a': 1}", "{'a': 1}", False),
    ],
)
def test_arguments_are_read_but_never_mended(value: Any, text: str, sound: bool) -> None:
    assert (arguments_text(value), is_object(arguments_text(value))) == (text, sound)


VALUES = {
    "half": (b'["\\ud83d", "\\ude00", "\\\\ud83d", "\\ud83d\\ude00"]', ["\ufffd", "\ufffd", "\\ud83d", "😀"]),
    "half as key": (b'{"\\uD83D": 1}', {"\ufffd": 1}),
    "half as character": ('["\ud83d"]', ["\ufffd"]),
    "halves as characters": ('["\ud83d\ude00"]', ["😀"]),
    "half, nested": (b'[[{"a": ["\\udc00x"]}]]', [[{"a": ["\ufffdx"]}]]),
    "no numbers": (b'{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}),
    "BOM": (b"\xef\xbb\xbf[1]", [1]),
    "UTF-16": ("[1]".encode("utf-16"), [1]),
    "UTF-16 without BOM": ('{"ü": 1}'.encode("utf-16-be"), {"ü": 1}),
    "UTF-32": ("[1]".encode("utf-32"), [1]),
    "bad UTF-8": (b'["a\xffb"]', ["a\ufffdb"]),
}


@pytest.mark.parametrize(("data", "value"), VALUES.values(), ids=VALUES)
def test_what_is_clear_is_read(data: bytes | str, value: Any) -> None:
    assert loads(data) == value
    json.dumps(loads(data), ensure_ascii=False, allow_nan=False).encode()


NO_JSON = {
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "nested, with an escape": b"[" * 100_000 + b'"\\ud83d"' + b"]" * 100_000,
    "nested objects, with an escape": b'{"a":' * 900 + b'"\\ud83d"' + b"}" * 900,
    "nested, with no number": b"[" * 900 + b"NaN" + b"]" * 900,
    "digits": b"1" * 5000,
    "digits beside an escape": b'["\\ud83d", ' + b"1" * 5000 + b"]",
    "control character": b'"a\x00b"',
    "open escape": b'"\\ud8',
    "binary": bytes(range(256)),
    "empty": b"",
    "blank": b" ",
}


@pytest.mark.parametrize("data", NO_JSON.values(), ids=NO_JSON)
def test_anything_else_is_a_value_error(data: bytes) -> None:
    for read in (loads, loads_frame):
        with pytest.raises(ValueError, match=r".") as caught:
            read(data)
        assert isinstance(caught.value, ValueError)


def test_memory_that_runs_out_is_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("rivya_core.http.json_codec.from_json", no_memory)
    for read in (loads, loads_frame):
        with pytest.raises(ValueError, match="too large"):
            read(b"[]")


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=40) | st.text(alphabet='[]{}",:\\ud8dc0 1eN.-\ud83d\ude00', max_size=40))
def test_any_bytes_and_any_text(data: bytes | str) -> None:
    try:
        value = loads(data)
    except ValueError:
        return
    assert repaired(value) == value
    json.dumps(value, ensure_ascii=False).encode()


def test_arguments_with_half_a_character_are_an_object() -> None:
    assert is_object('{"a": "\ud83d"}')
    assert is_object('{"a": "\\ud83d"}')
    assert not is_object('["\ud83d"]')


LONG = [{"role": "user", "content": f'{number} é \u2028 " \\'} for number in range(3 * ITEMS_AT_ONCE)]


@pytest.mark.parametrize("more", [-1, 0, 1, ITEMS_AT_ONCE + 1])
@pytest.mark.parametrize("before", [{}, {"model": "m", "stream": True}])
def test_a_long_list_is_written_in_parts_as_in_one(before: dict[str, Any], more: int) -> None:
    body = {**before, "messages": LONG[: ITEMS_AT_ONCE + more], "tools": LONG, "stop": ["x"]}

    assert encode(body) == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def test_writing_a_long_history_takes_little_more_than_its_bytes() -> None:
    body = {"messages": [{"role": "user", "content": "Some words of a usual length. " * 7}] * 4000}
    tracemalloc.start()
    written = encode(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1.6 * len(written)


@pytest.mark.parametrize("wrong", ["\ud800", float("nan"), object(), LONG])
def test_what_json_cannot_carry_is_refused_in_a_long_list_too(wrong: Any) -> None:
    items = [*LONG]
    items[-1] = {"content": items if wrong is LONG else wrong}

    with pytest.raises(InvalidInputError, match="nothing was sent"):
        encode({"messages": items})
