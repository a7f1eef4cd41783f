"""A process that runs a batch and is killed by the test that started it.

    python tests/support/killed_batch.py FRAMEWORK KIND RESULTS ITEMS

The provider's variables name the sandbox.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from typing import Any

from rivya_core.images.polling import PollingPolicy


def target(framework: str, kind: str) -> Any:
    package = importlib.import_module(f"{framework}_rivya")
    names = {"langchain": ("ChatRivya", "RivyaImageTool"), "llamaindex": ("Rivya", "RivyaImageToolSpec")}[framework]
    return getattr(package, names[kind == "images"])()


def items(count: int) -> dict[str, str]:
    return {f"item-{number}": f"What is {number} + {number}?" for number in range(count)}


if __name__ == "__main__":
    PollingPolicy.delays = lambda _: itertools.repeat(0.05)  # type: ignore[method-assign]
    framework, kind, results, count = sys.argv[1:]
    batch_class = importlib.import_module(f"{framework}_rivya").ResumableBatch
    batch = batch_class(target(framework, kind), results, max_concurrency=4)
    report = batch.run(items(int(count)))
    print(report.total, report.succeeded, report.resumed, report.failed)  # noqa: T201
