"""Servers that do not continue a stored response: one that ignores or refuses the id gets the whole conversation."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from openai_asking import HI, KEY, Way
from responses_backend import Backend as Storing
from wire import URL, events

from rivya_core import errors
from rivya_core.http.endpoint import endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.router import OpenAIRouter
from rivya_core.providers import COMPATIBLE
from rivya_core.types import ChatDelta, Message, Text

NEXT = Message("user", (Text("And now?"),))


REFUSING = ("refuses", "fails", "success", "event")


class Backend:
    """A Responses API that keeps nothing: it answers null, leaves the key out, or refuses the id."""

    def __init__(self, kind: str) -> None:
        self.kind, self.inner = kind, Storing()
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        sent = json.loads(request.content)
        if self.kind in REFUSING and "previous_response_id" in sent:
            return self.refusal(sent)
        sent.pop("previous_response_id", None)
        found = self.inner(httpx.Request("POST", request.url, json=sent))
        if self.kind == "absent":
            text = found.content.decode().replace('"previous_response_id": null, ', "")
            text = text.replace('"previous_response_id":null,', "")
            return httpx.Response(200, headers={"content-type": found.headers["content-type"]}, content=text.encode())
        return found

    def refusal(self, sent: dict[str, Any]) -> httpx.Response:
        words = "llama.cpp does not support 'previous_response_id'."
        status = {"refuses": 400, "fails": 500}.get(self.kind, 200)
        if self.kind == "event" and sent.get("stream"):
            frame = json.dumps({"type": "error", "message": words})
            return events(f"event: error\ndata: {frame}", done=False)
        return httpx.Response(status, json={"error": {"message": words, "type": "invalid_request_error"}})

    @property
    def sent(self) -> list[tuple[bool, int]]:
        """Of each request: whether it names a response, and how many messages it has."""
        bodies = [json.loads(request.content) for request in self.requests]
        return [("previous_response_id" in b, 1 if isinstance(b["input"], str) else len(b["input"])) for b in bodies]


def ask(way: Way, backend: Backend, messages: Any, **options: Any) -> ChatDelta:
    where = endpoint(COMPATIBLE, api_key=KEY, base_url=URL)
    given = {"model": "m", "use_previous_response_id": True, **options}
    return way.ask(OpenAIRouter(where, given, RetryPolicy(2)), backend, messages)  # type: ignore[arg-type]


def talk(way: Way, backend: Backend, turns: int) -> list[ChatDelta]:
    """A conversation of some turns, as an adapter holds it."""
    messages, said = list(HI), []
    for _ in range(turns):
        delta = ask(way, backend, messages)
        facts = json.loads(json.dumps(dict(delta.metadata)))
        reply = Message("assistant", (Text(delta.text),), pointer=facts.get("rivya_session"), extras=facts)
        messages += [reply, NEXT]
        said.append(delta)
    return said


@pytest.mark.parametrize("kind", ["null", *REFUSING])
def test_the_whole_conversation_is_sent_once_more_and_from_then_on(way: Way, kind: str) -> None:
    backend = Backend(kind)

    said = talk(way, backend, 3)

    assert backend.sent == [(False, 1), (True, 1), (False, 3), (False, 5)]
    assert [delta.metadata["session_route"] for delta in said] == ["new", "replay", "replay"]
    assert said[1].text == f"answer {2 if kind in REFUSING else 3}"
    assert all("previous_response_id" not in delta.metadata for delta in said)


def test_an_absent_key_is_not_called_a_continuation(way: Way) -> None:
    """It proves nothing, so the id is sent, but the reply does not claim that the server remembers."""
    backend = Backend("absent")

    said = talk(way, backend, 2)

    assert backend.sent == [(False, 1), (True, 1)]
    assert said[1].metadata["session_route"] == "unconfirmed"


def test_a_server_that_continues_says_so(way: Way) -> None:
    backend: Any = Storing()
    backend.requests = []

    assert [delta.metadata["session_route"] for delta in talk(way, backend, 3)] == ["new", "continue", "continue"]


def test_without_replays_it_is_an_error(way: Way) -> None:
    backend = Backend("null")
    first = ask(way, backend, HI)
    reply = Message("assistant", (Text(first.text),), pointer=first.metadata["rivya_session"])

    for charge in ("This turn was charged", "Nothing was charged"):
        with pytest.raises(errors.HistoryMismatchError, match=f"previous_response_id.*{charge}"):
            ask(way, backend, [*HI, reply, NEXT], on_history_mismatch="error")
    assert len(backend.requests) == 2


def test_a_refused_id_is_not_charged(way: Way) -> None:
    backend = Backend("refuses")
    first = ask(way, backend, HI)
    reply = Message("assistant", (Text(first.text),), pointer=first.metadata["rivya_session"])

    with pytest.raises(errors.HistoryMismatchError, match=r"refuses `previous_response_id`.*Nothing was charged"):
        ask(way, backend, [*HI, reply, NEXT], on_history_mismatch="error")
