"""Downloads of results: complete, resumed, checked, safely named; no key is sent to another host."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_tools import ImageTools, image_file

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
PNG = image_file(size=(64, 64)) + b"\0" * 3000
Answer = Callable[[httpx.Request], httpx.Response]


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends early."""

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
    """A media host with scripted responses and byte ranges."""

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
def test_a_result_is_downloaded(tmp_path: Path, way: str, saved: bool) -> None:
    """To memory, or to a directory that is created, under a name with the suffix of its type."""
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
    """Neither the account's key nor a header or login of the application's client."""
    host = Host(httpx.Response(302, headers={"location": "https://cdn.test/x"}))
    host.fetch(way=way)

    assert ["media.test", "cdn.test"] == [request.url.host for request in host.requests]
    for request in host.requests:
        assert "secret" not in str(request.headers.raw)
        assert "authorization" not in request.headers


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("saved", [True, False])
def test_an_interrupted_download_continues(tmp_path: Path, way: str, saved: bool) -> None:
    host = Host()
    host.answers = [host.cut(1000), host.cut(500)]
    found = host.fetch(tmp_path if saved else None, way=way)

    content = found.path.read_bytes() if found.path else found.data
    assert PNG == content
    assert [None, "bytes=1000-", "bytes=1500-"] == [request.headers.get("range") for request in host.requests]
    assert '"v1"' == host.requests[1].headers["if-range"]


@pytest.mark.parametrize("etag", [b"\xff", '"\xe9"'.encode(), b'W/"v1"', b""])
def test_a_mark_that_cannot_be_asked_for_is_not_asked_for(etag: bytes) -> None:
    headers = [(b"content-type", b"image/png"), (b"etag", etag), (b"content-length", b"9" * 5000)]
    host = Host(httpx.Response(200, headers=headers, stream=Cut(PNG[:5])))
    found = host.fetch()

    assert PNG == found.data
    assert "if-range" not in host.requests[1].headers


@pytest.mark.parametrize("headers", [{}, {"content-range": "bytes 5-9/10"}, {"content-range": "nonsense"}])
def test_a_partial_image_is_never_returned(headers: dict[str, str]) -> None:
    """An image without its end still starts like an image."""
    part = httpx.Response(206, content=PNG[:100], headers={"content-type": "image/png"} | headers)

    assert PNG == Host(part).fetch().data


def test_short_ranges_are_continued() -> None:
    headers = {"content-type": "image/png", "content-range": f"bytes 0-99/{len(PNG)}"}

    assert PNG == Host(httpx.Response(206, content=PNG[:100], headers=headers)).fetch().data


def test_progress_resets_the_retries() -> None:
    """A download that makes progress is never abandoned, however often it is interrupted."""
    host = Host()
    host.answers = [host.cut(50) for _ in range(20)]

    assert PNG == host.fetch(retry=RetryPolicy(max_retries=1)).data


def test_another_process_continues_the_part_file(tmp_path: Path) -> None:
    """The bytes that a crashed process received are not downloaded again."""
    (tmp_path / ".name.part").write_bytes(PNG[:1200])
    host = Host()

    found = host.fetch(tmp_path)
    assert found.path is not None
    assert PNG == found.path.read_bytes()
    assert "bytes=1200-" == host.requests[0].headers["range"]
    assert ["name.png"] == names(tmp_path)


def test_a_complete_part_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".name.part").write_bytes(PNG)
    host = Host()

    assert len(PNG) == host.fetch(tmp_path).size
    assert 1 == len(host.requests)


def test_an_unrelated_part_file_is_replaced(tmp_path: Path) -> None:
    """A part file that is longer than the result, or unknown to the host, is not continued."""
    (tmp_path / ".name.part").write_bytes(b"x" * (len(PNG) + 5))

    assert len(PNG) == Host().fetch(tmp_path).size


