"""Results on their way home: whole, resumed, checked, safely named; and no key to a foreign host."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_generator import Studio, picture_file

from rivya_core.errors import APIError, ConfigurationError, InvalidResponseError, ResponseLostError, RivyaError
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.retry import RetryPolicy
from rivya_core.images import downloads
from rivya_core.images.downloads import Downloaded, download, safe_name
from rivya_core.media import download as receiving
from rivya_core.media.fetch_url import FetchRules, resolve
from rivya_sandbox import Sandbox

URL = "https://media.test/result"
BASE = "https://api.test/v1"
PNG = picture_file(size=(64, 64)) + b"\0" * 3000
Answer = Callable[[httpx.Request], httpx.Response]


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, *pieces: bytes, after: Callable[[], None] = lambda: None) -> None:
        self.pieces, self.after = pieces, after

    def __iter__(self) -> Any:
        yield from self.pieces
        self.after()
        raise httpx.ReadError("cut")

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


class Host:
    """A media host that answers by script, with byte ranges."""

    def __init__(self, *answers: Answer | httpx.Response, content: bytes = PNG, etag: str = '"v1"') -> None:
        self.answers, self.content, self.etag = [*answers], content, etag
        self.requests: list[httpx.Request] = []
        self.now, self.slept = 0.0, list[float]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else self.serve
        return answer(request) if callable(answer) else answer

    def serve(self, request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        headers = {"content-type": "image/png", "etag": self.etag}
        if not start:
            return httpx.Response(200, content=self.content, headers=headers)
        if start >= len(self.content):
            return httpx.Response(416, headers={"content-range": f"bytes */{len(self.content)}"})
        headers["content-range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        return httpx.Response(206, content=self.content[start:], headers=headers)

    def cut(self, length: int) -> Answer:
        def answer(request: httpx.Request) -> httpx.Response:
            whole = self.serve(request)
            return httpx.Response(whole.status_code, headers=whole.headers, stream=Cut(whole.content[:length]))

        return answer

    def fetch(self, directory: Path | None = None, url: str = URL, *, way: str = "sync", **options: Any) -> Downloaded:
        options.setdefault("rules", FetchRules(trusted_hosts=frozenset({"media.test", "cdn.test"})))
        plan = download(url, "name", directory, BASE, clock=lambda: self.now, **options)
        transport = httpx.MockTransport(self)
        headers = {"authorization": "Bearer rvya_sk_secret", "x-own": "secret"}
        if way == "sync":
            client = httpx.Client(transport=transport, headers=headers, auth=("user", "secret"), follow_redirects=True)
            return Driver(lambda: client, self.sleep).run(plan)
        return asyncio.run(self.afetch(plan, httpx.AsyncClient(transport=transport, headers=headers, auth=("u", "s"))))

    async def afetch(self, plan: Any, client: httpx.AsyncClient) -> Downloaded:
        return await AsyncDriver(lambda: client, self.asleep).run(plan)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("saved", [True, False])
def test_a_result_comes_whole(tmp_path: Path, way: str, saved: bool) -> None:
    """It is in memory, or in a directory that is made for it, under a name with the suffix of its type."""
    found = Host().fetch(tmp_path / "new" / "out" if saved else None, way=way)

    assert ("image/png", len(PNG)) == (found.mime_type, found.size)
    if saved:
        assert tmp_path / "new" / "out" / "name.png" == found.path
        assert PNG == found.path.read_bytes()
        assert ["name.png"] == names(tmp_path / "new" / "out")
    else:
        assert PNG == found.data


@pytest.mark.parametrize("way", ["sync", "async"])
def test_no_key_reaches_the_media_host(way: str) -> None:
    """Not the account's, nor any header or login of the application's own client."""
    host = Host(httpx.Response(302, headers={"location": "https://cdn.test/x"}))
    host.fetch(way=way)

    assert ["media.test", "cdn.test"] == [request.url.host for request in host.requests]
    for request in host.requests:
        assert "secret" not in str(request.headers.raw)
        assert "authorization" not in request.headers


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("saved", [True, False])
def test_a_broken_download_is_taken_up_where_it_broke(tmp_path: Path, way: str, saved: bool) -> None:
    host = Host()
    host.answers = [host.cut(1000), host.cut(500)]
    found = host.fetch(tmp_path if saved else None, way=way)

    content = found.path.read_bytes() if found.path else found.data
    assert PNG == content
    assert [None, "bytes=1000-", "bytes=1500-"] == [request.headers.get("range") for request in host.requests]
    assert '"v1"' == host.requests[1].headers["if-range"]


@pytest.mark.parametrize("headers", [{}, {"content-range": "bytes 5-9/10"}, {"content-range": "nonsense"}])
def test_a_part_of_nobody_knows_what_is_never_taken_for_the_whole(headers: dict[str, str]) -> None:
    """A picture that lacks its end would still look like one."""
    part = httpx.Response(206, content=PNG[:100], headers={"content-type": "image/png"} | headers)

    assert PNG == Host(part).fetch().data


def test_a_host_that_sends_ever_so_little_is_asked_for_the_rest() -> None:
    headers = {"content-type": "image/png", "content-range": f"bytes 0-99/{len(PNG)}"}

    assert PNG == Host(httpx.Response(206, content=PNG[:100], headers=headers)).fetch().data


def test_every_step_ahead_renews_the_patience() -> None:
    """However often it breaks, a download that comes on is not given up."""
    host = Host()
    host.answers = [host.cut(50) for _ in range(20)]

    assert PNG == host.fetch(retry=RetryPolicy(max_retries=1)).data


def test_a_later_process_goes_on_from_the_part(tmp_path: Path) -> None:
    """What a crashed process had fetched is not fetched again."""
    (tmp_path / ".name.part").write_bytes(PNG[:1200])
    host = Host()

    found = host.fetch(tmp_path)
    assert found.path is not None
    assert PNG == found.path.read_bytes()
    assert "bytes=1200-" == host.requests[0].headers["range"]
    assert ["name.png"] == names(tmp_path)


def test_a_part_that_was_already_whole_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".name.part").write_bytes(PNG)
    host = Host()

    assert len(PNG) == host.fetch(tmp_path).size
    assert 1 == len(host.requests)


def test_a_part_of_something_else_is_fetched_anew(tmp_path: Path) -> None:
    """A part that is longer than the result, or that the host knows nothing of, is not glued to it."""
    (tmp_path / ".name.part").write_bytes(b"x" * (len(PNG) + 5))

    assert len(PNG) == Host().fetch(tmp_path).size


@pytest.mark.parametrize("answer", [200, 206])
def test_a_host_without_ranges_sends_the_whole_again(answer: int) -> None:
    """A whole body in place of a part, or a part that begins elsewhere, does not double bytes."""
    host = Host()
    headers = {"content-type": "image/png"} | ({"content-range": f"bytes 7-9/{len(PNG)}"} if answer == 206 else {})
    host.answers = [host.cut(1000), httpx.Response(answer, content=PNG if answer == 200 else b"abc", headers=headers)]

    assert PNG == host.fetch().data


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_passing_trouble_is_ridden_out(status: int) -> None:
    host = Host(httpx.Response(status, headers={"retry-after": "4"}), httpx.Response(status))

    assert PNG == host.fetch().data
    assert 4.0 <= host.slept[0] <= 5.0


def test_retries_end() -> None:
    host = Host(*[httpx.Response(500)] * 9)
    with pytest.raises(ResponseLostError, match="answered 500"):
        host.fetch(retry=RetryPolicy(max_retries=3))

    assert 4 == len(host.requests)


def test_a_host_that_cannot_be_reached_is_tried_again() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert PNG == Host(refuse, refuse).fetch().data


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_result_that_is_gone_is_not_asked_for_again(status: int) -> None:
    host = Host(httpx.Response(status))
    with pytest.raises(APIError, match=f"media.test answered {status}") as caught:
        host.fetch(url=URL + "?signature=secret")

    assert status == caught.value.status
    assert 1 == len(host.requests)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "content", "said"),
    [
        ({"content-type": "text/html"}, b"<html>", "'text/html' where an image"),
        ({"content-type": "application/json"}, b"{}", "where an image"),
        ({"content-type": "image/png", "content-encoding": "gzip"}, PNG, "where an image"),
        ({"content-type": "image/png"}, b"GIF89a" + b"x" * 99, "not a PNG, JPEG or WebP"),
        ({"content-type": "application/octet-stream"}, b"MZ" + b"x" * 99, "not a PNG, JPEG or WebP"),
        ({"content-type": "image/png", "content-length": str(10**12)}, PNG, "more than the"),
    ],
)
def test_what_is_no_image_is_not_kept(tmp_path: Path, headers: dict[str, str], content: bytes, said: str) -> None:
    stream = httpx.ByteStream(content)
    host = Host(httpx.Response(200, stream=stream, headers=headers))
    with pytest.raises(InvalidResponseError, match=said):
        host.fetch(tmp_path)

    assert not [name for name in names(tmp_path) if not name.startswith(".")]


def test_a_body_without_a_length_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that never stops sending fills no disk, and leaves no part behind."""
    monkeypatch.setattr(downloads, "LARGEST_RESULT", 5000)
    endless = httpx.Response(200, content=iter([PNG[:2000]] * 10), headers={"content-type": "image/png"})
    with pytest.raises(InvalidResponseError, match="5,000 bytes allowed"):
        Host(endless).fetch(tmp_path)

    assert names(tmp_path) == []


