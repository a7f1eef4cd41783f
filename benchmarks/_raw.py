"""The floor that everything is compared with: httpx alone, its own splitting of events, and `json`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from _measure import KEY

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def body_of(url: str, *, stream: bool) -> dict[str, Any]:
    """What is sent: a message in Rivya's form, or a chat completion."""
    if "/api/v1" in url:
        return {"model": "gpt-5-2-chat", "message": "Say hello."}
    asked = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "Say hello."}]}
    return {**asked, "stream": True, "stream_options": {"include_usage": True}} if stream else asked


def path_of(url: str, *, stream: bool) -> str:
    """Where it is sent."""
    return url + "/chat/completions" + ("/stream" if stream and "/api/v1" in url else "")


def call(client: httpx.Client, url: str) -> Any:
    """One whole call."""
    return client.post(path_of(url, stream=False), headers=HEADERS, json=body_of(url, stream=False)).json()


async def acall(client: httpx.AsyncClient, url: str) -> Any:
    """One whole call."""
    answer = await client.post(path_of(url, stream=False), headers=HEADERS, json=body_of(url, stream=False))
    return answer.json()


def stream(client: httpx.Client, url: str) -> Iterator[Any]:
    """The JSON of every event."""
    where, body = path_of(url, stream=True), body_of(url, stream=True)
    with client.stream("POST", where, headers=HEADERS, json=body) as answer:
        split = Split()
        for piece in answer.iter_bytes():
            yield from split.feed(piece)


async def astream(client: httpx.AsyncClient, url: str) -> AsyncIterator[Any]:
    """The JSON of every event."""
    where, body = path_of(url, stream=True), body_of(url, stream=True)
    async with client.stream("POST", where, headers=HEADERS, json=body) as answer:
        split = Split()
        async for piece in answer.aiter_bytes():
            for value in split.feed(piece):
                yield value


class Split:
    """Events out of bytes, the plainest way."""

    def __init__(self) -> None:
        self.waiting = b""

    def feed(self, piece: bytes) -> list[Any]:
        """The JSON of the events that *piece* completes."""
        *blocks, self.waiting = (self.waiting + piece).split(b"\n\n")
        datas = [block[block.index(b"data: ") + 6 :] for block in blocks]
        return [json.loads(data) for data in datas if data != b"[DONE]"]
