"""The media host: results and uploads, without authentication. It records every API key that reaches it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rivya_sandbox.rivya.images import render

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.state import SandboxState


class MediaHost:
    """`GET /media/{name}`, with byte ranges, so that a client can resume a broken download."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/media/{name}", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        """Return a file, or the requested part of it."""
        if "authorization" in request.headers:
            self._state.media_leaks.append(request.state.exchange)
        found = self._find(request.path_params["name"])
        if found is None:
            return PlainTextResponse("Not Found", 404)
        content, mime = found
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"accept-ranges": "bytes", "etag": etag}
        wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
        return ranged_response(content, mime, wanted, headers)

    def _find(self, name: str) -> tuple[bytes, str] | None:
        stored, task = self._state.files.by_media_name(name), self._state.tasks.by_media_name(name)
        if stored is not None and stored.media_name == name:
            return stored.content, stored.mime
        if task is not None and task.media_name == name:
            return render(task.image), task.image.mime
        return None


def ranged_response(content: bytes, mime: str, wanted: str | None, headers: dict[str, str]) -> Response:
    """Return the whole content, its range `bytes=first-last`, or status 416."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    if match is None:
        return Response(content, 200, headers, mime)
    first, size = int(match[1]), len(content)
    last = min(int(match[2] or size - 1), size - 1)
    if first > last:
        return Response(b"", 416, {**headers, "content-range": f"bytes */{size}"})
    ranged = {**headers, "content-range": f"bytes {first}-{last}/{size}"}
    return Response(content[first : last + 1], 206, ranged, mime)
