"""Which failures are repeated, after how long, and what is raised in the end: one place for all requests.

| failure | once | stateless | idempotent |
|---|---|---|---|
| no connection | repeated | repeated | repeated |
| 429 that is not about money, 425, 503, 529 | repeated | repeated | repeated |
| 503, 529 without a code of the provider, where that may come from a gateway | | repeated | repeated |
| 408, other 5xx | | repeated | repeated |
| a reused connection that ended before a response began | | repeated once | repeated |
| timeouts and other lost responses | | with `retry_lost_answers` | repeated |
| all other errors | | | |

*Idempotent* are GET and what is sent under an idempotency key that the provider honours. *Stateless* are the chats of
OpenAI-compatible APIs, whose failed responses are not charged as a rule. *Once* is everything else. The error classes
say in `retryable` what a status or code means, also for downloads and polling.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from rivya_core.errors import (
    APIError,
    APITimeoutError,
    IdempotencyConflictError,
    RateLimitError,
    ResponseLostError,
    RivyaError,
    ServiceUnavailableError,
)
from rivya_core.http.endpoint import KEY_SOURCE, set_key
from rivya_core.http.error_responses import error_from_response
from rivya_core.http.library import httpx
from rivya_core.http.observers import RequestObserver, announce, report
from rivya_core.http.plan import Plan, Send, call, pause
from rivya_core.http.rate_pacer import RatePacer, pacer_for
from rivya_core.http.request_log import CallLog
from rivya_core.http.transport_errors import died_on_reuse, translated

TOO_EARLY = 425
"""The status of a request that was not carried out, from a gateway as from the provider."""
JITTER = 0.25
"""Share of each wait that is random."""
MOST_DOUBLINGS = 30
ENOUGH = 1.0
"""Seconds after which a server is believed that asks for this little a second time."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.001, 2.0
"""Seconds after which the time of a turn is checked again, because it changes with the rate."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is repeated, and after which delays.

    Attributes:
        max_retries: Extra requests after the first, exactly.
        first_wait: Seconds before the first repetition; doubled each time.
        longest_wait: Ceiling of the doubled wait, in seconds.
        max_retry_seconds: Seconds that all waits of one request may take together. A provider that asks for more is
            not waited for.
        retry_lost_answers: Whether a stateless request is repeated after a timeout or a lost connection, although it
            may have been carried out and charged.
        observers: Follow each request; a rate limiter among them delays it.
        paced: Whether requests that meet a rate limit together queue in this process; a shared limiter does it better.
        random: Gives numbers from 0 to 1.
    """

    max_retries: int = 2
    first_wait: float = 0.5
    longest_wait: float = 8.0
    max_retry_seconds: float = 60.0
    retry_lost_answers: bool = False
    observers: tuple[RequestObserver, ...] = ()
    paced: bool = True
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)

    def delay_before(self, repetition: int, error: RivyaError, waited: float = 0.0) -> float | None:
        """Return the seconds to wait before the *repetition*-th repetition, or None to give up.

        Args:
            repetition: From 1.
            error: The failure. What it asks for in `retry_after` is waited for, and a little more.
            waited: Seconds that were waited before.
        """
        left = self.max_retry_seconds - waited
        own = min(self.first_wait * 2.0 ** min(repetition - 1, MOST_DOUBLINGS), self.longest_wait)
        own *= 1 - JITTER * self.random()
        asked = error.retry_after or 0.0  # 0 or a time in the past means our own backoff
        if (asked or own) > left:
            return None
        asked *= 1 + JITTER * self.random()
        if asked and repetition > 1:  # a server that asked for less has refused again
            asked = max(asked, min(own, ENOUGH))
        return min(left, asked or own)


@lru_cache(maxsize=64)
def retry_policy(max_retries: int, max_retry_seconds: float, retry_lost_answers: bool = False) -> RetryPolicy:  # noqa: FBT001, FBT002 - a cached constructor
    """Return the policy of a model; the same for the same values, because models ask for theirs at every call."""
    return RetryPolicy(max_retries, max_retry_seconds=max_retry_seconds, retry_lost_answers=retry_lost_answers)


def send_with_retries(
    request: httpx.Request,
    retry: RetryPolicy,
    *,
    keep_open: bool = False,
    idempotent: bool = False,
    stateless: bool = False,
    bare_503_is_unknown: bool = False,
    is_final: Callable[[APIError], bool] | None = None,
) -> Plan[httpx.Response]:
    """Send *request* until a success comes back.

    Args:
        request: Sent unchanged each time, with the same idempotency key if it has one.
        retry: How often the request is repeated, and after which delays.
        keep_open: Leave the body of the success unread, for streaming.
        idempotent: Whether repeating it after a lost response cannot charge or change anything twice.
        stateless: Whether it is a chat of an API that keeps no conversation.
        bare_503_is_unknown: Whether a 503 without the provider's own code counts as a lost response, because gateways
            send such ones about requests that are being carried out.
        is_final: Whether an error is the end, whatever its status says, because the request itself is at fault.

    Raises:
        RivyaError: The last failure, when it may not be repeated or the retries are used up.
    """
    attempts = _Attempts(
        request, retry, idempotent or request.method == "GET", stateless, bare_503_is_unknown, is_final
    )
    queue = _Queue(request, retry)
    step, log = Send(request, keep_open), CallLog(request)
    while True:
        if queue.waits:
            yield from queue.take_turn(attempts)
        if retry.observers:
            yield from announce(request, retry.observers)
        queue.sends()
        log.sends()
        try:
            response = yield from _attempt(step)
        except RivyaError as error:
            wait = attempts.delay_after(error)
            queue.failed(error, joins=wait is not None)
            log.failed(error, retry=attempts.failures, retries=retry.max_retries, wait=wait)
            yield from report(error, wait, retry.observers)
            if wait is None:
                final = attempts.final(error)
                if final is error:
                    raise
                raise final from error
        else:
            queue.succeeded()
            log.succeeded(response)
            return response
        yield from attempts.wait(wait, queue)


