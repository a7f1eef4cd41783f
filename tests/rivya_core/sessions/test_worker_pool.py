"""Two workers of one server, with nothing configured: real processes, both frameworks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from oracle import Watch, context_of

from rivya_sandbox import Sandbox

POOL = Path(__file__).parents[2] / "support" / "worker_pool.py"


class Pool:
    """The workers, seen from the load balancer."""

    def __init__(self, sandbox: Sandbox, process: subprocess.Popen[str]) -> None:
        self.sandbox, self.process = sandbox, process

    def ask(self, worker: str, name: str, after: str, text: str, way: str) -> str:
        """Ask *text* after the conversation *after*, which becomes *name*; return the route.

        The model must have seen exactly the conversation, in one charged turn.
        """
        assert self.process.stdin
        assert self.process.stdout
        watch = Watch(self.sandbox)
        asked = {"worker": worker, "name": name, "after": after, "text": text, "way": way}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        (turn,) = [turn for turn in watch.turns if turn.context[-1].text != "The first process has talked, too."]
        assert turn.charged > 0
        assert [seen.text for seen in context_of(turn)] == answer["meant"]
        return str(answer["route"])


@contextmanager
def pool(sandbox: Sandbox, framework: str, start: str) -> Iterator[Pool]:
    command = [sys.executable, "-W", "ignore", str(POOL), framework, start, sandbox.rivya_url, sandbox.api_key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Pool(sandbox, process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(("framework", "start"), [("langchain", "spawn"), ("llamaindex", "fork")])
def test_questions_that_are_edited_at_the_other_worker(sandbox: Sandbox, framework: str, start: str) -> None:
    """Turns go to and fro between the workers, and every edit, wherever it arrives, is seen alone by the model."""
    with pool(sandbox, framework, start) as workers:
        assert workers.ask("A", "one", "", "My name is Ann.", "invoke") == "new"
        assert workers.ask("B", "two", "one", "What is 2 + 2?", "stream") == "continue"
        assert workers.ask("A", "edit", "one", "What is 3 + 3?", "invoke") == "replay"
        assert workers.ask("A", "three", "two", "And what is my name?", "astream") == "continue"
        assert workers.ask("B", "edit 2", "two", "What is 4 + 4?", "ainvoke") == "replay"
        assert workers.ask("A", "four", "three", "Thanks.", "invoke") == "continue"
        assert workers.ask("B", "five", "edit", "Continue.", "stream") == "continue"
        assert workers.ask("A", "edit 3", "edit", "Continue there.", "stream") == "replay"
