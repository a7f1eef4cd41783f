"""Arguments while they arrive: the same as parsing all of the text each time, without parsing it each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivya_core.openai import partial_arguments
from rivya_core.openai.partial_arguments import PartialArguments, read_partial

texts = st.sampled_from(["", 'q"x\\', "\n\t", "\\ud83d", "{[,]}\\u0041", "你好" * 5, "😀é" * 8]) | st.text(max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(texts, values, max_size=5)
sizes = st.lists(st.integers(1, 9), min_size=1)


@pytest.fixture(autouse=True)
def from_the_first_time_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_arguments, "FEW", 0)


def beginnings(text: str, sizes: list[int]) -> Iterator[str]:
    """*text* as it grows by pieces of these *sizes*, over and over."""
    end = 0
    while end < len(text):
        for size in sizes:
            end += size
            yield text[:end]


@pytest.mark.skipif(
    pydantic.VERSION.startswith("2.11."), reason="older readers lose a text that is cut inside an escape"
)
@given(objects, sizes, st.booleans(), st.none() | st.just(1), st.sampled_from([0, 3, 256]))
def test_every_beginning_is_read_as_a_whole_text_is(
    value: dict[str, Any], sizes: list[int], ascii_only: bool, indent: int | None, longest: int
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    reader = PartialArguments()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_arguments, "LONGEST_TAIL", longest)
        for beginning in beginnings(text, sizes):
            found = reader.read(beginning)
            assert json.dumps(found) == json.dumps(read_partial(beginning))
    assert found == read_partial(text)


@given(objects, st.text('"{}[],:\\u5 x\x01', min_size=1, max_size=3), st.integers(0, 99), sizes)
def test_broken_text_is_an_object_too(value: dict[str, Any], wrong: str, at: int, sizes: list[int]) -> None:
    text = json.dumps(value)
    at %= len(text)
    reader = PartialArguments()

    for beginning in beginnings(text[:at] + wrong + text[at:], sizes):
        assert isinstance(reader.read(beginning), dict)


@pytest.mark.parametrize("text", ["[1, 2]", '"text"', "null", "", "  ", "{" * 300, '{"a": ' + "[" * 300, '{"a": 1} x'])
def test_what_is_no_object_is_read_as_always(text: str) -> None:
    assert PartialArguments().read(text) == read_partial(text)


def test_the_text_of_another_call_changes_nothing() -> None:
    reader = PartialArguments()

    assert reader.read('{"a": [1, ') == {"a": [1]}
    assert reader.read('{"b": 2,') == {"b": 2}
    assert reader.read('{"a": [1, 2, ') == {"a": [1, 2]}


def test_a_result_stays_as_it_is_when_more_arrives() -> None:
    reader = PartialArguments()
    first = reader.read('{"rows": [{"n": 1}, {"n": 2 ')

    reader.read('{"rows": [{"n": 1}, {"n": 2}, {"n": 3}, ')

    assert first == {"rows": [{"n": 1}, {"n": 2}]}


def test_a_complete_object_belongs_to_its_reader_alone() -> None:
    reader = PartialArguments()
    reader.read('{"rows": [1, 2], ')
    whole = '{"rows": [1, 2], "x": 1}'
    reader.read(whole)["rows"].append("changed")

    assert reader.read(whole) == {"rows": [1, 2], "x": 1}


@pytest.mark.parametrize(
    "value",
    [
        {f"key_{n}": n for n in range(1000)},
        {"content": "A long text, with \n and 😀. " * 500},
        {"rows": [{"n": n, "text": "some words"} for n in range(500)]},
    ],
    ids=["members", "text", "rows"],
)
def test_each_piece_is_parsed_a_few_times_however_long_the_call(
    value: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, parse = 0, partial_arguments.from_json

    def counting(text: str, **how: Any) -> Any:
        nonlocal parsed
        parsed += len(text)
        return parse(text, **how)

    text, reader = json.dumps(value), PartialArguments()
    monkeypatch.setattr(partial_arguments, "from_json", counting)
    for beginning in beginnings(text[:-1], [8]):
        reader.read(beginning)

    assert parsed < len(text) * 60


def test_a_number_is_shown_when_it_is_complete() -> None:
    """Otherwise 12 is shown before 1230. A text is shown while it grows."""
    text = '{"name": "Rhine 12", "km": [-1230.5, 7], "n": 1e3}'
    reader = PartialArguments()
    shown = [reader.read(text[:end]) for end in range(len(text) + 1)]

    numbers = {str(one[key]) for one in shown for key in ("km", "n") if key in one}
    assert numbers == {"[]", "[-1230.5]", "[-1230.5, 7]", "1000.0"}
    assert {"name": "Rhine 1"} in shown
