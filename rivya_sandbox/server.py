"""Serves a sandbox on a port: uvicorn in a thread, with a clean start and stop."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from rivya_sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp

START_LIMIT = 10.0


class StartedServer(uvicorn.Server):
    """A uvicorn server that sets an event when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set the event."""
        await super().startup(sockets)
        self.up.set()


class Listener:
    """One ASGI application on one port, in one thread."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
        self._server = StartedServer(config)
        self._thread = threading.Thread(target=self._run, name=f"rivya-sandbox-{self.port}", daemon=True)

    def start(self) -> None:
        """Start to serve.

        Raises:
            RuntimeError: The server did not start in time.
        """
        self._thread.start()
        if not self._server.up.wait(START_LIMIT):
            raise RuntimeError(f"The sandbox did not start within {START_LIMIT:g} seconds. Try another port.")

    def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket. Port 0 takes a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, asyncio disables Nagle's algorithm. Otherwise every response on a kept-alive
    # connection takes 40 ms longer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"{error.strerror}: {host}:{port}") from None
    return bound


class Served:
    """A sandbox on a port, as a context manager. In a notebook, call `start()` and `stop()` instead."""

    def __init__(self, sandbox: Sandbox, host: str, port: int, *, separate_media: bool) -> None:
        self.sandbox = sandbox
        self._host = host
        self._port = port
        self._separate_media = separate_media
        self._listeners: list[Listener] = []

    def start(self) -> Sandbox:
        """Open the port or ports and return the sandbox."""
        self.sandbox.url = self._open(self.sandbox.app, self._port)
        self.sandbox.media_url = self._open(self.sandbox.media_app, 0) if self._separate_media else None
        return self.sandbox

    def stop(self) -> None:
        """Close the ports. Faults that wait end at once. The sandbox's state stays readable."""
        self.sandbox.sleeper.wake()
        while self._listeners:
            self._listeners.pop().stop()

    def __enter__(self) -> Sandbox:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _open(self, app: ASGIApp, port: int) -> str:
        listener = Listener(app, self._host, port)
        self._listeners.append(listener)
        listener.start()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{shown}:{listener.port}"


def serve(
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    sandbox: Sandbox | None = None,
    separate_media: bool = False,
    **options: Any,
) -> Served:
    """Serve a sandbox on a port.

        with serve() as sandbox:
            httpx.get(sandbox.rivya_url + "/models")

    Args:
        port: The port; 0 takes a free one.
        host: The address to listen on.
        sandbox: The sandbox to serve; by default a new one.
        separate_media: Whether media come from a second port, like from a separate media host.
        options: Arguments of a new `Sandbox`.

    Returns:
        A context manager that returns the sandbox, with its `url` set.

    Raises:
        OSError: On entering, if the port is in use.
        ValueError: Both a sandbox and options for a new one are given.
    """
    if sandbox is not None and options:
        raise ValueError(f"Pass either `sandbox` or the options of a new one: {', '.join(sorted(options))}.")
    return Served(sandbox or Sandbox(**options), host, port, separate_media=separate_media)
