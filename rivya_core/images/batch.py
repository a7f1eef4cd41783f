"""Many images in one go: some at a time, each with its own outcome, within a credit budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rivya_core.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditsError,
    PermissionDeniedError,
    RivyaError,
)
from rivya_core.http.plan import Plan, together
from rivya_core.images.generator import ImageGenerator, ImageRequest
from rivya_core.images.progress import Listener
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_runner import TaskRun
from rivya_core.rivya.credits import Budget

T = TypeVar("T")
FATAL_ERRORS = (AuthenticationError, PermissionDeniedError, InsufficientCreditsError)
"""After one of these no other image of the batch would fare better; none is asked for any more."""


@dataclass
class _Batch:
    studio: ImageGenerator
    listener: Listener | None
    jobs: dict[int, TaskRun | RivyaError] = field(default_factory=dict)
    hopeless: RivyaError | None = None

    def price(self, order: ImageRequest) -> Plan[None]:
        """Order the first image of its price alone, so that the budget knows it before the others go out."""
        self.jobs[order.index] = yield from attempt(self.studio.submit(order, self.listener))

    def make(self, order: ImageRequest) -> Plan[GeneratedImage | RivyaError]:
        """Return the image or what became of it."""
        outcome = yield from attempt(self._make(order))
        if isinstance(outcome, RivyaError):
            yield from self.studio.tell_failed(order, self.listener, outcome)
        if isinstance(outcome, FATAL_ERRORS):
            self.hopeless = outcome
        return outcome

    def _make(self, order: ImageRequest) -> Plan[GeneratedImage]:
        job = self.jobs.get(order.index)
        if job is None and self.hopeless is not None:
            raise self.hopeless
        if isinstance(job, RivyaError):
            raise job
        if job is None:
            job = yield from self.studio.submit(order, self.listener)
        return (yield from job.collect())


def generate_many(
    studio: ImageGenerator,
    orders: Sequence[ImageRequest],
    *,
    at_once: int,
    max_credits: float | None = None,
    listener: Listener | None = None,
) -> Plan[list[GeneratedImage | RivyaError]]:
    """Make the images of *orders* and return, in their order, each image or the error that it ended with.

    Args:
        studio: Makes them.
        orders: What is wanted.
        at_once: How many are on their way at a time.
        max_credits: Credits that all of them may cost together.
        listener: Told of every image's progress.

    Raises:
        ConfigurationError: *at_once* or *max_credits* cannot be.
    """
    if at_once < 1:
        raise ConfigurationError(f"`max_concurrency` must be at least 1, not {at_once}.")
    own = () if max_credits is None else (Budget(max_credits),)
    numbered = [
        replace(order, index=index, total=len(orders), budgets=(*order.budgets, *own))
        for index, order in enumerate(orders)
    ]
    batch = _Batch(studio, listener)
    firsts = {_price_class(order): order for order in reversed(numbered) if order.budgets}
    for order in firsts.values():
        yield from batch.price(order)
    return (yield from together([batch.make(order) for order in numbered], at_once))


def attempt(plan: Plan[T]) -> Plan[T | RivyaError]:
    """Return what *plan* returns, or the error that it ends with."""
    try:
        return (yield from plan)
    except RivyaError as error:
        return error


def _price_class(order: ImageRequest) -> str:
    return repr((sorted((name, repr(value)) for name, value in order.arguments.items()), bool(order.references)))
