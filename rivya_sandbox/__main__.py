"""`python -m rivya_sandbox`: the sandbox on a port of its own, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence

from rivya_sandbox import DIALECTS, Sandbox, serve
from rivya_sandbox.app import APIS


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rivya_sandbox", description="Rivya's API on your own machine.")
    parser.add_argument("--port", type=int, default=8008, help="port to listen on, 0 for a free one (default 8008)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--dialect", default="named", choices=sorted(DIALECTS), help="form of streamed chat")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between streamed events (default 0.02)")
    parser.add_argument("--separate-media", action="store_true", help="serve media from a second port")
    return parser.parse_args(arguments)


def welcome(sandbox: Sandbox) -> str:
    """What to do with a running sandbox."""
    bases = "\n".join(f"  {api.name:<12} {sandbox.url}{api.prefix}" for api in APIS)
    where = {"RIVYA": sandbox.rivya_url, "EVOLINK": sandbox.evolink_url, "GMI": sandbox.gmi_url}
    exports = "\n".join(
        f"  export {name}_API_KEY={sandbox.api_key} {name}_BASE_URL={url}" for name, url in where.items()
    )
    return f"""The sandbox is running; everything is in memory, nothing costs anything.

{bases}
  {"key":<12} {sandbox.api_key}

Point the packages at it:

{exports}

Or try it by hand:

  curl {sandbox.rivya_url}/chat/completions -H 'Authorization: Bearer {sandbox.api_key}' \\
    -H 'Content-Type: application/json' -d '{{"model": "gpt-5-2-chat", "message": "Hello"}}'

Ctrl-C ends it."""


def interrupt(_signal: int, _frame: object) -> None:
    """Treat a request to terminate like Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    wanted = parse(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    served = serve(
        port=wanted.port,
        host=wanted.host,
        separate_media=wanted.separate_media,
        dialect=wanted.dialect,
        pace=wanted.pace,
    )
    try:
        with served as sandbox:
            print(welcome(sandbox), flush=True)
            wait()
    except KeyboardInterrupt:
        print("\nThe sandbox has ended.")
    except OSError as error:
        raise SystemExit(f"Port {wanted.port} cannot be used ({error}); try another one with --port.") from None


def wait() -> None:
    """Wait for ever; in short steps, because some systems cannot interrupt a long one."""
    never = threading.Event()
    while not never.wait(0.5):
        pass


if __name__ == "__main__":
    main()
