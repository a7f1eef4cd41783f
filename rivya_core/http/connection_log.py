"""What became of the connection of one request, as the transport tells it."""

from __future__ import annotations

from typing import Any


class ConnectionLog:
    """Listens to the transport's trace events: https://www.encode.io/httpcore/extensions/#trace .

    Attributes:
        reused: Whether the request went over a connection that had served others.
        answered: Whether a response began.
    """

    def __init__(self) -> None:
        self.reused = self.answered = False
        self._opened = False

    def note(self, event: str, _: Any) -> None:
        """Take note of one event; a transport that tells nothing leaves all as it is."""
        if event.startswith("connection.connect"):
            self._opened = True
        elif event.endswith("send_request_headers.started"):
            self.reused = not self._opened
        elif event.endswith("receive_response_headers.complete"):
            self.answered = True

    async def anote(self, event: str, info: Any) -> None:
        """Take note of one event."""
        self.note(event, info)
