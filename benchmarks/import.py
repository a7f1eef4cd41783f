"""What importing costs, each time in a new Python: CPU and wall seconds, compared with the frameworks' own base classes.

Python keeps frames in chunks of memory, and a loop of calls that happens to run across the end of one asks for a new
chunk at every call. So the same import costs up to a fifth more or less at another depth of the stack. Each round
therefore imports at another depth, the same for all sides.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from pathlib import Path

from _measure import Sample, Table, medians

DEPTHS = range(0, 72, 8)
"""Calls below which the import stands, a round each."""
ROOT = Path(__file__).parent.parent
PACKAGES = ("rivya_core", "langchain_rivya", "llamaindex_rivya")
BASE = "framework + httpx"
PAIRS = {
    "LangChain": {
        BASE: "import httpx; from langchain_core.language_models.chat_models import BaseChatModel",
        "ChatRivya": "from langchain_rivya import ChatRivya",
        "ChatOpenAICompatible": "from langchain_rivya import ChatOpenAICompatible",
        "incumbent ChatOpenAI": "from langchain_openai import ChatOpenAI",
        "import langchain_rivya": "import langchain_rivya",
    },
    "LlamaIndex": {
        BASE: "import httpx; from llama_index.core.llms.function_calling import FunctionCallingLLM",
        "Rivya": "from llamaindex_rivya import Rivya",
        "OpenAICompatible": "from llamaindex_rivya import OpenAICompatible",
        "incumbent OpenAILike": "from llama_index.llms.openai_like import OpenAILike",
        "import llamaindex_rivya": "import llamaindex_rivya",
    },
}
SCRIPT = """
import time
def load(depth):
    if depth:
        return load(depth - 1)
    {statement}
cpu, wall = time.process_time(), time.perf_counter()
load({depth})
print("[%r, %r]" % (time.process_time() - cpu, time.perf_counter() - wall))
"""


def once(statement: str, depth: int) -> Sample:
    """Import in a new process and return what that took."""
    script = SCRIPT.format(statement=statement, depth=depth)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return Sample(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    for package in PACKAGES:  # as an installed package is; pip compiled the others
        compileall.compile_dir(ROOT / package, quiet=1)
    table = Table("Importing", unit="s")
    for framework, statements in PAIRS.items():
        samples: dict[str, list[Sample]] = {name: [] for name in statements}
        for statement in statements.values():
            once(statement, 0)
        for depth in DEPTHS:
            for name, statement in statements.items():
                samples[name].append(once(statement, depth))
        goals = {name: "<= 1.05" for name in statements if name[0].isupper()}
        table.add(framework, {name: medians(found) for name, found in samples.items()}, BASE, goals=goals)
    table.print()


if __name__ == "__main__":
    main()
