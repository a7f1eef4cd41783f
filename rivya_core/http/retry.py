"""Send until it works: which failures are repeated, after how long, and what they are called.

Written as a plan, so that it serves both drivers. A retry knows whether the request left: what never left or was
turned away is repeated; what may have been carried out is repeated only where that cannot be charged twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from rivya_core.errors import (
    IdempotencyConflictError,
    ResponseLostError,
    RivyaError,
    ServiceUnavailableError,
)
from rivya_core.http.error_responses import error_from_response
from rivya_core.http.plan import Plan, pause, send
from rivya_core.http.transport_errors import translated


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is repeated.

    Attributes:
        max_retries: Extra requests after the first, exactly.
        first_wait: Seconds before the first repetition; doubled each time, less up to a quarter of jitter.
        longest_wait: Ceiling of the doubled wait, in seconds.
        longest_retry_after: A provider that asks to wait longer than this is not waited for.
    """

    max_retries: int = 2
    first_wait: float = 0.5
    longest_wait: float = 8.0
    longest_retry_after: float = 60.0
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)

    def delay_before(self, repetition: int, error: RivyaError) -> float | None:
        """Return the seconds to wait before the *repetition*-th repetition, or None to give up."""
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest_retry_after else None
        return min(self.first_wait * 2.0 ** (repetition - 1), self.longest_wait) * (1 - 0.25 * self.random())


def send_with_retries(
    request: httpx.Request,
    retry: RetryPolicy,
    *,
    keep_open: bool = False,
    idempotent: bool = False,
    strict: bool = False,
) -> Plan[httpx.Response]:
    """Send *request* until a success comes back.

    Args:
        request: Sent unchanged each time, with the same idempotency key if it has one.
        retry: How often and how patiently.
        keep_open: Leave the body of the success unread, for streaming.
        idempotent: Whether repeating it after a lost answer cannot charge or change anything twice.
        strict: Whether a 503 without the provider's own code counts as a lost answer, for gateways send such ones about
            requests that are being carried out.

    Raises:
        RivyaError: The last failure, when it may not be repeated or the retries are used up.
    """
    safe = idempotent or request.method == "GET"
    repetition, lost = 0, False
    while True:
        try:
            return (yield from _attempt(request, keep_open=keep_open))
        except RivyaError as error:
            repetition += 1
            unknown = outcome_unknown(error, strict=strict)
            lost = lost or unknown
            may = repetition <= retry.max_retries and _may_repeat(error, unknown=unknown, safe=safe, lost=lost)
            wait = retry.delay_before(repetition, error) if may else None
            if wait is None:
                if lost and request.method != "GET":
                    raise _warned(error) from (error.__cause__ if error.repeat == "if safe" else error)
                raise
        yield from pause(wait)


def outcome_unknown(error: RivyaError, *, strict: bool) -> bool:
    """Whether the request may have been carried out although *error* came instead of an answer."""
    if isinstance(error, ServiceUnavailableError):
        return strict and error.code is None
    return error.repeat == "if safe"


def _may_repeat(error: RivyaError, *, unknown: bool, safe: bool, lost: bool) -> bool:
    if lost and isinstance(error, IdempotencyConflictError):
        return True  # the lost attempt is still being carried out under our key
    return safe if unknown else error.repeat == "always"


def _warned(error: RivyaError) -> RivyaError:
    """What to raise when an answer was lost on the way: whatever came last, it says that much may have happened."""
    if error.repeat != "if safe":
        return ResponseLostError(f"An answer was lost, and then: {error}")
    if ResponseLostError.advice not in str(error):
        error.args = (f"{error} {ResponseLostError.advice}",)
    return error


def _attempt(request: httpx.Request, *, keep_open: bool) -> Plan[httpx.Response]:
    try:
        response = yield from send(request, keep_open=keep_open)
    except Exception as exc:
        error = translated(exc, request)
        if error is None or error is exc:
            raise
        raise error from (None if isinstance(exc, httpx.LocalProtocolError) else exc)
    if response.is_success:
        return response
    raise error_from_response(response)