def test_a_body_that_dribbles_is_given_up() -> None:
    """The time for one result is limited as a whole, not only between two reads."""
    host = Host()

    def late() -> None:
        host.now += 10_000

    host.answers = [httpx.Response(200, stream=Cut(PNG[:100], after=late)), host.serve]
    with pytest.raises(RivyaError):
        host.fetch()


@pytest.mark.parametrize(
    "url",
    [
        "http://media.test/x",
        "ftp://media.test/x",
        "file:///etc/passwd",
        "https://user:secret@media.test/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://localhost/x",
        "https://metadata.google.internal/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://127.1/x",
        "https://own-host-name/x",
        "https:///x",
        "//media.test/x",
        "https://media.test:notaport/",
        "https://[broken",
        "",
    ],
)
def test_a_place_where_no_result_can_be_is_refused(url: str) -> None:
    """Directly, and at the end of a redirect; names are resolved and every address is checked."""
    rules = FetchRules(resolve=resolve_here)
    host = Host()
    with pytest.raises(InvalidResponseError, match="disallowed result URL") as caught:
        host.fetch(url=url, rules=rules)
    assert not host.requests
    assert "secret" not in str(caught.value)

    # The first of these is relative in a redirect, the other httpx itself takes for a broken answer.
    if url.startswith(("http", "ftp", "file")) and url not in {"https:///x", "https://media.test:notaport/"}:
        with pytest.raises(InvalidResponseError):
            Host(httpx.Response(302, headers={"location": url})).fetch(url="https://8.8.8.8/a", rules=rules)


