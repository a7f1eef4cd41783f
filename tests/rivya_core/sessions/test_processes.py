"""Several processes, killed at random, on one ledger or on the default one: the promise holds for all that they finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from process_rounds import processes_round

from rivya_sandbox import Sandbox


@pytest.mark.parametrize("kind", ["memory", "fork", "sqlite", "redis"])
def test_killed_processes_break_no_promise(
    sandbox: Sandbox, tmp_path: Path, kind: str, request: pytest.FixtureRequest, capsys: Any
) -> None:
    """Each reply is continued by one process only, whichever process dies between claim and settle."""
    ledger = {"sqlite": str(tmp_path / "sessions.db"), "memory": kind, "fork": kind}.get(kind)
    started, figures = processes_round(sandbox, tmp_path, ledger or request.getfixturevalue("redis_url"))
    with capsys.disabled():
        print(f"\n{started} processes on {kind}: {figures}")  # noqa: T201 - the figures are to be seen

    assert figures.perfect, "\n".join(figures.faults)
    assert figures.context[True] > 30
    assert figures.reused[True] > 10
