"""Proxies that the environment names: which one a URL goes through, and whether clients can use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

from rivya_core.errors import ConfigurationError
from rivya_core.http.library import httpx


def proxy_for(url: httpx.URL) -> str | None:
    """Return host and port of the proxy that the environment names for *url*, or None if it is reached directly."""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or proxy_bypass(url.host):
        return None
    return found.rpartition("://")[2].partition("/")[0].rpartition("@")[2]


@contextmanager
def usable_environment() -> Iterator[None]:
    """Say what is wrong with the environment's proxies when a client cannot be made with them.

    Raises:
        ConfigurationError: A proxy's URL is invalid, or the package for a SOCKS proxy is missing.
    """
    try:
        yield
    except ImportError as exc:
        raise ConfigurationError(
            "The environment names a SOCKS proxy, which needs a package: pip install 'httpx[socks]'. Nothing was sent."
        ) from exc
    except (ValueError, httpx.InvalidURL) as exc:
        raise ConfigurationError(
            "The environment names a proxy that cannot be used. Check `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`: "
            "they are URLs such as 'http://proxy.example:3128'. Nothing was sent."
        ) from exc