def resolve_here(host: str, port: int) -> list[str]:
    """What this machine resolves: old spellings of addresses, and names that lead to it."""
    if host in {"own-host-name", "metadata.google.internal", "localhost"}:
        return ["127.0.0.1"]
    return resolve(host, port)


def test_a_result_is_fetched_from_the_address_that_was_checked() -> None:
    """A name that resolves to another address a moment later gains nothing."""
    host = Host()
    found = host.fetch(rules=FetchRules(resolve=lambda *_: ["93.184.216.34"]))

    (request,) = host.requests
    assert found.data == PNG
    assert request.url.host == "93.184.216.34"
    assert request.extensions["sni_hostname"] == request.headers["host"] == "media.test"


def test_behind_a_proxy_the_name_goes_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy resolves it; an address that is not public is refused all the same."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    host = Host()
    host.fetch(rules=FetchRules(resolve=lambda *_: pytest.fail("resolved here")))

    assert host.requests[0].url.host == "media.test"
    for url in ("https://127.1/x", "https://2130706433/x", "https://[::1]/x", "https://localhost/x"):
        with pytest.raises(InvalidResponseError):
            Host().fetch(url=url)


@pytest.mark.parametrize("url", ["https://nas.local/x", "https://intranet/x", "https://127.1/x", "https://[::1]/x"])
def test_a_proxy_is_not_asked_for_ones_own_network(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    host = Host()
    with pytest.raises(InvalidResponseError, match="disallowed result URL"):
        host.fetch(url=url)

    assert not host.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_media_host_of_ones_own_is_named_in_the_rules(scheme: str) -> None:
    """It may be private, and its name is not resolved here."""
    host = Host()
    rules = FetchRules(trusted_hosts=frozenset({"media.intranet"}), resolve=lambda *_: pytest.fail("resolved"))

    assert PNG == host.fetch(url=f"{scheme}://media.intranet:8000/x", rules=rules).data
    assert "media.intranet" == host.requests[0].url.host


def test_the_apis_own_host_is_not_asked_without_tls_if_the_api_has_it() -> None:
    with pytest.raises(InvalidResponseError, match="only https"):
        Host().fetch(url="http://api.test/x")


def test_a_name_that_is_not_found_is_tried_again() -> None:
    """A result is paid for; a hiccup of the name service does not lose it."""
    found = iter([OSError("try again"), ["93.184.216.34"]])

    def hiccup(*_: Any) -> list[str]:
        outcome = next(found)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    assert PNG == Host().fetch(rules=FetchRules(resolve=hiccup)).data


def test_a_host_name_that_no_request_can_carry_is_refused() -> None:
    with pytest.raises(InvalidResponseError, match="disallowed result URL"):
        Host().fetch(url="https://" + "a" * 70 + ".test/x")


def test_the_apis_own_host_may_serve_results_as_it_is_reached() -> None:
    """A local service without TLS serves its results without it too, from any port."""
    plan = download("http://127.0.0.1:9999/x", "n", None, "http://127.0.0.1:8008/api/v1")
    client = httpx.Client(transport=httpx.MockTransport(Host()))

    assert PNG == Driver(lambda: client).run(plan).data


def test_redirects_end() -> None:
    loop = [httpx.Response(302, headers={"location": "/again"})] * 9
    with pytest.raises(InvalidResponseError, match="redirects more than 5"):
        Host(*loop).fetch()


def test_names_are_taken_by_nobody_else(tmp_path: Path) -> None:
    """A file that is there already is left alone, unless it is this very picture."""
    (tmp_path / "name.png").write_bytes(b"mine")
    first, again = Host().fetch(tmp_path), Host().fetch(tmp_path)

    assert tmp_path / "name-2.png" == first.path == again.path
    assert b"mine" == (tmp_path / "name.png").read_bytes()
    assert ["name-2.png", "name.png"] == names(tmp_path)


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """Neither as the part nor as the picture's name."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / "name.png").symlink_to(victim)
    found = Host().fetch(out)
    assert out / "name-2.png" == found.path

    (out / ".name.part").symlink_to(victim)
    with pytest.raises(OSError, match=r"\.name\.part"):
        Host().fetch(out)
    assert b"precious" == victim.read_bytes()


def test_a_disk_without_hard_links_serves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "name.png").write_bytes(b"mine")

    assert tmp_path / "name-2.png" == Host().fetch(tmp_path).path
    assert b"mine" == (tmp_path / "name.png").read_bytes()


def test_a_part_that_another_process_writes_is_left_to_it(tmp_path: Path) -> None:
    with (tmp_path / ".name.part").open("wb") as others:
        others.write(b"half of it")
        others.flush()
        fcntl.flock(others, fcntl.LOCK_EX)
        found = Host().fetch(tmp_path)

    assert found.path is not None
    assert PNG == found.path.read_bytes()
    assert b"half of it" == (tmp_path / ".name.part").read_bytes()


def test_a_part_that_was_finished_while_we_waited_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may give the part its name between our opening and our lock."""
    part, lock = tmp_path / ".name.part", downloads._lock
    part.write_bytes(PNG)

    def finish_first(file: Any) -> bool:
        if part.exists() and not (tmp_path / "name.png").exists():
            part.rename(tmp_path / "name.png")
        return lock(file)

    monkeypatch.setattr(downloads, "_lock", finish_first)
    assert tmp_path / "name.png" == Host().fetch(tmp_path).path
    assert PNG == (tmp_path / "name.png").read_bytes()


def test_systems_without_locks_and_open_renames_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "HAS_LOCKS", False)

    assert tmp_path / "name.png" == Host().fetch(tmp_path).path


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"`output_dir`.*cannot be made"):
        Host().fetch(tmp_path / "file" / "out")


def test_a_directory_that_cannot_be_written_to_is_said_before_anything_is_paid(
    box: Sandbox, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        studio.generate(studio.tool(output_dir=tmp_path / "file" / "out"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        studio.generate(studio.tool(output_dir=tmp_path))

    assert not box.ledger()


def test_a_redirect_to_nowhere_is_left_to_the_check() -> None:
    assert "https://[broken" == receiving._joined(URL, "https://[broken")


@pytest.mark.parametrize(
    ("model", "safe"),
    [
        ("gpt-image-2", "gpt-image-2-img-1a2b"),
        ("../../etc/passwd", "etc-passwd-img-1a2b"),
        ("C:\\con:|?*", "C-con-img-1a2b"),
        ("", "image-img-1a2b"),
        ("…", "image-img-1a2b"),
        ("x" * 500, "x" * 60 + "-img-1a2b"),
    ],
)
def test_names_are_safe_everywhere(model: str, safe: str) -> None:
    assert safe == safe_name(model, "img_1a2b")
