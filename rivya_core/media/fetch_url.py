"""Fetching what a message, a model's argument or a server's response names by URL.

Such URLs are hostile: they may be meant to reach what only this machine can reach. So only https and only public
addresses are allowed, every redirect is checked again, and size and time are limited. A name is resolved once, every
address it has is checked, and the connection goes to a checked address with the name in TLS and `Host`; resolving it
again could give another address.
Through a proxy of the environment the name goes to the proxy, which resolves it; then only addresses are checked here.
A client of the application's own with a proxy cannot be bound to an address: its certificate check fails, and the
image is refused unless its host is trusted.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from rivya_core.errors import APIConnectionError, InvalidInputError, RivyaError
from rivya_core.http.hosts import is_local_name, is_public
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan, call
from rivya_core.http.proxies import proxy_for
from rivya_core.http.retry import RetryPolicy
from rivya_core.media.download import DownloadTarget, download_to
from rivya_core.media.image_file import check_image
from rivya_core.types import Media

MEGABYTE = 1024 * 1024
LONGEST_URL = 8192
LONGEST_LABEL = 63
HTTPS_PORT = 443


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of *host*, in the order to try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Which URLs may be fetched: those that messages and models name, and those of an image's results.

    Attributes:
        allowed: Whether messages and models may name images by URL. Results are fetched in any case.
        trusted_hosts: Hosts, as written in the URL, that the application trusts: they may be private, without TLS and
            on any port, for example `127.0.0.1` or a media server of your own.
        largest: Bytes that an image may have.
        seconds: How long one image may take, with redirects.
        resolve: Finds the addresses of a host.
        clock: Gives the time in seconds.
    """

    allowed: bool = False
    trusted_hosts: frozenset[str] = frozenset()
    largest: int = 10 * MEGABYTE
    seconds: float = 30.0
    resolve: Callable[[str, int], list[str]] = field(default=resolve, compare=False, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, compare=False, repr=False)


RULES = {True: FetchRules(allowed=True), False: FetchRules()}
"""By whether messages and models may name images by URL."""


def fetch_image(url: str, rules: FetchRules, retry: RetryPolicy) -> Plan[Media]:
    """Return the image at *url*, an https or `data:` URL.

    Raises:
        InvalidInputError: The rules do not allow it, it cannot be fetched, or it is not an image; nothing was sent to
            the provider.
    """
    if url[:5].lower() == "data:":
        return data_url(url)
    if "://" not in url or (url[:5].lower() == "file:" and not rules.allowed):
        raise InvalidInputError(
            f"The message names an image by {url[:100]!r}, which is not a URL. Read the file and pass its bytes. "
            "Nothing was sent."
        )
    if not rules.allowed:
        raise InvalidInputError(
            "The message names an image by URL, and fetching is not allowed: pass the bytes, or set "
            "`fetch_image_urls=True`. Nothing was sent."
        )
    file = io.BytesIO()
    target = DownloadTarget(file, rules.largest, rules.clock() + rules.seconds, rules.clock)
    try:
        yield from download_to(url, PinnedRequests(rules, _refused).request, target, retry)
    except InvalidInputError:
        raise
    except RivyaError as error:
        raise InvalidInputError(f"The image could not be fetched: {error} Nothing was sent.") from error
    data = file.getvalue()
    return Media("image", data=data, mime_type=check_image(data, rules.largest))


def data_url(url: str) -> Media:
    """Return the image in a `data:` URL.

    Raises:
        InvalidInputError: It cannot be decoded.
    """
    head, _, payload = url.partition(",")
    mime_type = head[5:].partition(";")[0] or None
    try:
        data = base64.b64decode(payload, validate=True) if head.endswith(";base64") else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        raise InvalidInputError("A `data:` URL in a message is not valid base64; nothing was sent.") from None
    return Media("image", data=data, mime_type=mime_type)


HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]+", re.ASCII)


