"""Images that are named by URL: what is refused before a packet leaves, and where the connection really goes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from image_tools import image_file

from rivya_core.errors import InvalidInputError
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.hosts import is_public
from rivya_core.http.retry import RetryPolicy
from rivya_core.media.fetch_url import FetchRules, fetch_image, resolve
from rivya_core.providers import RIVYA
from rivya_core.types import Media
from rivya_sandbox import Fault, Sandbox

PNG = image_file()
PUBLIC = "93.184.215.14"
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "not an address",
]


class Web:
    """The internet: what hosts resolve to, and what they answer."""

    def __init__(self, *answers: httpx.Response, addresses: list[list[str]] | None = None) -> None:
        self.answers, self.addresses = [*answers], addresses or [[PUBLIC]]
        self.requests: list[httpx.Request] = []
        self.asked: list[str] = []

    def resolve(self, host: str, _: int) -> list[str]:
        self.asked.append(host)
        return self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        default = httpx.Response(200, content=PNG, headers={"content-type": "image/png"})
        return self.answers.pop(0) if self.answers else default

    def fetch(self, url: str, way: str = "sync", **rules: Any) -> Media:
        plan = fetch_image(url, FetchRules(**{"allowed": True, "resolve": self.resolve} | rules), RetryPolicy(1))
        transport = httpx.MockTransport(self)
        headers = {"authorization": "Bearer secret"}
        if way == "async":
            client = httpx.AsyncClient(transport=transport, headers=headers, follow_redirects=True)
            return asyncio.run(AsyncDriver(lambda: client, asyncio.sleep).run(plan))
        client = httpx.Client(transport=transport, headers=headers, follow_redirects=True)
        return Driver(lambda: client, lambda _: None).run(plan)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_connects_to_the_checked_address_under_the_hosts_name(way: str) -> None:
    """One resolution; the name goes into TLS and `Host`, the address into the connection, which is not kept."""
    web = Web()
    media = web.fetch("https://example.com:8443/a.png?b=c", way)

    assert (PNG, "image/png") == (media.data, media.mime_type)
    assert ["example.com"] == web.asked
    (request,) = web.requests
    assert f"https://{PUBLIC}:8443/a.png?b=c" == str(request.url)
    assert ("example.com:8443", "close") == (request.headers["host"], request.headers["connection"])
    assert "example.com" == request.extensions["sni_hostname"]
    assert "authorization" not in request.headers


def test_a_name_that_changes_its_address_gains_nothing() -> None:
    """The second answer of a rebinding name is never asked for."""
    web = Web(addresses=[[PUBLIC], ["127.0.0.1"]])
    web.fetch("https://rebind.test/x")

    assert PUBLIC == web.requests[0].url.host
    assert 1 == len(web.asked)


def test_an_address_that_does_not_answer_gives_way_to_the_next() -> None:
    """A machine without IPv6 reaches a host that has both; each address was checked."""
    web = Web(httpx.Response(503), addresses=[["2606:4700::1111", PUBLIC]])
    web.fetch("https://example.com/x")

    assert ["2606:4700::1111", PUBLIC] == [request.url.host for request in web.requests]


def test_international_names_and_ipv6_are_reached() -> None:
    web = Web(addresses=[["2606:4700::1111"]])
    web.fetch("https://bücher.example/x")

    assert "2606:4700::1111" == web.requests[0].url.host
    assert "xn--bcher-kva.example" == web.requests[0].headers["host"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_host_with_a_private_address_is_refused(address: str) -> None:
    """Also if another of its addresses is public, and also at the end of a redirect."""
    assert not is_public(address)
    web = Web(addresses=[[PUBLIC, address]])
    with pytest.raises(InvalidInputError, match="not a public one"):
        web.fetch("https://innocent.test/x")
    assert not web.requests

    web = Web(httpx.Response(302, headers={"location": "https://evil.test/"}), addresses=[[PUBLIC], [address]])
    with pytest.raises(InvalidInputError, match="not a public one"):
        web.fetch("https://innocent.test/x")
    assert 1 == len(web.requests)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://localhost/",
    ],
)
def test_odd_ways_to_write_this_machine_are_refused(url: str) -> None:
    """They go through the system's own resolution."""
    web = Web()
    with pytest.raises(InvalidInputError, match="not allowed"):
        web.fetch(url, resolve=resolve)

    assert not web.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user:secret@example.com/",
        "https:///path",
        "https://exa mple.com/",
        "https://example.com\r\nhost: evil/",
        "https://[::1/",
        "https://example.com:99999/",
        "https://" + "a" * 9000,
    ],
)
def test_what_is_not_a_plain_https_url_is_refused(url: str) -> None:
    web = Web()
    with pytest.raises(InvalidInputError, match="not allowed") as caught:
        web.fetch(url)

    assert not web.requests
    assert not web.asked
    assert "secret" not in str(caught.value)


