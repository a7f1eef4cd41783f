"""APIs on the public internet that are reached without encryption are warned about, once."""

from __future__ import annotations

import logging

import pytest

from rivya_core.http.endpoint import endpoint
from rivya_core.http.hosts import is_local_name, warn_unencrypted
from rivya_core.providers import COMPATIBLE


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    warn_unencrypted.cache_clear()


PUBLIC = [
    "http://api.example.com/v1",
    "http://8.8.8.8/v1",
    "http://[2606:4700::1111]:8000/v1",
    "HTTP://API.example.com",
]
OWN = [
    "https://api.example.com/v1",
    "http://localhost:8000/v1",
    "http://LOCALHOST.:8000/v1",
    "http://127.0.0.1/v1",
    "http://[::1]/v1",
    "http://10.1.2.3/v1",
    "http://192.168.1.5:11434/v1",
    "http://[fd00::1]/v1",
    "http://vllm:8000/v1",
    "http://gpu.internal/v1",
    "http://box.local/v1",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_api_without_encryption_is_warned_about_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        endpoint(COMPATIBLE, base_url=url)

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Use https" in caplog.text


@pytest.mark.parametrize("url", OWN)
def test_own_networks_and_encrypted_apis_are_not(url: str, caplog: pytest.LogCaptureFixture) -> None:
    endpoint(COMPATIBLE, base_url=url)

    assert not caplog.records


@pytest.mark.parametrize(("name", "local"), [("vllm", True), ("a.lan", True), ("a.land", False), ("10.0.0.1", False)])
def test_names_of_ones_own_network(name: str, *, local: bool) -> None:
    assert is_local_name(name) is local
