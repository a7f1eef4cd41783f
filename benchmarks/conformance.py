"""How LLM classes for LlamaIndex do on the conformance suite: ours, and `OpenAILike` as the incumbent.

    python benchmarks/conformance.py

The suite in `tests/llamaindex_rivya/conformance` talks to a scripted server; each file is one point of what agents, programs,
token counters and operators rely on. The table says how many checks of each point a class passes. Nothing here fails:
it is a measurement. Needs `llama-index-llms-openai-like`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUITE = ROOT / "tests" / "llamaindex_rivya" / "conformance"
SECONDS_PER_CHECK = 20
OURS, INCUMBENT = "ours", "OpenAILike"


def openai_like(url: str, **fields: Any) -> Any:
    """The incumbent, set up as its users have to: as a chat model that calls functions."""
    from llama_candidates import KEY
    from llama_index.llms.openai_like import OpenAILike

    defaults = {"model": "some-model", "api_key": KEY, "is_chat_model": True, "is_function_calling_model": True}
    return OpenAILike(api_base=url, **{**defaults, **fields})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """A check that takes too long has failed; layers of retries can sleep for minutes."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"No end after {SECONDS_PER_CHECK} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_PER_CHECK)
    try:
        return (yield)
    finally:
        signal.alarm(0)


def run(candidate: str) -> dict[str, Counter[str]]:
    """Run the suite and return, for each file, how many checks passed and how many there were."""
    here = str(Path(__file__).resolve().parent)
    environment = {**os.environ, "PYTHONPATH": here}
    if candidate != OURS:
        environment["CONFORMANCE_CANDIDATE"] = "conformance:openai_like"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", str(SUITE), "-p", "conformance", f"--junitxml={report}"]
        command += ["-o", "filterwarnings=ignore", "--tb=no", "-q", "-p", "no:unraisableexception"]
        subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=subprocess.DEVNULL)
        return counted(ET.parse(report))


def counted(report: ET.ElementTree[Any]) -> dict[str, Counter[str]]:
    """Passed and all checks by file."""
    points: dict[str, Counter[str]] = {}
    for case in report.iter("testcase"):
        name = re.search(r"test_p\d\d_\w+", case.get("classname", ""))
        if name and case.find("skipped") is None:
            counts = points.setdefault(name.group(), Counter())
            counts["all"] += 1
            counts["passed"] += case.find("failure") is None and case.find("error") is None
    return points


def title(point: str) -> str:
    """The first line of a file's docstring."""
    return (SUITE / f"{point}.py").read_text(encoding="utf-8").split('"""')[1].splitlines()[0].rstrip(".")


def main() -> None:
    """Print the table."""
    scores = {name: run(name) for name in (OURS, INCUMBENT)}
    print(f"{'':60}{OURS:>14}{INCUMBENT:>14}")
    for point in sorted(scores[OURS] | scores[INCUMBENT]):
        cells = [f"{c['passed']}/{c['all']}" for c in (score.get(point, Counter()) for score in scores.values())]
        print(f"{title(point)[:59]:60}{cells[0]:>14}{cells[1]:>14}")
    totals = [sum(score.values(), Counter()) for score in scores.values()]
    cells = [f"{100 * total['passed'] / max(1, total['all']):.0f} %" for total in totals]
    print(f"{'all':60}{cells[0]:>14}{cells[1]:>14}")


if __name__ == "__main__":
    main()
