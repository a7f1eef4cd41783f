"""Fixtures of the image tests: a sandbox with its own media host, pauses that do not wait, the tools of both frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from image_tools import ImageTools, Slept, image_file

from rivya_core.http import clients
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_sandbox import Sandbox, serve


@pytest.fixture(scope="session")
def served_images() -> Iterator[Sandbox]:
    with serve(separate_media=True, ready_after=2) as box:
        yield box


@pytest.fixture
def box(served_images: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A fresh sandbox whose media come from a second port, with its key and URL in the environment."""
    served_images.reset()
    monkeypatch.setenv("RIVYA_API_KEY", served_images.api_key)
    monkeypatch.setenv("RIVYA_BASE_URL", served_images.rivya_url)
    return served_images


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Slept:
    """Tools whose pauses are recorded instead of made."""
    slept = Slept()

    def driver(self: clients.Clients) -> Driver:
        return Driver(lambda: self.sync or clients.shared_client(), slept.pause)

    def async_driver(self: clients.Clients) -> AsyncDriver:
        return AsyncDriver(lambda: self.asynchronous or clients.shared_async_client(), slept.apause)

    monkeypatch.setattr(clients.Clients, "driver", property(driver))
    monkeypatch.setattr(clients.Clients, "async_driver", property(async_driver))
    return slept


@pytest.fixture(params=["langchain-sync", "langchain-async", "llamaindex-sync", "llamaindex-async"])
def tools(request: pytest.FixtureRequest) -> ImageTools:
    return ImageTools(*request.param.split("-"))


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A directory that agents may use, next to a file that they may not."""
    allowed = tmp_path / "gallery"
    (allowed / "deep").mkdir(parents=True)
    (allowed / "fox.png").write_bytes(image_file("orange"))
    (allowed / "deep" / "sea.jpg").write_bytes(image_file("blue", kind="JPEG"))
    (tmp_path / "secret.png").write_bytes(image_file("black"))
    return allowed
