"""The port, the journal, the ASGI application and the command line."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import rivya_sandbox
from rivya_sandbox import Fault, Sandbox, serve

HELLO = {"model": "gpt-5-2-chat", "message": "hello"}


def test_a_server_starts_at_once_and_leaves_nothing_behind():
    """Afterwards no thread, no socket, and the state can still be read."""
    before = set(threading.enumerate())
    with serve() as sandbox:
        httpx.post(
            f"{sandbox.rivya_url}/chat/completions",
            json=HELLO,
            headers={"authorization": f"Bearer {sandbox.api_key}"},
        )

    assert set(threading.enumerate()) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url)
    assert len(sandbox.journal.turns) == 1


def test_the_base_urls_are_those_of_the_providers():
    """One port, one path for each."""
    sandbox = Sandbox()
    sandbox.url = "http://127.0.0.1:1"

    assert [sandbox.rivya_url, sandbox.evolink_url, sandbox.gmi_url, sandbox.openai_url] == [
        "http://127.0.0.1:1/api/v1",
        "http://127.0.0.1:1/evolink/v1",
        "http://127.0.0.1:1/gmi/v1",
        "http://127.0.0.1:1/v1",
    ]


def test_a_port_that_is_taken_is_an_error():
    """And leaves no server behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(port=taken.getsockname()[1]).start()


def test_a_sandbox_of_ones_own_can_be_served_on_a_chosen_port():
    """Options are for new sandboxes only."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mine = Sandbox(credits=7)

    with serve(port=port, sandbox=mine) as sandbox:
        assert (sandbox, sandbox.url) == (mine, f"http://127.0.0.1:{port}")
    with pytest.raises(ValueError, match="credits"):
        serve(sandbox=mine, credits=8)
    with serve(credits=8) as other:
        assert other.credits() == 8


def test_a_stopped_server_ends_what_hangs():
    """A waiting client gets its response."""
    served = serve()
    sandbox = served.start()
    sandbox.fault(Fault(delay=3600))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{sandbox.rivya_url}/models", timeout=30)
        while not sandbox.journal.requests:
            time.sleep(0.001)
        served.stop()
        assert waiting.result().status_code == 200


async def test_without_a_port_it_is_an_asgi_application():
    """The same behaviour, the same journal; media URLs are on the client's own base."""
    sandbox = Sandbox(seed="1")
    transport = httpx.ASGITransport(sandbox.app)
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    async with httpx.AsyncClient(transport=transport, base_url=sandbox.rivya_url, headers=headers) as client:
        first = (await client.post("/chat/completions", json=HELLO)).json()
        streamed = await client.post("/chat/completions/stream", json=HELLO)
        task = (await client.post("/generations", json={"model": "z-image", "prompt": "a hill"})).json()
        for _ in range(2):
            polled = (await client.get(f"/generations/{task['id']}")).json()
        image = await client.get(polled["result"]["primary_url"], headers={"authorization": ""})

    assert first["message"]["content"] == "Hello! How can I help you?"
    assert b"message.completed" in streamed.content
    assert image.content.startswith(b"\x89PNG")
    assert [turn.delivered for turn in sandbox.journal.turns] == [True, True]


async def test_with_a_seed_everything_repeats():
    """Ids too; without one they never do."""

    async def run(**options):
        sandbox = Sandbox(clock=lambda: 1_778_457_600.0, **options)
        headers = {"authorization": f"Bearer {sandbox.api_key}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(sandbox.app), base_url=sandbox.rivya_url, headers=headers
        ) as client:
            return (await client.post("/chat/completions", json=HELLO)).json()

    assert await run(seed="a") == await run(seed="a")
    assert (await run(seed="a"))["created_at"] == "2026-05-11T00:00:00.000Z"
    assert (await run())["session_id"] != (await run())["session_id"]


async def test_other_protocols_are_none_of_its_business():
    """Lifespan and websockets are left alone."""
    assert await Sandbox().app({"type": "lifespan"}, None, None) is None


