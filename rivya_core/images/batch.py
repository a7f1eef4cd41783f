"""Batches of images: several at a time, an image or an error for each, within a credit budget."""

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
"""Errors that every other image of the batch would meet as well; after one, no further image is requested."""


@dataclass
class _Batch:
    generator: ImageGenerator
    listener: Listener | None
    runs: dict[int, TaskRun | RivyaError] = field(default_factory=dict)
    fatal: RivyaError | None = None

    def price(self, request: ImageRequest) -> Plan[None]:
        """Submit the first image of each price alone, so that the budget knows the price before the others are sent."""
        self.runs[request.index] = yield from attempt(self.generator.submit(request, self.listener))

    def make(self, request: ImageRequest) -> Plan[GeneratedImage | RivyaError]:
        """Return the image, or the error that it ended with."""
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
    """Generate the images of *requests*; return for each, in the same order, the image or the error it ended with.

    Args:
        generator: Generates the images.
        requests: The requests, one for each image.
        at_once: Number of images in progress at a time.
        max_credits: Limit on the credits of the whole batch.
        listener: Receives the progress of every image.

    Raises:
        ConfigurationError: *at_once* or *max_credits* is out of range.
    """
    if not isinstance(at_once, int) or at_once < 1:
        raise ConfigurationError(f"`max_concurrency` must be a whole number from 1 up, not {at_once!r}.")
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
    """Return the result of *plan*, or the `RivyaError` that it raises."""
    try:
        return (yield from plan)
    except RivyaError as error:
        return error


def _price_class(request: ImageRequest) -> str:
    return repr((sorted((name, repr(value)) for name, value in request.arguments.items()), bool(request.references)))