@pytest.mark.parametrize("answer", [200, 206])
def test_a_host_without_ranges_sends_the_whole_again(answer: int) -> None:
    """A full body instead of a range, or a range with another start, does not duplicate bytes."""
    host = Host()
    headers = {"content-type": "image/png"} | ({"content-range": f"bytes 7-9/{len(PNG)}"} if answer == 206 else {})
    host.answers = [host.cut(1000), httpx.Response(answer, content=PNG if answer == 200 else b"abc", headers=headers)]

    assert PNG == host.fetch().data


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_transient_errors_are_retried(status: int) -> None:
    host = Host(httpx.Response(status, headers={"retry-after": "4"}), httpx.Response(status))

    assert PNG == host.fetch().data
    assert 4.0 <= host.slept[0] <= 5.0


def test_retries_end() -> None:
    host = Host(*[httpx.Response(500)] * 9)
    with pytest.raises(ResponseLostError, match="answered 500"):
        host.fetch(retry=RetryPolicy(max_retries=3))

    assert 4 == len(host.requests)


def test_an_unreachable_host_is_retried() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert PNG == Host(refuse, refuse).fetch().data


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_missing_result_is_not_retried(status: int) -> None:
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
def test_a_file_that_is_not_an_image_is_not_kept(
    tmp_path: Path, headers: dict[str, str], content: bytes, said: str
) -> None:
    stream = httpx.ByteStream(content)
    host = Host(httpx.Response(200, stream=stream, headers=headers))
    with pytest.raises(InvalidResponseError, match=said):
        host.fetch(tmp_path)

    assert not [name for name in names(tmp_path) if not name.startswith(".")]