class _Queue:
    """The place of one request among those that wait for the same rate limit."""

    __slots__ = ("_paced", "_pacer", "_sent_at", "_turn")

    def __init__(self, request: httpx.Request, retry: RetryPolicy) -> None:
        self._pacer = pacer_for(request) if retry.max_retries and retry.paced else None
        self._turn = self._pacer.join() if self._pacer else None
        self._paced = False
        self._sent_at = 0.0

    @property
    def waits(self) -> bool:
        """Whether the request has to wait for its turn."""
        return self._turn is not None

    def take_turn(self, attempts: _Attempts) -> Plan[None]:
        """Wait until it is the request's turn."""
        if self._pacer is None or self._turn is None:
            return
        try:
            yield from self._wait(self._pacer, self._turn, attempts)
        finally:
            self.leave()
        self._paced = True

    def sends(self) -> None:
        """Take note that the request is sent."""
        if self._pacer is not None:
            self._sent_at = self._pacer.send()

    def _wait(self, pacer: RatePacer, turn: int, attempts: _Attempts) -> Plan[None]:
        """Wait for *turn*, which may move, or until there is no more time to wait."""
        while (seconds := min(pacer.delay(turn), attempts.time_left, LONGEST_PAUSE)) > SHORTEST_PAUSE:
            before = pacer.now()
            yield from pause(seconds)
            passed = pacer.now() - before
            attempts.waited += passed
            if passed < seconds / 2:  # the driver does not really wait
                break

    def leave(self) -> None:
        """Give the turn back, whether it was used or not."""
        if self._pacer is not None and self._turn is not None:
            self._turn = None
            self._pacer.leave()

    def failed(self, error: RivyaError, *, joins: bool) -> None:
        """Take note of a failure; a request that was refused and is repeated joins the queue."""
        if self._pacer is not None and isinstance(error, RateLimitError):
            self._turn, self._paced = self._pacer.refuse(self._sent_at, paced=self._paced), False
            if not joins:
                self.leave()

    def succeeded(self) -> None:
        """Take note of a success."""
        if self._pacer is not None and self._paced:
            self._pacer.accept()


@dataclass
class _Attempts:
    """What has become of the attempts so far.

    Attributes:
        lost: Whether one of them may have been carried out although no success came back.
    """

    request: httpx.Request
    retry: RetryPolicy
    idempotent: bool
    stateless: bool
    bare_503_is_unknown: bool
    is_final: Callable[[APIError], bool] | None = None
    failures: int = 0
    waited: float = 0.0
    lost: bool = False
    cut_off: bool = False

    @property
    def time_left(self) -> float:
        """Seconds that may still be waited."""
        return self.retry.max_retry_seconds - self.waited

    def delay_after(self, error: RivyaError) -> float | None:
        """Return the seconds to wait before the next attempt, or None if *error* is the end."""
        self.failures += 1
        if self.is_final is not None and isinstance(error, APIError) and self.is_final(error):
            return None
        unknown = outcome_unknown(error, bare_503_is_unknown=self.bare_503_is_unknown)
        self.lost = self.lost or unknown
        may = self.failures <= self.retry.max_retries and self._may_repeat(error, unknown=unknown)
        return self.retry.delay_before(self.failures, error, self.waited) if may else None

    def wait(self, seconds: float, queue: _Queue) -> Plan[None]:
        """Wait; a turn that was given is given back if that is interrupted."""
        try:
            yield from pause(seconds)
        except BaseException:
            queue.leave()
            raise
        self.waited += seconds

    def final(self, error: RivyaError) -> RivyaError:
        """Return what to raise: whatever came last, it says what may have happened before."""
        if not self.lost or self.request.method == "GET":
            return error
        if error.retryable != "if_idempotent" and not self.stateless:
            return ResponseLostError(f"A response was lost, and then: {error}")
        if ResponseLostError.advice not in str(error):
            error.args = (f"{error} {ResponseLostError.advice}",)
        return error

    def _may_repeat(self, error: RivyaError, *, unknown: bool) -> bool:
        if self.lost and isinstance(error, IdempotencyConflictError):
            return True  # the lost attempt is still being carried out under our key
        if not unknown:
            return error.retryable == "always"
        return self.idempotent or (self.stateless and self._may_repeat_stateless(error))

    def _may_repeat_stateless(self, error: RivyaError) -> bool:
        if isinstance(error, APIError) or self.retry.retry_lost_answers:
            return True
        first = not self.cut_off and not isinstance(error, APITimeoutError) and died_on_reuse(error)
        self.cut_off = self.cut_off or first
        return first


def outcome_unknown(error: RivyaError, *, bare_503_is_unknown: bool) -> bool:
    """Whether the request may have been carried out although *error* came instead of a success."""
    if isinstance(error, ServiceUnavailableError):
        return bare_503_is_unknown and error.code is None and error.status != TOO_EARLY
    return error.retryable == "if_idempotent"


def _attempt(step: Send) -> Plan[httpx.Response]:
    source = step.request.extensions.get(KEY_SOURCE)
    if source is not None:
        set_key(step.request.headers, (yield from call(source)))
    try:
        response: httpx.Response = yield step
    except Exception as exc:
        error = translated(exc, step.request)
        if error is None or error is exc:
            raise
        raise error from (None if isinstance(exc, httpx.LocalProtocolError) else exc)
    if response.is_success:
        return response
    raise error_from_response(response)