def test_the_journal_holds_every_request_and_no_key(sandbox, client, chat, upload, png):
    """Method, path, headers, body, status, account; uploads are described, not kept."""
    chat(client_request_id="r-1")
    upload(png())
    client.get("/models?a=1", headers={"authorization": "Bearer rvya_sk_secret"})
    client.post("/chat/completions", content=b"{oops", headers={"content-type": "application/json"})
    client.post("/chat/completions", content=b"oops", headers={"content-type": "text/plain"})

    said, sent, listed, broken, plain = sandbox.journal.requests
    assert (said.number, said.method, said.path, said.status, said.account) == (
        1,
        "POST",
        "/api/v1/chat/completions",
        200,
        "default",
    )
    assert said.body == {"model": "gpt-5-2-chat", "message": "hello", "client_request_id": "r-1"}
    assert (said.headers["authorization"], listed.headers["authorization"]) == ("default", "unknown")
    assert said.delivered
    assert said.turns == sandbox.journal.turns
    assert sent.body["content_type"].startswith("multipart/form-data")
    assert (listed.query, listed.body) == ("a=1", None)
    assert (broken.body, plain.body) == ("{oops", "oops")
    assert sandbox.journal.to("/models") == [listed]
    assert len(sandbox.journal.to("/chat/completions", "POST")) == 3
    assert "rvya_sk" not in repr(sandbox.journal.requests)


def test_a_reset_forgets_everything_but_never_repeats_an_id(sandbox, client, chat, upload, png):
    """Sessions, files, tasks, keys, credits, faults, answers, settings."""
    session = chat().json()["session_id"]
    file_id = upload(png()).json()["id"]
    task = client.post("/generations", json={"model": "z-image", "prompt": "a hill"}).json()["id"]
    sandbox.add_key("rvya_sk_b")
    sandbox.answer("old")
    sandbox.fault(Fault())
    sandbox.pace, sandbox.dialect, sandbox.tasks.ready_after = 9, "flat", 9

    sandbox.reset()

    for path in (f"/chat/sessions/{session}", f"/files/{file_id}", f"/generations/{task}"):
        assert client.get(path).status_code == 404
    assert (sandbox.credits(), sandbox.ledger(), len(sandbox.journal.requests)) == (1_000_000, [], 3)
    assert (sandbox.pace, sandbox.dialect, sandbox.tasks.ready_after) == (0.0, "named", 2)
    assert client.get("/credits", headers={"authorization": "Bearer rvya_sk_b"}).status_code == 401
    assert chat().json()["message"]["content"] != "old"
    assert sandbox.journal.turns[0].session_id != session


def test_a_turn_that_outlives_a_reset_does_not_touch_the_new_state(sandbox, chat):
    """Its credits belong to the old ledger."""
    sandbox.answer(lambda _: sandbox.reset() or "late")

    assert chat().status_code == 200
    assert (sandbox.credits(), sandbox.ledger(), sandbox.journal.turns) == (1_000_000, [], [])


def test_many_threads_at_once_lose_nothing(sandbox, client):
    """Every turn is its own session, numbered, charged once."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda n: client.post("/chat/completions", json={**HELLO, "message": f"{n}"}).json(), range(120))
        )

    assert len({reply["session_id"] for reply in replies}) == 120
    assert sorted(int(turn.context[0].text) for turn in sandbox.journal.turns) == list(range(120))
    assert sandbox.credits() == 1_000_000 - 120
    assert [exchange.number for exchange in sandbox.journal.requests] == list(range(1, 121))


def test_public_names_load_when_used():
    """The package itself loads nothing; what it offers is listed and there."""
    code = "import sys, rivya_sandbox; print('starlette' in sys.modules, 'rivya_core' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == (
        "False False\n"
    )
    assert dir(rivya_sandbox) == sorted(rivya_sandbox.__all__)
    assert all(getattr(rivya_sandbox, name) for name in rivya_sandbox.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = rivya_sandbox.nothing


def test_the_sandbox_needs_none_of_the_other_packages():
    """It is independent, so that it can test them."""
    code = (
        "import sys, rivya_sandbox.server, rivya_sandbox.model.stand_in; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('rivya_core', 'langchain_rivya', 'llamaindex_rivya', 'langchain_core', 'llama_index')])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_one_async_client_many_streams(sandbox):
    """Streams run side by side."""
    sandbox.pace = 0.001
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    async with httpx.AsyncClient(base_url=sandbox.rivya_url, headers=headers) as client:
        replies = await asyncio.gather(*(client.post("/chat/completions/stream", json=HELLO) for _ in range(20)))

    assert all(b"message.completed" in reply.content for reply in replies)
