"""The front door of the sandbox, an ASGI application: every request is journalled, meets its fault, is answered.

Behind it stand the APIs (`APIS`, one line for each) and the media host. An endpoint only parses, acts and formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Router

from rivya_sandbox.faults import Fault
from rivya_sandbox.journal import Exchange, readable_body, readable_headers
from rivya_sandbox.media import Media
from rivya_sandbox.openai import apis as openai_apis
from rivya_sandbox.outlets import Broken, Ended, Outlet, discard, hang_up
from rivya_sandbox.pauses import Reader
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.rivya import api as rivya

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Scope, Send

    from rivya_sandbox.apis import Api
    from rivya_sandbox.sandbox import Sandbox

APIS: tuple[Api, ...] = (rivya.API, *openai_apis.APIS)
"""The APIs that a sandbox speaks; a new one is added here."""

MAX_BODY = 128 * 1024 * 1024
CODES = {404: "not_found", 405: "validation_failed"}


class Front:
    """The ASGI application of a sandbox.

    Args:
        sandbox: Whose state is used.
        apis: The APIs that are served.
        media: Whether the media host is served too.
    """

    def __init__(self, sandbox: Sandbox, apis: Sequence[Api] = APIS, *, media: bool = True) -> None:
        self._box = sandbox
        self._apis = sorted(apis, key=lambda api: -len(api.prefix))
        mounts: list[BaseRoute] = [Mount(api.prefix, routes=api.routes(sandbox)) for api in self._apis]
        self._router = Router([*(Media(sandbox).routes() if media else []), *mounts], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP is none of the sandbox's business."""
        if scope["type"] != "http":
            return
        body = await read(receive)
        api = self._api(scope["path"])
        exchange = self._note(scope, body)
        exchange.fault = self._box.faults.take(
            exchange.method, exchange.path, exchange.path.removeprefix(api.prefix) if api else exchange.path
        )
        await Visit(self._box, self._router, api, exchange, body).serve(scope, receive, send)

    def _api(self, path: str) -> Api | None:
        return next((api for api in self._apis if path.startswith(api.prefix + "/")), None)

    def _note(self, scope: Scope, body: bytes) -> Exchange:
        headers = dict(scope["headers"])
        account = self._box.accounts.name(headers.get(b"authorization", b"").decode("latin-1") or None)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        return self._box.journal.open(
            Exchange(
                0,
                scope["method"],
                scope["path"],
                scope.get("query_string", b"").decode("latin-1"),
                readable_headers(scope["headers"], account),
                readable_body(body, content_type),
                account,
                self._box.ids.new("req"),
            )
        )


class Visit:
    """One request on its way through the sandbox."""

    def __init__(self, box: Sandbox, router: Router, api: Api | None, exchange: Exchange, body: bytes) -> None:
        self._box = box
        self._router = router
        self._api = api
        self._exchange = exchange
        self._fault = exchange.fault or Fault()
        self._body = body

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as far as the fault lets it."""
        reader = Reader(receive)
        outlet = Outlet(
            send,
            self._exchange.fault,
            [(b"x-request-id", self._exchange.request_id.encode())],
            begun=self._begun,
            finished=self._finished,
            silence=lambda: self._box.pauses.sleep(self._fault.hang or 0, reader),
            error=lambda fault: self._stream_error(fault.refusal()),
        )
        try:
            await self._go(scope, outlet, reader)
        except Ended as end:
            await send({"type": "http.response.body", "body": end.tail, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Broken:
            await self._break(send, reader)
        finally:
            await reader.stop()

    async def _go(self, scope: Scope, outlet: Outlet, reader: Reader) -> None:
        fault = self._fault
        if fault.delay:
            await self._box.pauses.sleep(fault.delay, reader)
        if fault.drop == "before":
            raise Broken
        silent = fault.hang is not None and fault.cut is None
        if fault.replaces_answer or fault.drop == "after" or silent:
            await self._instead(scope, outlet, reader, silent=silent)
        else:
            await self._carry_out(scope, reader, outlet)

    async def _instead(self, scope: Scope, outlet: Outlet, reader: Reader, *, silent: bool) -> None:
        """Carry the request out or not, and do not answer it, or with something else."""
        if self._fault.carries_out:
            await self._carry_out(scope, reader, discard)
        if silent:
            await self._box.pauses.sleep(self._fault.hang or 0, reader)
        if silent or self._fault.drop == "after":
            raise Broken
        await self._said_instead()(scope, reader.receive, outlet)

    def _said_instead(self) -> Response:
        fault = self._fault
        if fault.body is None:
            return self._refuse(fault.refusal())
        return Response(fault.body, fault.status or 200, dict(fault.headers))

    async def _carry_out(self, scope: Scope, reader: Reader, send: Send) -> None:
        """Let the endpoint answer; its refusals become answers in the API's own form."""
        state = {"exchange": self._exchange, "fault": self._exchange.fault, "request_id": self._exchange.request_id}
        inner = {**scope, "state": state, "app": self}  # with an "app", the router raises instead of answering
        receive = replay(self._body, reader.receive)
        try:
            await self._router(inner, receive, send)
        except Refusal as refusal:
            await self._refuse(refusal)(scope, receive, send)
        except HTTPException as error:
            await self._refuse(as_refusal(error))(scope, receive, send)

    def _refuse(self, refusal: Refusal) -> Response:
        if self._api is None:
            return PlainTextResponse(refusal.message, refusal.status, refusal.headers)
        return self._api.refuse(refusal, self._exchange.request_id)

    def _stream_error(self, refusal: Refusal) -> bytes:
        return self._api.stream_error(refusal, self._exchange.request_id) if self._api else b""

    async def _break(self, send: Send, reader: Reader) -> None:
        await reader.stop()
        await hang_up(send, reader.receive)

    def _begun(self, status: int) -> None:
        self._exchange.status = status

    def _finished(self) -> None:
        self._exchange.delivered = True
        for turn in self._exchange.turns:
            turn.delivered = not self._fault.replaces_answer


def as_refusal(error: HTTPException) -> Refusal:
    """An unknown path or method, as the APIs would put it."""
    return Refusal(CODES.get(error.status_code, "validation_failed"), error.detail, status=error.status_code)


async def read(receive: Receive) -> bytes:
    """The whole body of a request."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, and then what really comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
