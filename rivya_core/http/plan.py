"""Plans: generators that describe an exchange once, for sync and async.

A plan yields *steps*, receives the outcome of each, and returns the result. The two drivers in `drivers.py` carry out
the steps. A failure of a step is thrown into the plan, so that the plan decides what happens next (retry, release, give
up). That includes cancellation: a plan may yield clean-up steps before it lets the exception pass.

This file must not do I/O, sleep or import a framework.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rivya_core.http.library import httpx

T = TypeVar("T")
E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Send:
    """Send *request*; with *keep_open* the body of a success is left unread for streaming."""

    request: httpx.Request
    keep_open: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for *seconds*."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """Do *work* that may block (a disk, a database); the async driver does it in a thread."""

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Receive:
    """Send *request* to a host that is not the provider's, and pass the body of the response to *sink* in pieces.

    Only the connections of the client are used: no headers, credentials, cookies or redirects, so that no key reaches
    a foreign host. *sink* gets the response before its body and returns a function for the pieces, or None to leave
    the body unread. What it raises ends the step. It may write to a disk.
    """

    request: httpx.Request
    sink: Callable[[httpx.Response], Callable[[bytes], object] | None]


@dataclass(frozen=True, slots=True)
class Together:
    """Carry out *plans*, at most *at_once* of them at a time; the outcome is the list of their results, in order.

    The first failure is the failure of the step. Plans that have not begun are left out; those under way end first.
    """

    plans: Sequence[Plan[Any]]
    at_once: int


Step = Send | Pause | Call | Receive | Together
Plan = Generator[Step, Any, T]


def pause(seconds: float) -> Plan[None]:
    """Wait for *seconds*."""
    yield Pause(seconds)


def call(work: Callable[[], T]) -> Plan[T]:
    """Do blocking *work* and return what it returns."""
    result: T = yield Call(work)
    return result


def together(plans: Sequence[Plan[T]], at_once: int) -> Plan[list[T]]:
    """Carry out *plans*, at most *at_once* at a time, and return their results in order."""
    results: list[T] = yield Together(plans, at_once)
    return results


class Decoder(Protocol[E_co]):
    """Takes the bytes of a body and returns events; raises if the end is missing."""

    @property
    def complete(self) -> bool:
        """Whether the end of the reply was seen."""
        ...

    @property
    def done(self) -> bool:
        """Whether the rest of the body can be ignored."""
        ...

    @property
    def partial(self) -> str:
        """The text so far, for the error when the stream stops early."""
        ...

    @property
    def has_said(self) -> bool:
        """Whether an event was returned."""
        ...

    def feed(self, data: bytes) -> Sequence[E_co]:
        """Take the next bytes, which may be cut anywhere, and return the events that they complete."""
        ...

    def finish(self) -> Sequence[E_co]:
        """Return the closing events, or raise `StreamBrokenError` if the reply is incomplete."""
        ...


@dataclass(frozen=True, slots=True)
class Streaming(Generic[E]):
    """A streamed response that has begun.

    Attributes:
        response: The open response.
        decoder: Turns its body into events.
        settle: Plan that takes the closing events, records the outcome and returns the events for the caller.
        abandon: Plan for a stream that broke or was left before its end.
    """

    response: httpx.Response
    decoder: Decoder[E]
    settle: Callable[[Sequence[E]], Plan[Sequence[E]]]
    abandon: Callable[[], Plan[None]]
