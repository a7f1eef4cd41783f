"""What is wrong with the environment or with a caller's client is said in our own errors, before anything is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rivya_core import errors
from rivya_core.http import clients
from rivya_core.http.clients import Clients
from rivya_core.http.retry import RetryPolicy, send_with_retries

URL = "http://127.0.0.1:9/v1/models"
BOTH = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture(autouse=True)
def no_clients() -> Iterator[None]:
    """As in a new process."""
    clients._shared_client.cache_clear()
    clients._ssl_context.cache_clear()
    yield
    clients._shared_client.cache_clear()
    clients._ssl_context.cache_clear()


def ask(kind: str, own: Any = None) -> None:
    plan = send_with_retries(httpx.Request("GET", URL), RetryPolicy(0))
    if kind == "sync":
        Clients(sync=own).driver.run(plan)
        return

    async def aask() -> None:
        await Clients(asynchronous=own).async_driver.run(plan)

    asyncio.run(aask())


IGNORES_MISSING = pytest.mark.skipif(httpx.__version__.startswith("0.27."), reason="httpx 0.27 ignores a missing file")


@BOTH
@pytest.mark.parametrize("named", [pytest.param("missing.pem", marks=IGNORES_MISSING), "no_certificate.pem"])
def test_certificates_that_cannot_be_read(
    kind: str, named: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no_certificate.pem").write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / named))
    with pytest.raises(errors.ConfigurationError, match="`SSL_CERT_FILE` cannot be read"):
        ask(kind)


@BOTH
@pytest.mark.parametrize("proxy", ["foo://user:secret@host", ":::", "http://user:secret@[bad", "http://host:port"])
def test_a_proxy_that_is_none(kind: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(errors.RivyaError, match="proxy") as caught:
        ask(kind)
    assert "secret" not in str(caught.value)


@BOTH
def test_a_socks_proxy_without_its_package(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(errors.ConfigurationError, match=r"httpx\[socks\]"):
        ask(kind)


@BOTH
def test_a_proxy_that_does_not_answer_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    with pytest.raises(errors.APIConnectionError, match=r"through the proxy 127\.0\.0\.1:1 .*`HTTPS_PROXY`") as caught:
        ask(kind)
    assert "secret" not in str(caught.value)


@BOTH
def test_the_proxy_of_the_callers_own_client_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the environment's, which the client may not even read."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    client = (httpx.Client if kind == "sync" else httpx.AsyncClient)(proxy="http://user:secret@127.0.0.1:1")
    with pytest.raises(
        errors.APIConnectionError, match=r"through the proxy 127\.0\.0\.1:1 .*your own client"
    ) as caught:
        ask(kind, client)
    assert "secret" not in str(caught.value)


@BOTH
def test_a_client_that_is_closed(kind: str) -> None:
    if kind == "sync":
        client: Any = httpx.Client()
        client.close()
    else:
        client = httpx.AsyncClient()
        asyncio.run(client.aclose())
    with pytest.raises(errors.ConfigurationError, match="is closed; nothing was sent"):
        ask(kind, client)


def test_an_async_client_of_another_event_loop() -> None:
    """Anyio tells it in several ways, and not always before the request has left."""

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            raise RuntimeError("Event loop is closed")

    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        ask("async", httpx.AsyncClient(transport=Transport()))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_callers_own_failure_stays_what_it_is(kind: str) -> None:
    """An event hook may raise what it likes."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise LookupError("mine")

    transport = httpx.MockTransport(fail)
    client: Any = httpx.Client(transport=transport) if kind == "sync" else httpx.AsyncClient(transport=transport)
    with pytest.raises(LookupError, match="mine"):
        ask(kind, client)
