"""Server-sent events as the WHATWG has them, cut anywhere, in any line ends, of any size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import RIVYA

from rivya_core.errors import StreamBrokenError
from rivya_core.http import sse
from rivya_core.http.sse import Event, SSEDecoder, event_of


def events(*pieces: bytes) -> list[Event]:
    decoder = SSEDecoder()
    blocks = [block for piece in pieces for block in decoder.feed(piece)] + decoder.finish()
    return [event for block in blocks if (event := event_of(block)) is not None]


EXAMPLES = {
    "lines are joined": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("", b"YHOO\n+2\n10")]),
    "comment, id, and only one blank is dropped": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [Event("", b"first event"), Event("", b"second event"), Event("", b" third event")],
    ),
    "empty data": (b"data\n\ndata\ndata\n\ndata:\n\n", [Event("", b""), Event("", b"\n"), Event("", b"")]),
    "blank after the colon": (b"data:test\n\ndata: test\n\n", [Event("", b"test"), Event("", b"test")]),
    "named": (b"event: add\ndata: 73857293\n\n", [Event("add", b"73857293")]),
    "name after data": (b"data: x\nevent: add\n\n", [Event("add", b"x")]),
    "last name counts": (b"event: a\nevent: b\ndata: x\n\n", [Event("b", b"x")]),
    "name does not stay": (b"event: a\ndata: x\n\ndata: y\n\n", [Event("a", b"x"), Event("", b"y")]),
    "retry and unknown fields": (b"retry: 10\nfoo: bar\nDATA: no\ndata: x\n\n", [Event("", b"x")]),
    "fields are exact": (b" data: no\ndata : no\ndata: x\n\n", [Event("", b"x")]),
    "colons in data": (b"data: a:b: c\n\n", [Event("", b"a:b: c")]),
    "byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [Event("", b"x")]),
    "byte order mark before a name": (b"\xef\xbb\xbfevent: a\ndata: x\n\n", [Event("a", b"x")]),
    "mark inside data stays": (b"data: \xef\xbb\xbfx\n\n", [Event("", b"\xef\xbb\xbfx")]),
    "many blank lines": (b"\n\n\n\ndata: x\n\n\n\n\ndata: y\n\n", [Event("", b"x"), Event("", b"y")]),
    "no blank line at the end": (b"data: x", [Event("", b"x")]),
    "name without data": (b"event: done\n\n", [Event("done", b"")]),
    "comments only": (b": a\n:\n\n:\n\n", []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(("body", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(body: bytes, expected: list[Event], ends: bytes) -> None:
    """In each kind of line end, whole and byte by byte."""
    body = body.replace(b"\n", ends)

    assert events(body) == expected
    assert events(*(body[i : i + 1] for i in range(len(body)))) == expected


def test_line_ends_may_be_mixed() -> None:
    assert events(b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\n\n") == [Event("", b"a\nb\nc"), Event("", b"d")]


FRAMINGS = {"crlf", "cr", "bom", "spread", "ids", "tight", "keep-alives", "bare-unnamed", "no-blank-at-end", "named"}


@pytest.mark.parametrize("path", [path for path in RIVYA if path.stem in FRAMINGS], ids=lambda path: path.stem)
def test_cut_at_every_byte_a_transcript_has_the_same_events(path: Path) -> None:
    data = path.read_bytes()
    expected = events(data)

    assert all(events(data[:cut], data[cut:]) == expected for cut in range(len(data) + 1))


@given(
    st.lists(
        st.sampled_from([b"data: x", b"data", b"\r", b"\n", b"\r\n", b":", b"event: e", b"\n\n", b"\xef", b"id: 1"])
    )
)
def test_any_cut_gives_the_same_events(pieces: list[bytes]) -> None:
    assert events(*pieces) == events(b"".join(pieces))


def test_an_event_comes_as_soon_as_its_blank_line_is_there() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: x\n") == []
    assert decoder.feed(b"\n") == [b"data: x"]


def test_a_huge_event_in_small_pieces_takes_time_in_proportion_to_its_size() -> None:
    """8 MiB in pieces of 1 KiB: looking at what came before anew for each piece would take minutes."""
    pieces = [b"data: ", *[b"x" * 1024] * 8192, b"\n\n"]

    assert [len(event.data) for event in events(*pieces)] == [8 * 1024 * 1024]


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    decoder = SSEDecoder()
    decoder.feed(b"data: " + b"x" * 600)

    with pytest.raises(StreamBrokenError, match="larger than 1000 bytes"):
        decoder.feed(b"x" * 600)
