"""Rivya's API: every path below `/api/v1`, and the format of its errors (https://rivya.ai/docs/api)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rivya_sandbox.apis import Api
from rivya_sandbox.rivya import catalogue
from rivya_sandbox.rivya.chat import RivyaChat
from rivya_sandbox.rivya.media import RivyaMedia

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from rivya_sandbox.errors import ApiError
    from rivya_sandbox.state import SandboxState

PREFIX = "/api/v1"


def routes(state: SandboxState) -> Sequence[BaseRoute]:
    """Return all endpoints."""

    async def models(_request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": catalogue.rows()})

    async def credits(request: Request) -> JSONResponse:  # noqa: A001 - the endpoint's name
        return JSONResponse({"current_credits": state.accounts.credits(state.account(request, "credits:read"))})

    return [
        Route("/models", models, methods=["GET"]),
        Route("/credits", credits, methods=["GET"]),
        *RivyaChat(state).routes(),
        *RivyaMedia(state).routes(),
    ]


def envelope(error: ApiError, request_id: str) -> dict[str, object]:
    """Return an error as the API writes it."""
    return {"error": {"code": error.code, "message": error.message, "requestId": request_id}}


def error_response(error: ApiError, request_id: str) -> Response:
    """Return an error as a response."""
    return JSONResponse(envelope(error, request_id), error.status, error.headers)


def error_event(error: ApiError, request_id: str) -> bytes:
    """Return an error as an event in the middle of a stream."""
    return f"event: error\ndata: {json.dumps(envelope(error, request_id))}\n\n".encode()


API = Api("rivya", PREFIX, routes, error_response, error_event)
