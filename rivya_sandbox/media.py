"""The media host: results and uploads, for everybody who knows the URL. A key that reaches it is a leak, and noted."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rivya_sandbox.rivya.pictures import paint

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.sandbox import Sandbox


class Media:
    """`GET /media/{name}`, with byte ranges, so that a broken download can be taken up again."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._box = sandbox

    def routes(self) -> list[Route]:
        """The one path."""
        return [Route("/media/{name}", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        """A file, or the part of it that is asked for."""
        if "authorization" in request.headers:
            self._box.media_leaks.append(request.state.exchange)
        found = self._find(request.path_params["name"])
        if found is None:
            return PlainTextResponse("Not Found", 404)
        content, mime = found
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"accept-ranges": "bytes", "etag": etag}
        wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
        return part(content, mime, wanted, headers)

    def _find(self, name: str) -> tuple[bytes, str] | None:
        stored, task = self._box.files.by_media_name(name), self._box.tasks.by_media_name(name)
        if stored is not None and stored.media_name == name:
            return stored.content, stored.mime
        if task is not None and task.media_name == name:
            return paint(task.order), task.order.mime
        return None


def part(content: bytes, mime: str, wanted: str | None, headers: dict[str, str]) -> Response:
    """The whole content, the range `bytes=first-last` of it, or 416."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    if match is None:
        return Response(content, 200, headers, mime)
    first, size = int(match[1]), len(content)
    last = min(int(match[2] or size - 1), size - 1)
    if first > last:
        return Response(b"", 416, {**headers, "content-range": f"bytes */{size}"})
    ranged = {**headers, "content-range": f"bytes {first}-{last}/{size}"}
    return Response(content[first : last + 1], 206, ranged, mime)
