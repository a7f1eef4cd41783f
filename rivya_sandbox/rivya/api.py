"""The Rivya half: every path below `/api/v1`, and how its errors read (https://rivya.ai/docs/api)."""

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

    from rivya_sandbox.refusals import Refusal
    from rivya_sandbox.sandbox import Sandbox

PREFIX = "/api/v1"


def routes(sandbox: Sandbox) -> Sequence[BaseRoute]:
    """All endpoints."""

    async def models(_request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": catalogue.rows()})

    async def credits(request: Request) -> JSONResponse:  # noqa: A001 - the endpoint's name
        key = sandbox.accounts.authorize(request.headers.get("authorization"), "credits:read")
        return JSONResponse({"current_credits": sandbox.credits(key.account)})

    async def schema(_request: Request) -> JSONResponse:
        return JSONResponse(openapi(endpoints))

    endpoints: list[Route] = [
        Route("/models", models, methods=["GET"]),
        Route("/credits", credits, methods=["GET"]),
        Route("/openapi.json", schema, methods=["GET"]),
        *RivyaChat(sandbox).routes(),
        *RivyaMedia(sandbox).routes(),
    ]
    return endpoints


def openapi(endpoints: Sequence[Route]) -> dict[str, object]:
    """A minimal schema: which paths there are."""
    paths: dict[str, dict[str, object]] = {}
    for route in endpoints:
        methods = sorted((route.methods or set()) - {"HEAD"})
        paths[PREFIX + route.path] = {
            method.lower(): {"responses": {"200": {"description": "OK"}}} for method in methods
        }
    return {"openapi": "3.1.0", "info": {"title": "Rivya Public API (sandbox)", "version": "1"}, "paths": paths}


def envelope(refusal: Refusal, request_id: str) -> dict[str, object]:
    """The error envelope."""
    return {"error": {"code": refusal.code, "message": refusal.message, "requestId": request_id}}


def refuse(refusal: Refusal, request_id: str) -> Response:
    """An error as an answer."""
    return JSONResponse(envelope(refusal, request_id), refusal.status, refusal.headers)


def stream_error(refusal: Refusal, request_id: str) -> bytes:
    """An error in the middle of a stream."""
    return f"event: error\ndata: {json.dumps(envelope(refusal, request_id))}\n\n".encode()


API = Api("rivya", PREFIX, routes, refuse, stream_error)
