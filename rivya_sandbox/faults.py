"""What can go wrong on purpose: faults, queued by tests, each taken by the requests that it matches.

    sandbox.fault(Fault(path="/chat/completions", status=503, headers={"retry-after": "1"}))
    sandbox.fault(Fault(path="/chat/completions", drop="after"))      # charged, but the answer is lost
    sandbox.fault(Fault(path="/chat/completions/stream", cut=3))      # the connection breaks after three events
    sandbox.fault(Fault(path="/generations", method="GET", status=500, times=2))
    sandbox.fault(Fault(task="fail"))                                 # the next task fails
    sandbox.fault(Fault(path="/media", cut=1000))                     # a download breaks off

What lives here decides which fault meets a request; `app.py` carries it out.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rivya_sandbox.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

TASK_FATES = ("fail", "fail_null", "stuck", "slow", "expired")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Which requests: `path`, `method`, `after`, `times`. What happens to them, in this order: `delay`, `drop="before"`,
    then the request is carried out or not (`processed`), then `status`/`code`/`body`, `hang`, `drop="after"`, `cut`.

    Attributes:
        path: `"*"` for every request; a path below the API's base such as `/chat/completions`, which also stands
            for everything below it (`/chat/completions/stream`); a full path such as `/media`; or a compiled
            regular expression that is searched in the full path.
        method: Only this HTTP method; `None` for any.
        times: How many requests it meets; `None` for all from now on.
        after: How many matching requests pass first.
        status: Answer with this status.
        code: Answer with this error code in the API's own envelope; its usual status unless `status` is given.
            Together with `cut`: the error comes as an event of the stream.
        message: The error's sentence.
        body: Answer with these bytes as they are (HTML, plain text, broken JSON; the status is 200 unless `status`
            is given). Together with `cut`: the bytes come in the middle of the stream, which then ends.
        headers: Headers of the answer, such as `retry-after` or `content-type`.
        delay: Seconds to wait before anything is done. A client that gives up meanwhile does not stop the request.
        drop: `"before"`: the connection is closed and nothing is done. `"after"`: everything is done and charged,
            then the connection is closed without an answer.
        cut: How much of the answer leaves before the connection breaks: events of a stream, bytes of any other body.
            An answer that is shorter leaves whole; a stream always breaks, at the latest before its proper end.
        hang: Seconds of silence, then the connection breaks: instead of an answer, or with `cut` after so much of it.
        pace: Seconds between the events of a stream.
        processed: Whether the request is carried out before its answer is replaced. By default only for `hang`
            and `drop="after"`; `Fault(status=502, processed=True)` is a charged turn whose answer a proxy lost.
        task: Fate of the next image task: `"fail"`, `"fail_null"` (failed with `error: null`), `"stuck"` (never
            ready), `"slow"` (five times the usual looks), `"expired"` (succeeds, but its media are gone: 404).
            Such a fault meets only `POST /generations`.
        dialect: The form of the stream; see `rivya_sandbox.rivya.dialects`.
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
        """Refuse what could never happen.

        Raises:
            ValueError: For an unknown `drop` or `task`, or a negative `after`.
        """
        if self.drop not in (None, "before", "after"):
            raise ValueError(f"drop is 'before' or 'after', not {self.drop!r}")
        if self.task is not None and self.task not in TASK_FATES:
            raise ValueError(f"task is one of {TASK_FATES}, not {self.task!r}")
        if self.after < 0:
            raise ValueError(f"after counts requests and is never negative, got {self.after}")

    def matches(self, method: str, full: str, short: str) -> bool:
        """Whether a request is meant: its method, its full path and the path below the API's base."""
        if self.method is not None and self.method.upper() != method:
            return False
        if self.task is not None and (method, short) != ("POST", "/generations"):
            return False
        if isinstance(self.path, re.Pattern):
            return self.path.search(full) is not None
        return self.path == "*" or is_below(full, self.path) or is_below(short, self.path)

    @property
    def replaces_answer(self) -> bool:
        """Whether the whole answer is another one than the API's."""
        said = self.status is not None or self.code is not None or self.body is not None
        return said and self.cut is None

    @property
    def breaks_stream(self) -> bool:
        """Whether something other than silence stands where the stream is cut."""
        return self.cut is not None and (self.code is not None or self.body is not None)

    @property
    def carries_out(self) -> bool:
        """Whether the request is carried out although its answer is replaced."""
        if self.processed is not None:
            return self.processed
        return not self.replaces_answer

    def refusal(self) -> Refusal:
        """The error that `code` and `status` stand for."""
        return Refusal(
            self.code or code_for(self.status or 500), self.message, status=self.status, headers=self.headers
        )


def is_below(path: str, base: str) -> bool:
    """Whether `path` is `base` or something below it."""
    base = base.rstrip("/")
    return path == base or path.startswith(base + "/")


def code_for(status: int) -> str:
    """A plausible code for a bare status."""
    known = {400: "validation_failed", 401: "api_key_invalid", 402: "insufficient_credits", 403: "api_scope_denied"}
    known |= {404: "not_found", 409: "chat_session_conflict", 429: "rate_limited", 503: "public_api_disabled"}
    return known.get(status, "internal_error")


@dataclass
class Queued:
    """A fault in the queue, and what it still has to do."""

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
        """Forget every fault."""
        with self._lock:
            self._queue.clear()

    @property
    def pending(self) -> list[Fault]:
        """The faults that have not met all their requests yet."""
        with self._lock:
            return [queued.fault for queued in self._queue]

    def take(self, method: str, full: str, short: str) -> Fault | None:
        """The fault that meets this request, the first in the queue whose turn it is.

        Every matching fault that still lets requests pass counts this one.
        """
        with self._lock:
            met = None
            for queued in [queued for queued in self._queue if queued.fault.matches(method, full, short)]:
                if queued.passes > 0:
                    queued.passes -= 1
                elif met is None:
                    met = queued
            return self._use(met)

    def _use(self, met: Queued | None) -> Fault | None:
        if met is None:
            return None
        if met.left is not None:
            met.left -= 1
            if met.left <= 0:
                self._queue.remove(met)
        return met.fault
