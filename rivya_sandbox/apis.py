"""The interface between the sandbox and the APIs that it serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from rivya_sandbox.errors import ApiError
    from rivya_sandbox.state import SandboxState


@dataclass(frozen=True)
class Api:
    """One provider's API: a base path, its endpoints, and the format of its errors.

    An endpoint finds in `request.state`: `exchange` (its journal entry; pass it to `Journal.begin` together with a
    turn), `fault` (for `dialect`, `pace` and `task`; the app handles everything else) and `request_id`. An endpoint
    raises `ApiError` for every error, and returns `SandboxState.event_stream(…)` to stream. All APIs share keys,
    credits, scripted answers, the model, the journal and idempotency.

    Attributes:
        name: The API's name in the journal.
        prefix: Base path, such as `/api/v1`.
        routes: Builds the endpoints, with paths below the base.
        error_response: Formats an error as a response, with the error's status and headers.
        error_event: Formats an error as an event in the middle of a stream.
    """

    name: str
    prefix: str
    routes: Callable[[SandboxState], Sequence[BaseRoute]]
    error_response: Callable[[ApiError, str], Response]
    error_event: Callable[[ApiError, str], bytes]
