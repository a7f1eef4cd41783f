"""The command `rivya-sandbox`: serves a sandbox on a port until Ctrl-C. `python -m rivya_sandbox` does the same."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence

from rivya_sandbox import DIALECTS, Sandbox, serve
from rivya_sandbox.app import APIS


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="rivya-sandbox", description="A local stand-in for the Rivya, Evolink, GMI and OpenAI APIs."
    )
    parser.add_argument("--port", type=int, default=8008, help="port to listen on, 0 for a free one (default 8008)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--dialect", default="named", choices=sorted(DIALECTS), help="form of streamed chat")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between streamed events (default 0.02)")
    parser.add_argument("--separate-media", action="store_true", help="serve media from a second port")
    return parser.parse_args(arguments)


def welcome(sandbox: Sandbox) -> str:
    """Return the text that explains how to use the running sandbox."""
    bases = "\n".join(f"  {api.name:<12} {sandbox.url}{api.prefix}" for api in APIS)
    urls = {"RIVYA": sandbox.rivya_url, "EVOLINK": sandbox.evolink_url, "GMI": sandbox.gmi_url}
    exports = "\n".join(
        f"  export {name}_API_KEY={sandbox.api_key} {name}_BASE_URL={url}" for name, url in urls.items()
    )
    return f"""The sandbox is running. It keeps everything in memory and charges nothing.

{bases}
  {"key":<12} {sandbox.api_key}

Point the packages at it:

{exports}

Or try it with curl:

  curl {sandbox.rivya_url}/chat/completions -H 'Authorization: Bearer {sandbox.api_key}' \\
    -H 'Content-Type: application/json' -d '{{"model": "gpt-5-2-chat", "message": "Hello"}}'

Press Ctrl-C to stop it."""


def interrupt(_signal: int, _frame: object) -> None:
    """Treat a request to terminate like Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    served = serve(
        port=options.port,
        host=options.host,
        separate_media=options.separate_media,
        dialect=options.dialect,
        pace=options.pace,
    )
    try:
        with served as sandbox:
            print(welcome(sandbox), flush=True)
            wait()
    except KeyboardInterrupt:
        print("\nThe sandbox has stopped.")
    except OSError as error:
        raise SystemExit(f"Port {options.port} is not available ({error}). Choose another one with --port.") from None


def wait() -> None:
    """Wait forever, in short steps, because some systems cannot interrupt a long wait."""
    never = threading.Event()
    while not never.wait(0.5):
        pass


if __name__ == "__main__":
    main()
