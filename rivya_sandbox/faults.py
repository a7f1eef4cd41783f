"""Faults: what tests make go wrong. Each fault applies to the requests that it matches.

    sandbox.fault(Fault(path="/chat/completions", status=503, headers={"retry-after": "1"}))
    sandbox.fault(Fault(path="/chat/completions", drop="after"))      # charged, but the response is lost
    sandbox.fault(Fault(path="/chat/completions/stream", cut=3))      # the connection breaks after three events
    sandbox.fault(Fault(path="/generations", method="GET", status=500, times=2))
    sandbox.fault(Fault(task="fail"))                                 # the next image task fails
    sandbox.fault(Fault(path="/media", cut=1000))                     # a download ends early

This module decides which fault applies to a request. `app.py` and `fault_sender.py` apply it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rivya_sandbox.errors import ApiError
from rivya_sandbox.rivya.dialects import dialect_named

TASK_FAULTS = ("fail", "fail_null", "stuck", "slow", "expired")
STATUSES = range(200, 600)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on purpose.

    `path`, `method`, `after` and `times` select requests. The rest happens to them in this order: `delay`,
    `drop="before"`, then the request is processed or not (`processed`), then `status`/`code`/`body`, `hang`,
    `drop="after"`, `cut`.

    Attributes:
        path: `"*"` for every request; a path below the API's base such as `/chat/completions`, which includes the
            paths below it (`/chat/completions/stream`); a full path such as `/media`; or a compiled regular
            expression that is searched in the full path.
        method: Only this HTTP method; `None` for any.
        times: The number of requests that it applies to; `None` for all from now on.
        after: The number of matching requests that pass first.
        status: Respond with this status.
        code: Respond with this error code in the API's own format, with its usual status unless `status` is given.
            Together with `cut`, the error is an event of the stream.
        message: The error's message.
        body: Respond with exactly these bytes (HTML, plain text, broken JSON), with status 200 unless `status` is
            given. Together with `cut`, the bytes come in the middle of the stream, which then ends.
        headers: Headers of the response, such as `retry-after` or `content-type`.
        delay: Seconds to wait before anything is done. A client that gives up in that time does not stop the request.
        drop: `"before"`: the connection closes and nothing is done. `"after"`: everything is done and charged, then
            the connection closes without a response.
        cut: How much of the response is sent before the connection breaks: events of a stream, bytes of any other
            body. A shorter body is sent whole. A stream always breaks, at the latest just before its end.
        hang: Seconds of silence before the connection breaks: instead of a response, or after `cut`.
        pace: Seconds between the events of a stream.
        processed: Whether the request is processed before its response is replaced. By default only for `hang` and
            `drop="after"`. `Fault(status=502, processed=True)` is a charged turn whose response a proxy lost.
        task: What happens to the next image task: `"fail"`, `"fail_null"` (failed with `error: null`), `"stuck"`
            (never ready), `"slow"` (takes five times as many polls), `"expired"` (succeeds, but its media return 404).
            Such a fault applies only to `POST /generations`.
        dialect: The form of the stream: a name from `rivya_sandbox.DIALECTS`.
    """

    path: str | re.Pattern[str] = "*"
    method: str | None = None
    times: int | None = 1
    after: int = 0
    status: int | None = None
    code: str | None = None
    message: str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: Literal["before", "after"] | None = None
    cut: int | None = None
    hang: float | None = None
    pace: float | None = None
    processed: bool | None = None
    task: Literal["fail", "fail_null", "stuck", "slow", "expired"] | None = None
    dialect: str | None = None

    def __post_init__(self) -> None:
        """Reject a fault that can never be applied.

        Raises:
            ValueError: An attribute has a value that it cannot have.
        """
        problem = next(problems(self), None)
        if problem:
            raise ValueError(problem)
        if self.dialect is not None:
            dialect_named(self.dialect)

    def matches(self, method: str, full: str, short: str) -> bool:
        """Return whether the fault applies to a request.

        Args:
            method: The request's method.
            full: Its full path.
            short: Its path below the API's base.
        """
        if self.method is not None and self.method.upper() != method:
            return False
        if self.task is not None and (method, short) != ("POST", "/generations"):
            return False
        if isinstance(self.path, re.Pattern):
            return self.path.search(full) is not None
        return self.path == "*" or is_below(full, self.path) or is_below(short, self.path)

    @property
    def replaces_response(self) -> bool:
        """Whether the client gets another response than the API's."""
        given = self.status is not None or self.code is not None or self.body is not None
        return given and self.cut is None

    @property
    def ends_stream(self) -> bool:
        """Whether a cut stream ends with an error event or other bytes."""
        return self.cut is not None and (self.code is not None or self.body is not None)

    @property
    def processes_request(self) -> bool:
        """Whether the request is processed although its response is replaced."""
        if self.processed is not None:
            return self.processed
        return not self.replaces_response

    def error(self) -> ApiError:
        """Return the error that `code` and `status` describe."""
        return ApiError(
            self.code or code_for(self.status or 500), self.message, status=self.status, headers=self.headers
        )


