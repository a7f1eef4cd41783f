"""Which proxy the environment names for a URL."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx


def proxy_for(url: httpx.URL) -> str | None:
    """Return host and port of the proxy that the environment names for *url*, or None if it is reached directly."""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or proxy_bypass(url.host):
        return None
    return urlsplit(found if "//" in found else f"//{found}").netloc.rpartition("@")[2]