class PinnedRequests:
    """The requests of one fetch; each goes to an address that was checked for it.

    Args:
        rules: Which hosts the application trusts; other hosts must be public and are asked by https.
        refuse: Makes the error of a URL that is not allowed, from the reason.
        own_url: The API's base URL. Its host is trusted, without TLS only if the API itself is reached without.
    """

    def __init__(self, rules: FetchRules, refuse: Callable[[str], RivyaError], own_url: str = "") -> None:
        self._rules, self._refuse, self._tried = rules, refuse, Counter[str]()
        own = httpx.URL(own_url)
        self._own_host, self._own_scheme = _host_of(own), own.scheme

    def request(self, url: str) -> Plan[httpx.Request]:
        """Return the request for *url*; a repetition takes the host's next address.

        Raises:
            APIConnectionError: The host cannot be found.
            RivyaError: *url* is not allowed.
        """
        host, port = self._checked(url)
        headers = {"accept": "image/*", "accept-encoding": "identity", "user-agent": "rivya-integrations"}
        limits = httpx.Timeout(self._rules.seconds, connect=min(10.0, self._rules.seconds)).as_dict()
        plain = httpx.Request("GET", url, headers=headers, extensions={"timeout": limits})
        if self._is_trusted(host):
            return plain
        if proxy_for(plain.url):  # it resolves the name, and cannot be given an address under another name
            self._check_proxied(host)
            return plain
        addresses = yield from self._addresses(host, port)
        address = addresses[self._tried[host] % len(addresses)]
        self._tried[host] += 1
        shown = f"[{host}]" if ":" in host else host
        # A connection to this address may have been opened for another name, so connections are not reused.
        headers |= {"host": shown if port == HTTPS_PORT else f"{shown}:{port}", "connection": "close"}
        pinned = plain.url.copy_with(host=address, fragment=None)
        return httpx.Request("GET", pinned, headers=headers, extensions={"timeout": limits, "sni_hostname": host})

    def _checked(self, url: str) -> tuple[str, int]:
        """Return host and port of a URL that may be asked for, as the client itself reads it."""
        try:
            parsed = httpx.URL(url)
            host = _host_of(parsed)
        except (ValueError, httpx.InvalidURL):
            raise self._refuse("it is not a sound URL") from None
        port = parsed.port or HTTPS_PORT
        sound = HOST.fullmatch(host) and all(len(label) <= LONGEST_LABEL for label in host.split("."))
        if not sound or not 0 < port < 65536 or parsed.userinfo or len(url) > LONGEST_URL:  # noqa: PLR2004
            raise self._refuse("it is not a sound URL without credentials")
        unencrypted = host in self._rules.trusted_hosts or (host, "http") == (self._own_host, self._own_scheme)
        if parsed.scheme == "https" or (parsed.scheme == "http" and unencrypted):
            return host, port
        raise self._refuse("only https is allowed")

    def _is_trusted(self, host: str) -> bool:
        return host in self._rules.trusted_hosts or host == self._own_host

    def _check_proxied(self, host: str) -> None:
        literal = _literal(host)
        if (literal and not is_public(literal)) or (not literal and is_local_name(host)):
            raise self._refuse("its host is not a public one")

    def _addresses(self, host: str, port: int) -> Plan[list[str]]:
        """Return the host's addresses, all public."""
        try:
            addresses = yield from call(lambda: self._rules.resolve(host, port))
        except UnicodeError:
            raise self._refuse("it is not a sound URL") from None
        except OSError as exc:
            if is_local_name(host):
                raise self._refuse("its host is not a public one") from None
            raise APIConnectionError(f"The host {host} cannot be found ({exc}).") from None
        if not addresses or not all(is_public(address) for address in addresses):
            raise self._refuse("its host is not a public one")
        return addresses


def _literal(host: str) -> str:
    """The address that *host* is, in any of its old spellings (`127.1`, `0x7f000001`, `2130706433`), or nothing."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host if ":" in host else ""


def _host_of(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").rstrip(".")


def _refused(reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"The image URL is not allowed: {reason}. Allowed are https URLs of public hosts; nothing was sent."
    )
