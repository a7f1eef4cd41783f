"""What a long session costs: the 1,000th turn and the 2nd, in `json.dumps` of the same list."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from _measure import KEY, Sample, Table, measure, medians, serving
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage

from langchain_rivya import ChatRivya, MemoryLedger
from llamaindex_rivya import Rivya

TURNS = 1000
ROUNDS = 15
QUESTION = "The quick brown fox jumps over the lazy dog. " * 4
GOAL = "6 x json.dumps"


class Session:
    """A conversation that stays in one session."""

    def __init__(self, ask: Callable[[list[Any]], Any], human: Callable[[str], Any], turns: int) -> None:
        self.ask, self.human, self.history = ask, human, list[Any]()
        for _ in range(turns - 1):
            self.turn()

    def turn(self) -> None:
        """Ask once more."""
        self.history.append(self.human(QUESTION))
        self.history.append(self.ask(self.history))

    def next_turn(self) -> Sample:
        """Measure the medians of the next turns."""
        return medians([measure(self.turn, 1) for _ in range(ROUNDS)])


def plain(history: list[Any]) -> list[dict[str, str]]:
    """The history as JSON would have it."""
    return [{"role": "assistant" if at % 2 else "user", "content": said.content} for at, said in enumerate(history)]


def main() -> None:
    table = Table(f"Sessions: CPU of the 2nd and the {TURNS:,}th turn")
    with serving() as server:
        url = server.rivya()
        chat = ChatRivya(api_key=KEY, base_url=url, session_ledger=MemoryLedger())
        llm = Rivya(api_key=KEY, base_url=url, session_ledger=MemoryLedger())
        sides: dict[str, tuple[Callable[[list[Any]], Any], Callable[[str], Any]]] = {
            "ChatRivya": (chat.invoke, HumanMessage),
            "Rivya": (lambda messages: llm.chat(messages).message, ChatMessage),
        }
        for name, (ask, human) in sides.items():
            short, long = Session(ask, human, 2).next_turn(), (session := Session(ask, human, TURNS)).next_turn()
            work = partial(json.dumps, plain(session.history))
            dumped = medians([measure(work, 1) for _ in range(ROUNDS)])
            table.add(name, {"2nd turn": short, f"{TURNS:,}th turn": long, "json.dumps of the history": dumped})
            ratio = (long.cpu - short.cpu) / dumped.cpu
            table.note(name, "what the history costs", f"{ratio:.2f} x json.dumps of the history", GOAL)
    table.print()


if __name__ == "__main__":
    sys.exit(main())
