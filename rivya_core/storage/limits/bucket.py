"""The arithmetic of a shared rate limit: pure functions on a small state that any store can hold.

It is the generic cell rate algorithm (GCRA): the state holds when the next request may be sent and when the tokens so
far are used up. A request reserves its moment when it asks, so requests are served in the order in which they ask,
whichever process they belong to, and a process that dies leaves nothing behind but an unused moment.

Reserved moments can be moved. They are kept on a time of their own, and `shift` says how far the clock is ahead of it.
A server that asks for a pause, or replies that had more tokens than expected, make the shift larger, and that moves
every request that waits.

Libraries were examined before: `limits` has no SQLite store and lets the first request after a pause go first;
`pyrate-limiter` stores a row per token. Neither can move what is reserved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MINUTE = 60.0
LEARNING = 0.2
"""Share that the newest reply has in the tokens that the next request is expected to need."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What is allowed.

    Attributes:
        requests: Requests per minute; None for no limit.
        tokens: Tokens per minute; None for no limit.
        burst: Requests that may be sent at once after a quiet time. The pace is so much slower that no minute has
            more than `requests`.
        expected_tokens: Tokens that a request is expected to need, before there are replies.
    """

    requests: float | None = None
    tokens: float | None = None
    burst: int = 1
    expected_tokens: float = 1000.0

    @property
    def request_seconds(self) -> float:
        """Seconds between two requests."""
        return MINUTE / (self.requests - self.burst + 1) if self.requests else 0.0

    @property
    def token_seconds(self) -> float:
        """Seconds that a token takes up."""
        return MINUTE / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class State:
    """What a store holds of a limit. All moments but `held_until` and `seen` are on the time without `shift`.

    Attributes:
        next_request: When the next request may be sent, if there is no burst.
        next_token: When the tokens so far are used up.
        shift: Seconds that the clock is ahead of the limit's own time.
        held_until: Nothing is sent before.
        seen: The last time that was read.
        expected: Tokens that a request is expected to need; 0 before there are replies.
    """

    next_request: float = 0.0
    next_token: float = 0.0
    shift: float = 0.0
    held_until: float = 0.0
    seen: float = 0.0
    expected: float = 0.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A reserved moment.

    Attributes:
        at: The moment, on the limit's own time.
        tokens: Tokens that were reserved.
    """

    at: float
    tokens: float


def at_time(state: State, now: float) -> State:
    """Return *state* at *now*; if the clock was set back, what is reserved moves back with it."""
    back = min(0.0, now - state.seen)
    return replace(state, seen=now, shift=state.shift + back, held_until=state.held_until + back)


def reserve(state: State, rates: Rates, tokens: float | None = None) -> tuple[State, Slot]:
    """Reserve the next free moment for a request.

    Args:
        state: The state at this time.
        rates: What is allowed.
        tokens: Tokens that the request needs; by default as many as the last replies had.
    """
    needed = tokens if tokens is not None else (state.expected or rates.expected_tokens)
    earliest = max(state.seen, state.held_until) - state.shift
    at = max(earliest, state.next_request - (rates.burst - 1) * rates.request_seconds)
    at = max(at, state.next_token) if rates.tokens else at
    next_request = max(state.next_request, at) + rates.request_seconds
    next_token = max(state.next_token, at) + needed * rates.token_seconds
    return replace(state, next_request=next_request, next_token=next_token), Slot(at, needed)


def seconds_until(state: State, slot: Slot) -> float:
    """Return the seconds until *slot* at present; it may be moved meanwhile."""
    return slot.at + state.shift - state.seen


def hold(state: State, rates: Rates, seconds: float) -> State:
    """Let nothing be sent for *seconds*: what waits is moved, and there is no burst afterwards."""
    until = state.seen + seconds
    moved = until - max(state.seen, state.held_until)
    if moved <= 0:
        return state
    shift = state.shift + moved
    no_burst = until - shift + (rates.burst - 1) * rates.request_seconds
    return replace(state, shift=shift, held_until=until, next_request=max(state.next_request, no_burst))


def settle(state: State, rates: Rates, tokens: float, reserved: float) -> State:
    """Take note that a reply had *tokens* instead of those that were *reserved*.

    Requests that wait are moved as far as the tokens, not the requests, decide when they are sent.
    """
    difference = (tokens - reserved) * rates.token_seconds
    after = state.next_token + difference
    if difference > 0:
        moved = max(0.0, after - max(state.next_token, state.next_request))
    else:
        moved = -min(-difference, max(0.0, state.next_token - state.next_request))
    expected = state.expected
    if tokens:  # what was refused says nothing about replies
        expected = expected + LEARNING * (tokens - expected) if expected else tokens
    return replace(state, next_token=after - moved, shift=state.shift + moved, expected=expected)
