"""A process that submits an image and is killed at a chosen moment; the resume tests run it."""

import os
import signal
import sys
import time

time.sleep = lambda _: None  # before the drivers use it

from langchain_rivya import RivyaImageTool  # noqa: E402
from rivya_core.images import api, task_runner  # noqa: E402
from rivya_core.images.sqlite_task_store import SQLiteTaskStore  # noqa: E402
from rivya_core.images.task_store import TaskRecord  # noqa: E402


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Kill the process at *moment*."""
    if moment == "before the answer":
        api.read_task = die  # type: ignore[assignment]
    elif moment == "before it is noted":
        put = SQLiteTaskStore.put

        def note(self: SQLiteTaskStore, record: TaskRecord) -> None:
            die() if record.task_id else put(self, record)

        SQLiteTaskStore.put = note  # type: ignore[method-assign]
    elif moment == "while it runs":
        task_runner.wait_for_task = die  # type: ignore[assignment]
    else:
        task_runner.generated = die  # type: ignore[assignment]


if __name__ == "__main__":
    moment, store, out = sys.argv[1:]
    arm(moment)
    tool = RivyaImageTool(task_store=store, output_dir=out)
    call = {"type": "tool_call", "id": "call_7", "name": tool.name, "args": {"prompt": "A lighthouse"}}
    tool.invoke(call)