def test_a_redirect_away_from_https_is_refused() -> None:
    web = Web(httpx.Response(301, headers={"location": "http://example.com/x"}))
    with pytest.raises(InvalidInputError, match="only https"):
        web.fetch("https://example.com/x")


def test_redirects_to_public_hosts_are_followed_and_end() -> None:
    web = Web(httpx.Response(302, headers={"location": "//cdn.test/y"}))
    assert PNG == web.fetch("https://example.com/x").data
    assert ["example.com", "cdn.test"] == web.asked

    web = Web(*[httpx.Response(302, headers={"location": "/again"})] * 9)
    with pytest.raises(InvalidInputError, match="redirects more than"):
        web.fetch("https://example.com/x")


def test_fetching_is_off_unless_it_is_switched_on() -> None:
    web = Web()
    with pytest.raises(InvalidInputError, match="fetch_image_urls=True"):
        web.fetch("https://example.com/x", allowed=False)

    assert not web.asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, content=PNG + b"x" * 600, headers={"content-type": "image/png"}), "500 bytes"),
        (httpx.Response(200, content=iter([b"x" * 99] * 9), headers={"content-type": "image/png"}), "500 bytes"),
        (httpx.Response(200, content=b"<html>", headers={"content-type": "text/html"}), "text/html"),
        (httpx.Response(200, content=b"GIF89a", headers={"content-type": "image/gif"}), "one of image/jpeg"),
        (httpx.Response(404), "404"),
    ],
)
def test_what_is_no_image_of_the_right_size_is_refused(answer: httpx.Response, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        Web(answer).fetch("https://example.com/x", largest=500)


def test_a_slow_host_is_given_up() -> None:
    times = iter([0.0, 0.0, 99.0, 99.0, 99.0])
    with pytest.raises(InvalidInputError, match="too long"):
        Web().fetch("https://example.com/x", seconds=5.0, clock=lambda: next(times))


def test_a_host_that_does_not_exist_is_named_as_such() -> None:
    def nowhere(*_: Any) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(InvalidInputError, match="cannot be found"):
        Web().fetch("https://example.com/x", resolve=nowhere)
    with pytest.raises(InvalidInputError, match="not a public one"):
        Web().fetch("https://example.com/x", resolve=lambda *_: [])


def test_transient_errors_are_retried() -> None:
    assert PNG == Web(httpx.Response(503)).fetch("https://example.com/x").data


def test_a_host_that_the_application_vouches_for_is_reached(sandbox: Sandbox) -> None:
    """Private, without TLS, on any port; but no other host is."""
    sandbox.fault(Fault(path="/media", status=200, body=PNG, headers={"content-type": "image/png"}))
    endpoint = Endpoint(RIVYA, sandbox.url)
    rules = FetchRules(allowed=True, trusted_hosts=frozenset({"127.0.0.1"}))
    with httpx.Client() as client:
        run = Driver(lambda: client).run
        assert PNG == run(fetch_image(f"{endpoint.base_url}/media/x.png", rules, RetryPolicy())).data
        with pytest.raises(InvalidInputError, match="only https"):
            run(fetch_image(endpoint.base_url.replace("127.0.0.1", "localhost"), rules, RetryPolicy()))


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "DATA:image/png;base64,iVBORw0KGgo="])
def test_data_urls_need_no_permission(url: str) -> None:
    assert b"\x89PNG\r\n\x1a\n" == Web().fetch(url, allowed=False).data


def test_a_data_url_that_cannot_be_read_is_a_clear_error() -> None:
    with pytest.raises(InvalidInputError, match="valid base64"):
        Web().fetch("data:image/png;base64,!!!")
