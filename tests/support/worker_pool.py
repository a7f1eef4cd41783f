"""Two workers with the default ledger, as a server has them, that answer whole conversations.

    python tests/support/worker_pool.py FRAMEWORK START BASE_URL KEY

START is `fork` or `spawn`. Each line of the input is JSON: which worker, and which texts the conversation has after that worker's
reply, or the conversation that another one had (a key of `talks`). The model exists before the workers, as with `--preload`.
"""

from __future__ import annotations

import json
import multiprocessing
import pickle
import sys
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any


def work(framework: str, base_url: str, key: str, pipe: Connection) -> None:
    """Answer until the pipe is closed."""
    from talk_rounds import WORLDS

    world = WORLDS[framework]()
    model = world.model(SimpleNamespace(rivya_url=base_url, api_key=key))
    while (asked := pipe.recv()) is not None:
        history, text, way = asked
        talk = [*pickle.loads(history), world.human(text)]
        reply = world.ask(model, talk, way)
        pipe.send((pickle.dumps([*talk, reply]), world.route(reply), [seen.text for seen in world.transcript(talk)]))
    world.close()


def main() -> None:
    """Carry out the lines of the input."""
    framework, start, base_url, key = sys.argv[1:]
    from talk_rounds import WORLDS

    world = WORLDS[framework]()
    model = world.model(SimpleNamespace(rivya_url=base_url, api_key=key))
    world.ask(model, [world.human("The first process has talked, too.")])
    context: Any = multiprocessing.get_context(start)
    pipes = {}
    for name in "AB":
        pipes[name], theirs = context.Pipe()
        context.Process(target=work, args=(framework, base_url, key, theirs), daemon=True).start()
    talks: dict[str, bytes] = {"": pickle.dumps([])}
    for line in sys.stdin:
        asked = json.loads(line)
        pipes[asked["worker"]].send((talks[asked["after"]], asked["text"], asked["way"]))
        talks[asked["name"]], route, meant = pipes[asked["worker"]].recv()
        print(json.dumps({"route": route, "meant": meant}), flush=True)  # noqa: T201 - the answer
    for pipe in pipes.values():
        pipe.send(None)


if __name__ == "__main__":
    main()