def test_a_body_without_a_length_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that never stops sending fills no disk and leaves no part file."""
    monkeypatch.setattr(downloads, "LARGEST_RESULT", 5000)
    endless = httpx.Response(200, content=iter([PNG[:2000]] * 10), headers={"content-type": "image/png"})
    with pytest.raises(InvalidResponseError, match="5,000 bytes allowed"):
        Host(endless).fetch(tmp_path)

    assert names(tmp_path) == []


def test_a_slow_body_ends_at_the_deadline() -> None:
    """The time for the whole result is limited, not only the time between two reads."""
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
def test_a_disallowed_result_url_is_refused(url: str) -> None:
    """In the URL and after a redirect; names are resolved and every address is checked."""
    rules = FetchRules(resolve=resolve_here)
    host = Host()
    with pytest.raises(InvalidResponseError, match="disallowed result URL") as caught:
        host.fetch(url=url, rules=rules)
    assert not host.requests
    assert "secret" not in str(caught.value)

    # The first of these is relative in a redirect; httpx itself refuses the second as an invalid response.
    if url.startswith(("http", "ftp", "file")) and url not in {"https:///x", "https://media.test:notaport/"}:
        with pytest.raises(InvalidResponseError):
            Host(httpx.Response(302, headers={"location": url})).fetch(url="https://8.8.8.8/a", rules=rules)


def resolve_here(host: str, port: int) -> list[str]:
    """Resolve names as this machine does: old spellings of addresses, and names that lead to it."""
    if host in {"own-host-name", "metadata.google.internal", "localhost"}:
        return ["127.0.0.1"]
    return resolve(host, port)


def test_a_result_is_fetched_from_the_address_that_was_checked() -> None:
    """A name that resolves to another address a moment later has no effect."""
    host = Host()
    found = host.fetch(rules=FetchRules(resolve=lambda *_: ["93.184.216.34"]))

    (request,) = host.requests
    assert found.data == PNG
    assert request.url.host == "93.184.216.34"
    assert request.extensions["sni_hostname"] == request.headers["host"] == "media.test"


def test_a_proxy_resolves_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is not public is refused even then."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    host = Host()
    host.fetch(rules=FetchRules(resolve=lambda *_: pytest.fail("resolved here")))

    assert host.requests[0].url.host == "media.test"
    for url in ("https://127.1/x", "https://2130706433/x", "https://[::1]/x", "https://localhost/x"):
        with pytest.raises(InvalidResponseError):
            Host().fetch(url=url)


@pytest.mark.parametrize("url", ["https://nas.local/x", "https://intranet/x", "https://127.1/x", "https://[::1]/x"])
def test_a_proxy_is_not_used_for_private_hosts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    host = Host()
    with pytest.raises(InvalidResponseError, match="disallowed result URL"):
        host.fetch(url=url)

    assert not host.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_trusted_media_host_may_be_private(scheme: str) -> None:
    """Its name is not resolved here."""
    host = Host()
    rules = FetchRules(trusted_hosts=frozenset({"media.intranet"}), resolve=lambda *_: pytest.fail("resolved"))

    assert PNG == host.fetch(url=f"{scheme}://media.intranet:8000/x", rules=rules).data
    assert "media.intranet" == host.requests[0].url.host


def test_the_apis_host_keeps_tls() -> None:
    with pytest.raises(InvalidResponseError, match="only https"):
        Host().fetch(url="http://api.test/x")


def test_a_failed_name_lookup_is_retried() -> None:
    """The result has been charged; a failing name service must not lose it."""
    found = iter([OSError("try again"), ["93.184.216.34"]])

    def hiccup(*_: Any) -> list[str]:
        outcome = next(found)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    assert PNG == Host().fetch(rules=FetchRules(resolve=hiccup)).data


def test_an_invalid_host_name_is_refused() -> None:
    with pytest.raises(InvalidResponseError, match="disallowed result URL"):
        Host().fetch(url="https://" + "a" * 70 + ".test/x")


def test_the_apis_host_may_serve_results() -> None:
    """A local service without TLS serves its results without TLS, from any port."""
    plan = download("http://127.0.0.1:9999/x", "n", None, "http://127.0.0.1:8008/api/v1")
    client = httpx.Client(transport=httpx.MockTransport(Host()))

    assert PNG == Driver(lambda: client).run(plan).data


def test_redirects_are_limited() -> None:
    loop = [httpx.Response(302, headers={"location": "/again"})] * 9
    with pytest.raises(InvalidResponseError, match="redirects more than 5"):
        Host(*loop).fetch()


def test_existing_files_are_not_replaced(tmp_path: Path) -> None:
    """Unless the file is the same image."""
    (tmp_path / "name.png").write_bytes(b"mine")
    first, again = Host().fetch(tmp_path), Host().fetch(tmp_path)

    assert tmp_path / "name-2.png" == first.path == again.path
    assert b"mine" == (tmp_path / "name.png").read_bytes()
    assert ["name-2.png", "name.png"] == names(tmp_path)


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    """Neither for the part file nor for the image."""
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


def test_a_file_system_without_hard_links_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "name.png").write_bytes(b"mine")

    assert tmp_path / "name-2.png" == Host().fetch(tmp_path).path
    assert b"mine" == (tmp_path / "name.png").read_bytes()


def test_a_part_file_of_another_process_is_not_touched(tmp_path: Path) -> None:
    with (tmp_path / ".name.part").open("wb") as others:
        others.write(b"half of it")
        others.flush()
        fcntl.flock(others, fcntl.LOCK_EX)
        found = Host().fetch(tmp_path)

    assert found.path is not None
    assert PNG == found.path.read_bytes()
    assert b"half of it" == (tmp_path / ".name.part").read_bytes()


def test_a_part_file_that_was_renamed_meanwhile_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may rename the part file between this one's open and lock."""
    part, lock = tmp_path / ".name.part", downloads._lock
    part.write_bytes(PNG)

    def finish_first(file: Any) -> bool:
        if part.exists() and not (tmp_path / "name.png").exists():
            part.rename(tmp_path / "name.png")
        return lock(file)

    monkeypatch.setattr(downloads, "_lock", finish_first)
    assert tmp_path / "name.png" == Host().fetch(tmp_path).path
    assert PNG == (tmp_path / "name.png").read_bytes()


def test_systems_without_locks_and_open_renames_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "HAS_LOCKS", False)

    assert tmp_path / "name.png" == Host().fetch(tmp_path).path


def test_a_directory_that_cannot_be_created_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"`output_dir`.*cannot be created"):
        Host().fetch(tmp_path / "file" / "out")


def test_a_directory_that_is_not_writable_is_refused_before_a_charge(
    box: Sandbox, tools: ImageTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be created"):
        tools.generate(tools.tool(output_dir=tmp_path / "file" / "out"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="is not writable"):
        tools.generate(tools.tool(output_dir=tmp_path))

    assert not box.ledger()


def test_an_invalid_redirect_is_refused() -> None:
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
