"""Images that credit handlers count: each task once, however often its image is asked for, and within their limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rivya_core.errors import TaskFailedError
from rivya_core.http.plan import Plan
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_store import TaskRecord
from rivya_core.reporting.costs import CostTracker
from rivya_core.reporting.credits import CreditsReportMixin

T = TypeVar("T")


class ImageReservation:
    """The credits that one call of an image tool reserves in a handler, in the form of a `Budget`.

    The amounts stay reserved until `close`, so that no other call starts before the image is counted.
    """

    def __init__(self, costs: CostTracker) -> None:
        self._costs = costs
        self.held = 0.0

    def hold(self, what: str, price: float | None) -> float:
        """Reserve the price of *what*.

        Raises:
            CreditLimitError: The handler's limit is reached.
        """
        amount = self._costs.start(what, price or 0.0)
        self.held += amount
        return amount

    def learn(self, what: str, held: float, reserved: float | None) -> float:
        """Replace the *held* amount by the amount that the provider reserved."""
        amount = held if reserved is None else reserved
        self._costs.correct(what, held, amount)
        self.held += amount - held
        return amount

    def settle(self, held: float, final: float | None) -> None:
        """Release the amount *held* for a task that cost nothing."""
        if final == 0:
            self._give_back(held)

    def keep_for(self, task_id: str) -> None:
        """Keep the amount of a task that runs longer than the call reserved, until the task is counted or fails."""
        self._costs.keep_for_task(task_id, self.held)
        self.held = 0.0

    def close(self) -> None:
        """Give everything back."""
        self._give_back(self.held)

    def _give_back(self, amount: float) -> None:
        self.held -= amount
        self._costs.release(amount)


def count_images(plan: Plan[T], reports: Sequence[CreditsReportMixin]) -> Plan[T]:
    """Return *plan*, which submits nothing, with the images that it returns counted by *reports*."""
    return _counted(plan, reports, ()) if reports else plan


def submit_counted(
    build: Callable[[tuple[ImageReservation, ...]], Plan[T]], reports: Sequence[CreditsReportMixin]
) -> Plan[T]:
    """Return a plan that submits images, counted by *reports* and within their limits.

    Args:
        build: Returns the plan for the reservations that its requests must hold.
        reports: The credit handlers.

    An image that an earlier run of the same request has paid reserves nothing, so a reached limit does not stop it.

    Raises:
        CreditLimitError: One of them allows no further call.
    """
    reservations = tuple(ImageReservation(report.costs) for report in reports)
    plan = build(reservations)
    return _counted(plan, reports, reservations) if reports else plan


def _counted(plan: Plan[T], reports: Sequence[CreditsReportMixin], held: Sequence[ImageReservation]) -> Plan[T]:
    try:
        outcome = yield from plan
        _count(outcome, reports, held)
    except TaskFailedError as error:
        for report in reports:
            report.costs.forget_task(error.task_id or "")
        raise
    else:
        return outcome
    finally:
        for reservation in held:
            reservation.close()


def _count(outcome: object, reports: Sequence[CreditsReportMixin], held: Sequence[ImageReservation]) -> None:
    """Count the images in *outcome*; the amount of an unfinished task stays reserved."""
    if isinstance(outcome, TaskRecord):
        for reservation in held:
            reservation.keep_for(outcome.id)
    for image in outcome if isinstance(outcome, list) else [outcome]:
        if isinstance(image, GeneratedImage):
            for report in reports:
                report.count_image(image)
