"""How things are measured here: sides alternate in one process, CPU time and wall time, medians, one table."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
KEY = "rvya_sk_benchmark"


class Server:
    """The fast server of `_server.py`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def rivya(self, how: str = "n=10") -> str:
        """A base URL in Rivya's form that answers as *how* says."""
        return f"{self.url}/{how}/api/v1"

    def openai(self, how: str = "n=10") -> str:
        """A base URL in OpenAI's form that answers as *how* says."""
        return f"{self.url}/{how}/v1"

    def connections(self) -> int:
        """Connections since the last time this was asked, without the one that asks."""
        with urllib.request.urlopen(f"{self.url}/counts") as answer:
            return json.load(answer)["connections"] - 1


@contextmanager
def serving() -> Iterator[Server]:
    """Run the server in a process of its own."""
    command = [sys.executable, str(HERE / "_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.stdin.close()


class Sample(NamedTuple):
    """Seconds of one round, for one unit of what is measured."""

    cpu: float
    wall: float


def measure(work: Callable[[], object], units: int) -> Sample:
    """Do *work* once and return what it took for each of its *units*."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return Sample((time.process_time() - cpu) / units, (time.perf_counter() - wall) / units)
    finally:
        gc.enable()


def alternating(sides: dict[str, Callable[[], object]], *, units: int = 1, rounds: int = 7) -> dict[str, Sample]:
    """Measure all *sides* in turn, *rounds* times after one round to warm up, and return the medians."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            sample = measure(work, units)
            if number:
                samples[name].append(sample)
    return {name: medians(found) for name, found in samples.items()}


def medians(samples: list[Sample]) -> Sample:
    """The medians of both times."""
    return Sample(statistics.median(s.cpu for s in samples), statistics.median(s.wall for s in samples))


class Table:
    """Rows of medians with their ratios to some of the rows, printed once at the end."""

    def __init__(self, title: str, unit: str = "us") -> None:
        self.title, self.unit = title, unit
        self.rows: list[tuple[str, ...]] = []

    def add(self, group: str, found: dict[str, Sample], *bases: str, goals: dict[str, str] | None = None) -> None:
        """Add the rows of one measurement; *bases* are the rows that the others are compared with."""
        for name, sample in found.items():
            ratios = [f"{sample.cpu / found[base].cpu:.2f} x {base}" for base in bases if base != name]
            numbers = (self._shown(sample.cpu), self._shown(sample.wall))
            self.rows.append((group, name, *numbers, ", ".join(ratios), (goals or {}).get(name, "")))

    def note(self, group: str, name: str, text: str, goal: str = "") -> None:
        """Add a row that is a finding rather than a time."""
        self.rows.append((group, name, "", "", text, goal))

    def print(self) -> None:
        """Print the table."""
        head = ("what", "side", f"CPU {self.unit}", f"wall {self.unit}", "CPU ratios", "goal")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(len(head))]
        print(f"\n{self.title}")
        for row in [head, tuple("-" * width for width in widths), *self.rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _shown(self, seconds: float) -> str:
        factor = {"us": 1e6, "ms": 1e3, "s": 1.0}[self.unit]
        return f"{seconds * factor:,.3f}" if self.unit == "s" else f"{seconds * factor:,.1f}"
