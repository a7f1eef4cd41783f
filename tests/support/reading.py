"""What the tests of streams share: answers, transcripts and the one reply that all of Rivya's transcripts are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from rivya_core.chat_stream import ChatStreamDecoder
from rivya_core.rivya.wire import RivyaStreamDecoder
from rivya_core.types import ChatDelta, Usage

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
RIVYA = sorted((TRANSCRIPTS / "rivya").glob("*.sse"))

TEXT = "Hello, wörld! 👋\n\nHa ha ha"
REASONING = "The user greets; answer ha ha."
USAGE = Usage(input_tokens=12, output_tokens=9, total_tokens=21)
FACTS = {
    "id": "chatcmpl_1",
    "session_id": "sess_1",
    "model": "gpt-5-2-chat",
    "created_at": "2026-05-11T00:00:00.000Z",
    "credits": {"reserved": 3, "final": 2},
}


def answer(status: int = 200, body: Any = b"", **headers: str) -> httpx.Response:
    """An answer to a chat request that was sent with the key `rvya_sk_secret`."""
    request = httpx.Request(
        "POST", "https://rivya.test/api/v1/chat", headers={"authorization": "Bearer rvya_sk_secret"}
    )
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    content = {"content": body} if isinstance(body, (bytes, str)) else {"json": body}
    return httpx.Response(status, headers=named, request=request, **content)


def stream() -> RivyaStreamDecoder:
    """A decoder at the beginning of a stream."""
    return RivyaStreamDecoder(answer(content_type="text/event-stream"))


def decoded(pieces: Iterable[bytes], decoder: ChatStreamDecoder | None = None) -> list[ChatDelta]:
    """Feed *pieces* as a driver does: until the decoder is done."""
    decoder = decoder or stream()
    deltas: list[ChatDelta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
        if decoder.done:
            break
    return deltas + decoder.finish()


def message(deltas: list[ChatDelta]) -> tuple[str, str, Usage | None, dict[str, Any]]:
    """The contents of all deltas together: text, reasoning, usage and metadata."""
    text = "".join(delta.text for delta in deltas)
    return text, "".join(delta.reasoning for delta in deltas), deltas[-1].usage, dict(deltas[-1].metadata)


def frames(*datas: str, name: str = "") -> bytes:
    """An event stream of these data lines."""
    label = f"event: {name}\n" if name else ""
    return "".join(f"{label}data: {data}\n\n" for data in datas).encode()