def problems(fault: Fault) -> Iterator[str]:
    """Yield what is wrong with a fault."""
    if not isinstance(fault.path, (str, re.Pattern)):
        yield f"path must be a string or a compiled regular expression, not {fault.path!r}"
    elif isinstance(fault.path, str) and fault.path != "*" and not fault.path.startswith("/"):
        yield f"path must be '*' or begin with '/', not {fault.path!r}"
    if fault.drop not in (None, "before", "after"):
        yield f"drop must be 'before' or 'after', not {fault.drop!r}"
    if fault.task not in (None, *TASK_FAULTS):
        yield f"task must be one of {', '.join(TASK_FAULTS)}, not {fault.task!r}"
    if fault.status is not None and fault.status not in STATUSES:
        yield f"status must be an HTTP status from 200 to 599, not {fault.status!r}"
    if fault.body is not None and not isinstance(fault.body, bytes):
        kind = type(fault.body).__name__
        yield f"body must be bytes, not {kind}; for JSON use body=json.dumps(...).encode()"
    if not all(isinstance(text, str) for pair in dict(fault.headers).items() for text in pair):
        yield "headers must map strings to strings"
    yield from number_problems(fault)


def number_problems(fault: Fault) -> Iterator[str]:
    """Yield which numbers of a fault are negative or no numbers."""
    for name, least in {"times": 1, "after": 0, "cut": 0, "delay": 0, "hang": 0, "pace": 0}.items():
        value = getattr(fault, name)
        if value is not None and not (isinstance(value, (int, float)) and value >= least):
            yield f"{name} must be a number from {least} up, not {value!r}"


def is_below(path: str, base: str) -> bool:
    """Return whether `path` is `base` or a path below it."""
    base = base.rstrip("/")
    return path == base or path.startswith(base + "/")


def code_for(status: int) -> str:
    """Return a plausible error code for a status."""
    known = {400: "validation_failed", 401: "api_key_invalid", 402: "insufficient_credits", 403: "api_scope_denied"}
    known |= {404: "not_found", 409: "chat_session_conflict", 429: "rate_limited", 503: "public_api_disabled"}
    return known.get(status, "internal_error")


@dataclass
class Queued:
    """A fault in the queue: how many requests it lets pass first, and how many it still applies to."""

    fault: Fault
    passes: int
    left: int | None


class Faults:
    """The queue of faults. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Queued] = []

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        with self._lock:
            self._queue.append(Queued(fault, fault.after, fault.times))

    def clear(self) -> None:
        """Remove every fault."""
        with self._lock:
            self._queue.clear()

    @property
    def pending(self) -> list[Fault]:
        """The faults that have not been applied to all their requests."""
        with self._lock:
            return [queued.fault for queued in self._queue]

    def take(self, method: str, full: str, short: str) -> Fault | None:
        """Return the fault for this request: the first in the queue that applies now.

        Every matching fault that still lets requests pass counts this one.
        """
        with self._lock:
            found = None
            for queued in [queued for queued in self._queue if queued.fault.matches(method, full, short)]:
                if queued.passes > 0:
                    queued.passes -= 1
                elif found is None:
                    found = queued
            return self._use(found)

    def _use(self, found: Queued | None) -> Fault | None:
        if found is None:
            return None
        if found.left is not None:
            found.left -= 1
            if found.left <= 0:
                self._queue.remove(found)
        return found.fault
