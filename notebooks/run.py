"""Runs every notebook from top to bottom on the sandbox, as `make notebooks` and continuous integration do.

`python notebooks/run.py 01 04` runs some of them; `--save DIR` keeps what came out, to be looked at; `--real` leaves
the keys in the environment, so that the services answer. The notebooks themselves are never changed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

HERE = Path(__file__).parent
SECONDS = 30
PROVIDERS = ("RIVYA", "EVOLINK", "GMI", "OPENAI")


def environment(*, real: bool) -> dict[str, str]:
    """The kernel's environment: without anybody's keys, unless the services are wanted."""
    return {name: value for name, value in os.environ.items() if real or not name.startswith(PROVIDERS)}


def run(path: Path, save: Path | None, *, real: bool) -> str | None:
    """Run one notebook and return what went wrong, if anything did."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(HERE)}})
    client.coalesce_streams = True
    client.extra_arguments = ["--log-level=ERROR"]  # else the kernel warns of its loopback connection
    began = time.perf_counter()
    try:
        client.execute(env=environment(real=real))
    except (CellExecutionError, CellTimeoutError) as error:
        return str(error)
    finally:
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, save / path.name)
    seconds = time.perf_counter() - began
    print(f"{path.name:<28} {seconds:5.1f} s", flush=True)
    return None if seconds < SECONDS or real else f"{path.name} took {seconds:.0f} s; {SECONDS} s are allowed."


def main() -> None:
    """Run what is asked for, all notebooks by default; end with 1 if one failed."""
    parser = argparse.ArgumentParser(description="Run the notebooks from top to bottom.")
    parser.add_argument("names", nargs="*", help="beginnings of names, such as 01")
    parser.add_argument("--save", type=Path, help="directory for the notebooks with their outputs")
    parser.add_argument("--real", action="store_true", help="use the keys in the environment")
    wanted = parser.parse_args()
    found = [path for path in sorted(HERE.glob("*.ipynb")) if path.name.startswith(tuple(wanted.names or [""]))]
    failures = [failure for path in found if (failure := run(path, wanted.save, real=wanted.real))]
    print(f"{len(found) - len(failures)} passed, {len(failures)} failed", flush=True)
    if failures or not found:
        sys.exit("\n".join(failures) or "There is no such notebook.")


if __name__ == "__main__":
    main()
