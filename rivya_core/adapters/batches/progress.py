"""What a batch has come to, and the bar that people see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from typing_extensions import Self

from rivya_core.images.progress import bar_wanted, new_bar


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run of a batch came to.

    Attributes:
        total: Items.
        succeeded: Items with a result, those of earlier runs included.
        failed: Items that failed in this run.
        resumed: Items that earlier runs had finished.
        credits: Credits charged for the results of this run, where the provider says.
    """

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    resumed: int = 0
    credits: float = 0


class BatchBar:
    """A `tqdm` bar, if one is to be shown.

    Args:
        total: Items.
        finished: Items that earlier runs have finished.
        progress: Whether to show it; None decides by who is watching.
    """

    def __init__(self, total: int, finished: int, *, progress: bool | None) -> None:
        self._bar: Any = None
        if bar_wanted(progress):
            self._bar = new_bar(total=total, initial=finished, desc="batch", unit="item")

    def show(self, report: BatchReport) -> None:
        """Show what a batch has come to."""
        if self._bar is not None:
            self._bar.set_postfix({"failed": report.failed, "credits": report.credits}, refresh=False)
            self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()
