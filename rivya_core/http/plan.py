"""What an exchange does, written once: generators that know neither sync nor async.

A plan yields *steps* and is sent back each step's outcome; what it returns is the result of the whole.
The two drivers in `drivers.py` carry steps out. A step that fails is thrown into the plan, so that the
rule for what happens next (retry, release, give up) lives in the plan beside the other rules. That holds
for cancellation too: a plan may still yield clean-up steps before it lets the exception pass.

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
    """Do *work* that may block (a disk, a database); the async driver takes it off the event loop."""

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Receive:
    """Send *request* to a host that is not the provider's and hand the body of its answer to *sink*, piece by piece.

    Of the client only its connections are used: no headers, credentials, cookies or redirects, so that no key can
    reach a foreign host. *sink* sees the head of the answer and returns what takes the body, or None to leave it
    unread; what it raises ends the step. It may write to a disk.
    """

    request: httpx.Request
    sink: Callable[[httpx.Response], Callable[[bytes], object] | None]


@dataclass(frozen=True, slots=True)
class Together:
    """Carry out *plans*, at most *at_once* of them at a time; the outcome is the list of their results, in order.

    The first failure is the step's: plans that have not begun are left out, those under way end first.
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
    """A push machine: bytes in, events out, and an objection if the end never came."""

    @property
    def complete(self) -> bool:
        """Whether the end of the answer was seen."""
        ...

    @property
    def done(self) -> bool:
        """Whether nothing that may still come is worth waiting for."""
        ...

    @property
    def partial(self) -> str:
        """The text so far, for the error if the rest never comes."""
        ...

    def feed(self, data: bytes) -> Sequence[E_co]:
        """Take the next bytes, cut anywhere, and return the events that they complete."""
        ...

    def finish(self) -> Sequence[E_co]:
        """Return the closing events, or raise `StreamBrokenError` if the answer is not whole."""
        ...


@dataclass(frozen=True, slots=True)
class Streaming(Generic[E]):
    """An answer that has begun.

    Attributes:
        response: The open response; its body is the decoder's.
        decoder: Turns the body into events.
        settle: Plan that takes the closing events, remembers the outcome and returns what to hand on.
        abandon: Plan for a stream that was left before its end or broke.
    """

    response: httpx.Response
    decoder: Decoder[E]
    settle: Callable[[Sequence[E]], Plan[Sequence[E]]]
    abandon: Callable[[], Plan[None]]
