"""What the image tests share: a sandbox with a media host of its own, time that costs nothing, both frameworks' tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from image_generator import Slept, Studio, picture_file

from rivya_core.http import clients
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_sandbox import Sandbox, serve


@pytest.fixture(scope="session")
def studio_served() -> Iterator[Sandbox]:
    with serve(separate_media=True, ready_after=2) as box:
        yield box


@pytest.fixture
def box(studio_served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose media come from a second port, as new, with its key and URL in the environment."""
    studio_served.reset()
    monkeypatch.setenv("RIVYA_API_KEY", studio_served.api_key)
    monkeypatch.setenv("RIVYA_BASE_URL", studio_served.rivya_url)
    return studio_served


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Slept:
    """Tools whose pauses are noted instead of made."""
    slept = Slept()

    def driver(self: clients.Clients) -> Driver:
        return Driver(lambda: self.sync or clients.shared_client(), slept.pause)

    def async_driver(self: clients.Clients) -> AsyncDriver:
        return AsyncDriver(lambda: self.asynchronous or clients.shared_async_client(), slept.apause)

    monkeypatch.setattr(clients.Clients, "driver", property(driver))
    monkeypatch.setattr(clients.Clients, "async_driver", property(async_driver))
    return slept


@pytest.fixture(params=["langchain-sync", "langchain-async", "llamaindex-sync", "llamaindex-async"])
def studio(request: pytest.FixtureRequest) -> Studio:
    return Studio(*request.param.split("-"))


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A directory that agents may use, beside a secret that they may not."""
    allowed = tmp_path / "gallery"
    (allowed / "deep").mkdir(parents=True)
    (allowed / "fox.png").write_bytes(picture_file("orange"))
    (allowed / "deep" / "sea.jpg").write_bytes(picture_file("blue", kind="JPEG"))
    (tmp_path / "secret.png").write_bytes(picture_file("black"))
    return allowed
