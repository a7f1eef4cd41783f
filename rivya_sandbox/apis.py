"""The seam between the sandbox and the APIs that it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from rivya_sandbox.refusals import Refusal
    from rivya_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Api:
    """One provider's API: a base path, its endpoints, and how it says no.

    An endpoint finds in `request.state`: `exchange` (its line in the journal, to be given to `Journal.begin` with a
    turn), `fault` (for `dialect`, `pace` and `task`; everything else is done outside) and `request_id`. It raises
    `Refusal` for every error and returns `Sandbox.event_stream(…)` to stream. Keys, credits, scripted answers, the
    model, journal and idempotency are the sandbox's own and shared by all APIs.

    Attributes:
        name: For the journal.
        prefix: Base path, such as `/api/v1`.
        routes: Makes the endpoints, with paths below the base.
        refuse: Writes an error as an answer (status and headers of the refusal included).
        stream_error: Writes an error as an event in the middle of a stream.
    """

    name: str
    prefix: str
    routes: Callable[[Sandbox], Sequence[BaseRoute]]
    refuse: Callable[[Refusal, str], Response]
    stream_error: Callable[[Refusal, str], bytes]
