"""Tool calls whose arguments are asked for at every piece, as LlamaIndex's agents do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llamaindex_rivya import OpenAICompatible
from llamaindex_rivya.llms.responses import Accumulator
from rivya_core.openai import partial_arguments
from rivya_core.openai.partial_arguments import read_partial
from rivya_core.types import ChatDelta, ToolCallDelta

MODEL = OpenAICompatible(model="m", api_key="k", base_url="https://backend.test/v1")
TEXT = json.dumps({"rows": [{"n": n, "text": "some words"} for n in range(200)], "done": True})


def deltas(index: int, id_: str | None, text: str) -> list[ChatDelta]:
    first = ChatDelta(tool_calls=(ToolCallDelta(index, id_, "look_up"),))
    pieces = [text[at : at + 8] for at in range(0, len(text), 8)]
    return [first, *(ChatDelta(tool_calls=(ToolCallDelta(index, arguments=piece),)) for piece in pieces)]


def arguments(reply: Accumulator, delta: ChatDelta) -> list[dict[str, Any]]:
    found = MODEL.get_tool_calls_from_response(reply.add(delta), error_on_no_tool_call=False)
    return [call.tool_kwargs for call in found]


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "a"), (None, None)], ids=["two ids", "the same id", "no ids"])
def test_calls_that_arrive_together_are_kept_apart(ids: tuple[str | None, str | None]) -> None:
    replies, texts = [Accumulator(), Accumulator()], [TEXT, TEXT.replace("some", "other")]
    pieces = zip(*[deltas(0, id_, text) for id_, text in zip(ids, texts, strict=True)], strict=False)

    for number, both in enumerate(pieces):
        for reply, text, delta in zip(replies, texts, both, strict=True):
            assert arguments(reply, delta) == [read_partial(text[: 8 * number])]


def test_the_arguments_are_not_parsed_from_their_beginning_at_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, parse = 0, partial_arguments.from_json

    def counting(text: str, **how: Any) -> Any:
        nonlocal parsed
        parsed += len(text)
        return parse(text, **how)

    monkeypatch.setattr(partial_arguments, "from_json", counting)
    reply = Accumulator()
    for delta in deltas(0, "a", TEXT):
        found = arguments(reply, delta)

    assert found == [json.loads(TEXT)]
    assert parsed < 30 * len(TEXT)
