"""The content of LangChain's messages: text and LangChain's standard blocks in the order of the reply. Pure.

A citation stands on the block of the text that it is about, and its places count from the beginning of that block. In a
stream, LangChain merges a block into an earlier one only if both have the same index. In `output_version="v1"` it
numbers the blocks itself; in `v0` text is a plain string until the reply holds, or is expected to hold, a block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rivya_core.openai.block_order import in_order, is_citation
from rivya_core.openai.responses.item_types import is_failed, is_provider_run, is_unfinished
from rivya_core.types import ChatDelta

Content = str | list[str | dict[str, Any]]
RESULTS = ("error", "outputs", "results", "output", "tools")
"""Under which keys items report what a tool of the provider gave."""


@dataclass(slots=True)
class _Segment:
    """A block of text: where it begins in the whole text, its index in a stream, and its dictionary in this delta."""

    start: int
    index: int | None
    block: dict[str, Any] | None = None


def _start_of(segment: _Segment) -> int:
    return segment.start


class ContentWriter:
    """Writes the deltas of one reply as content.

    Args:
        numbered: Whether blocks of text have an index, as streams in `output_version="v0"` need it.
        separate: Whether other blocks have an index of their own, as streams in `output_version="v1"` need it.
        expects_blocks: Whether text is written as blocks from the beginning.
    """

    def __init__(self, *, numbered: bool = False, separate: bool = False, expects_blocks: bool = False) -> None:
        self._numbered, self._separate = numbered, separate
        self.as_blocks = numbered and expects_blocks
        self._segments: list[_Segment] = []
        self._written: list[_Segment] = []
        self._is_open = False
        self._end = self._others = 0

    def plain(self, text: str) -> str:
        """Return *text*, which is a delta of its own and stays a string."""
        if not self._is_open:
            self._open()
            self._segments[-1].index = None
        self._end += len(text)
        return text

    def write(self, delta: ChatDelta) -> Content:
        """Return the content of *delta*."""
        refusal = delta.metadata.get("refusal")
        if not (delta.blocks or refusal or self.as_blocks):
            return self.plain(delta.text) if delta.text else ""
        made: list[str | dict[str, Any]] = []
        for piece in in_order(delta):
            if isinstance(piece, str):
                self._text(piece, made)
            elif is_citation(piece):
                self._cite(piece, made)
            else:
                self._other(piece, made)
        if refusal:
            made.append({"type": "refusal", "refusal": refusal})
        for segment in self._written:
            segment.block = None
        self._written = []
        return made

    def _open(self) -> _Segment:
        self._segments.append(_Segment(self._end, len(self._segments) if self._numbered else None))
        self._is_open = True
        return self._segments[-1]

    def _text(self, text: str, made: list[str | dict[str, Any]]) -> None:
        segment = self._segments[-1] if self._is_open else self._open()
        self._block_of(segment, made)["text"] += text
        self._end += len(text)

    def _cite(self, citation: Mapping[str, Any], made: list[str | dict[str, Any]]) -> None:
        start = citation.get("start_index")
        before = bisect_right(self._segments, start, key=_start_of) if isinstance(start, int) else 0
        segment = self._segments[before - 1] if self._segments else self._open()
        self._block_of(segment, made).setdefault("annotations", []).append(_citation(citation, segment.start))

    def _block_of(self, segment: _Segment, made: list[str | dict[str, Any]]) -> dict[str, Any]:
        """Return the block of *segment* in this delta; a new one if it has none."""
        if segment.block is None:
            index = {} if segment.index is None else {"index": segment.index}
            segment.block = {"type": "text", "text": "", **index}
            made.append(segment.block)
            self._written.append(segment)
        return segment.block

    def _other(self, block: Mapping[str, Any], made: list[str | dict[str, Any]]) -> None:
        self._is_open = False
        self.as_blocks = self._numbered
        for found in _blocks(block):
            made.append({**found, "index": f"block_{self._others}"} if self._separate else found)
            self._others += 1


def _citation(block: Mapping[str, Any], start: int) -> dict[str, Any]:
    """A citation in LangChain's form, with its places in a text that begins at *start*."""
    if block.get("type") == "file_path":
        return {"type": "non_standard_annotation", "value": dict(block)}
    names = ("url", "title", "start_index", "end_index", "cited_text")
    known = {name: block[name] for name in names if block.get(name) is not None}
    for name in ("start_index", "end_index"):
        if start and isinstance(known.get(name), int):
            known[name] -= start
    rest = {key: value for key, value in block.items() if key not in {"type", *names}}
    if "title" not in known and isinstance(rest.get("filename"), str):
        known["title"] = rest["filename"]
    return {"type": "citation", **known, **({"extras": rest} if rest else {})}


def _blocks(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An image or sound as the standard block, a tool that the provider ran as its call and result, the rest unchanged.

    A call that the caller must run is not a standard block: nothing says that it is done.
    """
    if not is_provider_run(block):
        yield _block(str(block.get("type")), block)
        return
    name = str(block["type"]).removesuffix("_call")
    facts = {key: value for key, value in block.items() if key not in {"type", "id", "status", "action", *RESULTS}}
    args = block["action"] if isinstance(block.get("action"), Mapping) else facts
    yield {"type": "server_tool_call", "id": block.get("id"), "name": name, "args": dict(args)}
    if not is_unfinished(block):
        results = [block[key] for key in RESULTS if block.get(key) is not None]
        status = "error" if is_failed(block) else "success"
        output = {"output": results[0]} if results else {}
        yield {"type": "server_tool_result", "tool_call_id": block.get("id"), "status": status, **output}


def _block(kind: str, block: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "image_url":
        inner = block.get("image_url")
        url = inner.get("url") if isinstance(inner, Mapping) else inner
        facts = {key: value for key, value in block.items() if key not in {"type", "image_url", "id", "index"}}
        own = {"id": block["id"]} if isinstance(block.get("id"), str) else {}
        return {**_linked("image", str(url or "")), **own, **({"extras": facts} if facts else {})}
    if kind == "audio":
        return {"type": "audio", "base64": block.get("data"), "mime_type": block.get("mime_type", "audio/wav")}
    odd_type = (
        {} if isinstance(block.get("type"), (str, type(None))) else {"type": kind}
    )  # LangChain looks it up in sets
    return {"type": "non_standard", "value": {**block, **odd_type}}


def _linked(kind: str, url: str) -> dict[str, Any]:
    if not url.startswith("data:"):
        return {"type": kind, "url": url}
    head, _, data = url.partition(",")
    return {"type": kind, "base64": data, "mime_type": head.removeprefix("data:").partition(";")[0]}
