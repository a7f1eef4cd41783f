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
    generator: ImageGenerator
    listener: Listener | None
    runs: dict[int, TaskRun | RivyaError] = field(default_factory=dict)
    fatal: RivyaError | None = None

    def price(self, request: ImageRequest) -> Plan[None]:
        """Order the first image of its price alone, so that the budget knows it before the others go out."""
        self.runs[request.index] = yield from attempt(self.generator.submit(request, self.listener))

    def make(self, request: ImageRequest) -> Plan[GeneratedImage | RivyaError]:
        """Return the image or what became of it."""
        outcome = yield from attempt(self._make(request))
        if isinstance(outcome, RivyaError):
            yield from self.generator.report_failure(request, self.listener, outcome)
        if isinstance(outcome, FATAL_ERRORS):
            self.fatal = outcome
        return outcome

    def _make(self, request: ImageRequest) -> Plan[GeneratedImage]:
        run = self.runs.get(request.index)
        if run is None and self.fatal is not None:
            raise self.fatal
        if isinstance(run, RivyaError):
            raise run
        if run is None:
            run = yield from self.generator.submit(request, self.listener)
        return (yield from run.collect())


def generate_many(
    generator: ImageGenerator,
    requests: Sequence[ImageRequest],
    *,
    at_once: int,
    max_credits: float | None = None,
    listener: Listener | None = None,
) -> Plan[list[GeneratedImage | RivyaError]]:
    """Make the images of *requests* and return, in their order, each image or the error that it ended with.

    Args:
        generator: Makes them.
        requests: What is wanted.
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
        replace(request, index=index, total=len(requests), budgets=(*request.budgets, *own))
        for index, request in enumerate(requests)
    ]
    batch = _Batch(generator, listener)
    firsts = {_price_class(request): request for request in reversed(numbered) if request.budgets}
    for request in firsts.values():
        yield from batch.price(request)
    return (yield from together([batch.make(request) for request in numbered], at_once))


def attempt(plan: Plan[T]) -> Plan[T | RivyaError]:
    """Return what *plan* returns, or the error that it ends with."""
    try:
        return (yield from plan)
    except RivyaError as error:
        return error


def _price_class(request: ImageRequest) -> str:
    return repr((sorted((name, repr(value)) for name, value in request.arguments.items()), bool(request.references)))
