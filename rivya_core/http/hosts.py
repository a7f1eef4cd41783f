"""Which hosts are on the public internet, and a warning about those that are reached without encryption."""

from __future__ import annotations

import ipaddress
import logging
import re
from functools import lru_cache
from urllib.parse import urlsplit

log = logging.getLogger("rivya")

NOT_PUBLIC = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "2001::/23", "fec0::/10"))
)
"""Special networks that some versions of Python call global."""
TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""Networks whose addresses end in an IPv4 address, which a translator or an old tunnel takes out."""
LOCAL_NAME = re.compile(r"[^.]*|.*\.(localhost|local|internal|localdomain|lan|intranet|corp|home\.arpa)", re.IGNORECASE)


def is_public(address: str) -> bool:
    """Whether *address* is public; one that wraps an IPv4 address is judged by that address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or _translated(ip)
        if inner is not None:
            return is_public(str(inner))
    odd = ip.is_multicast or ip.is_reserved or any(ip in network for network in NOT_PUBLIC)
    return ip.is_global and not odd


def is_local_name(host: str) -> bool:
    """Whether *host* is a name for a machine of one's own network, by the way it is written."""
    return not _is_address(host) and LOCAL_NAME.fullmatch(host) is not None


@lru_cache(maxsize=256)
def warn_unencrypted(base_url: str) -> None:
    """Warn, once per URL and process, about an API on the public internet that is reached without encryption."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    local = is_local_name(host) or (_is_address(host) and not is_public(host))
    if parts.scheme == "http" and not local:
        log.warning(
            "`base_url` is http://%s: without encryption, everyone on the way can read the API key and all messages. "
            "Use https.",
            host,
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    wraps = any(ip in network for network in TRANSLATED)
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if wraps else None
