"""A server on a real port that sends any bytes: responses that no HTTP library would write, however long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

from typing_extensions import Self

Script = Callable[[bytes], Iterable[bytes]]
"""From the bytes of a request to the pieces of its response; the connection is closed after the last."""


class RawServer:
    """Answers each request by the script that is set; safe to use from any thread.

    Args:
        script: What is sent; may be replaced at any time.
    """

    def __init__(self, script: Script = lambda _: ()) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.sent = 0
        """Bytes that were taken from us in the last response."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with connection:
            try:
                while request := self._request(connection):
                    self.requests.append(request)
                    self.sent = 0
                    if self._send(connection, self.script(request)):
                        return
            except OSError:  # the client has had enough
                return

    def _send(self, connection: socket.socket, pieces: Iterable[bytes]) -> bool:
        """Send *pieces*; return whether the connection is to be closed, which an empty last piece prevents."""
        keep = False
        for piece in pieces:
            keep = piece == b""
            connection.sendall(piece)
            self.sent += len(piece)
        return not keep

    def _request(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        return data


def response(body: bytes = b"", *, status: str = "200 OK", headers: Iterable[bytes] = ()) -> bytes:
    """A whole response with the length of its body."""
    lines = [f"HTTP/1.1 {status}".encode(), b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def opening(*headers: bytes, status: str = "200 OK") -> bytes:
    """The head of a response whose body ends when the connection is closed."""
    return b"\r\n".join([f"HTTP/1.1 {status}".encode(), b"connection: close", *headers]) + b"\r\n\r\n"
