"""The ASGI application of the sandbox. It journals every request, applies its fault, and calls its endpoint.

`APIS` lists the APIs, one line each. An endpoint only parses, acts and formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Router

from rivya_sandbox.errors import ApiError
from rivya_sandbox.fault_sender import ConnectionBroken, FaultSender, StreamEnded, close_connection, discard
from rivya_sandbox.faults import Fault
from rivya_sandbox.journal import Exchange, readable_body, readable_headers
from rivya_sandbox.media_host import MediaHost
from rivya_sandbox.openai import apis as openai_apis
from rivya_sandbox.rivya import api as rivya
from rivya_sandbox.waiting import ClientConnection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Scope, Send

    from rivya_sandbox.apis import Api
    from rivya_sandbox.state import SandboxState

APIS: tuple[Api, ...] = (rivya.API, *openai_apis.APIS)
"""The APIs that a sandbox serves. Add a new API here."""

MAX_BODY = 128 * 1024 * 1024
CODES = {404: "not_found", 405: "validation_failed"}


class SandboxApp:
    """The ASGI application of a sandbox.

    Args:
        state: The sandbox's state.
        apis: The APIs to serve.
        media: Whether to serve the media host too.
    """

    def __init__(self, state: SandboxState, apis: Sequence[Api] = APIS, *, media: bool = True) -> None:
        self._state = state
        self._apis = sorted(apis, key=lambda api: -len(api.prefix))
        mounts: list[BaseRoute] = [Mount(api.prefix, routes=api.routes(state)) for api in self._apis]
        self._router = Router([*(MediaHost(state).routes() if media else []), *mounts], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request. Ignore other protocols."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        api = self._api(scope["path"])
        exchange = self._record(scope, body)
        exchange.fault = self._state.faults.take(
            exchange.method, exchange.path, exchange.path.removeprefix(api.prefix) if api else exchange.path
        )
        await RequestHandler(self._state, self._router, api, exchange, body).serve(scope, receive, send)

    def _api(self, path: str) -> Api | None:
        return next((api for api in self._apis if path.startswith(api.prefix + "/")), None)

    def _record(self, scope: Scope, body: bytes) -> Exchange:
        headers = dict(scope["headers"])
        account = self._state.accounts.name(headers.get(b"authorization", b"").decode("latin-1") or None)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        return self._state.journal.open(
            Exchange(
                0,
                scope["method"],
                scope["path"],
                scope.get("query_string", b"").decode("latin-1"),
                readable_headers(scope["headers"], account),
                readable_body(body, content_type),
                account,
                self._state.ids.new("req"),
            )
        )


class RequestHandler:
    """Handles one request."""

    def __init__(self, state: SandboxState, router: Router, api: Api | None, exchange: Exchange, body: bytes) -> None:
        self._state = state
        self._router = router
        self._api = api
        self._exchange = exchange
        self._fault = exchange.fault or Fault()
        self._body = body

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, unless the fault prevents it."""
        connection = ClientConnection(receive)
        sender = FaultSender(
            send,
            self._exchange.fault,
            [(b"x-request-id", self._exchange.request_id.encode())],
            on_start=self._on_start,
            on_finish=self._on_finish,
            silence=lambda: self._state.sleeper.sleep(self._fault.hang or 0, connection),
            error_event=lambda fault: self._error_event(fault.error()),
        )
        try:
            await self._respond(scope, sender, connection)
        except StreamEnded as end:
            await send({"type": "http.response.body", "body": end.tail, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ConnectionBroken:
            await self._break(send, connection)
        finally:
            await connection.stop()

    async def _respond(self, scope: Scope, sender: FaultSender, connection: ClientConnection) -> None:
        fault = self._fault
        if fault.delay:
            await self._state.sleeper.sleep(fault.delay, connection)
        if fault.drop == "before":
            raise ConnectionBroken
        silent = fault.hang is not None and fault.cut is None
        if fault.replaces_response or fault.drop == "after" or silent:
            await self._replace_response(scope, sender, connection, silent=silent)
        else:
            await self._call_endpoint(scope, connection, sender)

    async def _replace_response(
        self, scope: Scope, sender: FaultSender, connection: ClientConnection, *, silent: bool
    ) -> None:
        """Process the request if the fault says so; then send nothing, or the fault's own response."""
        if self._fault.processes_request:
            await self._call_endpoint(scope, connection, discard)
        if silent:
            await self._state.sleeper.sleep(self._fault.hang or 0, connection)
        if silent or self._fault.drop == "after":
            raise ConnectionBroken
        await self._fault_response()(scope, connection.receive, sender)

    def _fault_response(self) -> Response:
        fault = self._fault
        if fault.body is None:
            return self._error_response(fault.error())
        return Response(fault.body, fault.status or 200, dict(fault.headers))

    async def _call_endpoint(self, scope: Scope, connection: ClientConnection, send: Send) -> None:
        """Call the endpoint. Its errors become responses in the API's own format."""
        state = {"exchange": self._exchange, "fault": self._exchange.fault, "request_id": self._exchange.request_id}
        inner = {
            **scope,
            "state": state,
            "app": self,
        }  # with an "app", the router raises errors instead of sending them
        receive = replay(self._body, connection.receive)
        try:
            await self._router(inner, receive, send)
        except ApiError as error:
            await self._error_response(error)(scope, receive, send)
        except HTTPException as error:
            await self._error_response(as_api_error(error))(scope, receive, send)

    def _error_response(self, error: ApiError) -> Response:
        if self._api is None:
            return PlainTextResponse(error.message, error.status, error.headers)
        return self._api.error_response(error, self._exchange.request_id)

    def _error_event(self, error: ApiError) -> bytes:
        return self._api.error_event(error, self._exchange.request_id) if self._api else b""

    async def _break(self, send: Send, connection: ClientConnection) -> None:
        await connection.stop()
        await close_connection(send, connection.receive)

    def _on_start(self, status: int) -> None:
        self._exchange.status = status

    def _on_finish(self) -> None:
        self._exchange.delivered = True
        for turn in self._exchange.turns:
            turn.delivered = not self._fault.replaces_response


def as_api_error(error: HTTPException) -> ApiError:
    """Convert the router's error for an unknown path or method."""
    return ApiError(CODES.get(error.status_code, "validation_failed"), error.detail, status=error.status_code)


async def read_body(receive: Receive) -> bytes:
    """Read a request's whole body."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first gives the body again, and then what really arrives."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
