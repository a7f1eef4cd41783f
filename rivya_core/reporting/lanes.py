"""Where each call of a timeline is drawn: one lane for each session, and the call that a fork begins at.

A lane is free again when its session has ended, so that a thousand short conversations need one lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rivya_core.reporting.steps import Step


@dataclass(frozen=True, slots=True)
class Strand:
    """The rows of one session.

    Attributes:
        lane: Number of the lane, from the left.
        first: Row of its first call.
        last: Row of its last call.
        fork: Row of the call that it forked from, or None.
    """

    lane: int
    first: int
    last: int
    fork: int | None = None

    @property
    def top(self) -> int:
        """The row at which its line begins."""
        return self.first if self.fork is None else self.fork


def strands_of(steps: Sequence[Step]) -> list[Strand]:
    """Return the strand of each step, in the order of the steps."""
    names = _names(steps)
    found: dict[str, Strand] = {}
    rows: dict[str, int] = {}  # the newest row of each session and reply
    for row, (step, name) in enumerate(zip(steps, names, strict=True)):
        known = found.get(name) or Strand(0, row, row, _fork(step, rows))
        found[name] = replace(known, last=row)
        rows[name] = rows[step.id] = row
    placed: list[int] = []  # the last row of each lane
    lanes = {name: _place(strand, placed) for name, strand in sorted(found.items(), key=lambda each: each[1].top)}
    return [replace(found[name], lane=lanes[name]) for name in names]


def _names(steps: Sequence[Step]) -> list[str]:
    """The session of each step.

    Where replies continue replies, a session is a chain of them, and a second continuation of a reply is a chain of
    its own. Calls without sessions share one name.
    """
    tips: dict[str, str] = {}
    names = []
    for row, step in enumerate(steps):
        own = f"chain of {row}"
        if step.session or not step.route:
            name = step.session or ""
        else:
            name = tips.pop(step.after or "", own) if step.route == "continue" else own
            tips[step.id] = name
        names.append(name)
    return names


def _fork(step: Step, rows: Mapping[str, int]) -> int | None:
    """The row of the reply that a step's history ends with, if there is one."""
    return rows.get(step.after) if step.after and step.route in {"continue", "replay"} else None


def _place(strand: Strand, placed: list[int]) -> int:
    """The first lane that is free from the strand's top on; it is taken to the strand's end."""
    lane = next((number for number, last in enumerate(placed) if last < strand.top), len(placed))
    placed[lane : lane + 1] = [strand.last]
    return lane
