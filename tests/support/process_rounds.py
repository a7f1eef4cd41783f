"""Rounds of several processes that talk on one ledger, or each on its own, and are killed at random."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from oracle import context_of
from talk_figures import Figures
from transcript_reader import Seen

from rivya_sandbox import Sandbox

TALKER = Path(__file__).parent / "process_talk.py"
PROCESSES, SECONDS = 3, 2.5


class Workers:
    """Processes that talk, and die now and then."""

    def __init__(self, folder: Path, sandbox: Sandbox, ledger: str) -> None:
        self.folder, self.sandbox, self.ledger = folder, sandbox, ledger
        self.random = random.Random(folder.name)
        self.started = 0
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.started += 1
        facts = [str(self.folder), self.sandbox.rivya_url, self.sandbox.api_key, self.ledger, f"p{self.started}"]
        self.running.append(subprocess.Popen([sys.executable, str(TALKER), *facts], stdout=subprocess.PIPE))

    def kill(self, one: subprocess.Popen[bytes]) -> None:
        self.running.remove(one)
        one.kill()
        one.communicate()

    def work(self, seconds: float, turns: int) -> None:
        """Work for so long, or longer on a busy machine, until so many turns have been begun."""
        for _ in range(PROCESSES):
            self.start()
        began = time.monotonic()
        while time.monotonic() < began + seconds or len(self.sandbox.journal.turns) < turns:
            assert time.monotonic() < began + 60, "the talkers do not get on"
            one = self.random.choice(self.running)
            if one.stdout is not None and one.stdout.readline():  # it is up; now it may live for a little while
                time.sleep(self.random.uniform(0.05, 0.5))
                assert one.poll() is None, "a talker failed without being killed"
            self.kill(one)
            self.start()

    def stop(self) -> None:
        while self.running:
            self.kill(self.running[0])

    def log(self) -> list[dict[str, Any]]:
        lines = [line for path in sorted(self.folder.glob("*.log")) for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines if line.endswith("}")]


def judge(sandbox: Sandbox, log: list[dict[str, Any]]) -> Figures:
    """Hold what the processes noted against what the sandbox knows."""
    figures = Figures()
    talks = {line["call"]: line["talk"] for line in log if "talk" in line}
    ended = {line["call"]: line for line in log if "id" in line}
    turns = {turn.id: turn for turn in sandbox.journal.turns}
    cost: Counter[str] = Counter()
    for exchange in sandbox.journal.requests:
        if isinstance(exchange.body, dict):  # not one whose sender died over it
            cost[exchange.body["client_request_id"]] += sum(turn.charged > 0 for turn in exchange.turns)
    going_on: dict[str, list[str]] = defaultdict(list)
    for call, talk in talks.items():
        end = ended.get(call)
        figures.note("charged", cost[call] == 1 if end else cost[call] <= 1, f"{call}: {cost[call]} times")
        if end:
            meant = [Seen(said["role"], said["text"]) for said in talk]
            figures.note("context", context_of(turns[end["id"]]) == meant, f"{call}: {end['route']}")
        if len(talk) > 1:
            going_on[talk[-2]["id"]].append(end["route"] if end else "killed")
    for reply, routes in going_on.items():
        continued = routes.count("continue")
        figures.note("reused", continued == 1 or ("killed" in routes and continued == 0), f"{reply}: {routes}")
    return figures


def processes_round(sandbox: Sandbox, folder: Path, ledger: str, *, seconds: float = SECONDS) -> tuple[int, Figures]:
    """Perform one round on a sandbox as new; return how many processes there were, and the figures."""
    workers = Workers(folder, sandbox, ledger)
    try:
        workers.work(seconds, turns=60)
    finally:
        workers.stop()
    time.sleep(0.1)  # what the killed ones asked for last
    return workers.started, judge(sandbox, workers.log())
