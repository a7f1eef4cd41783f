"""What LangChain's standard suites would fetch from the internet, made here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import httpx
import pytest
from samples import pdf, png, wav
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suites' sample files, without the network."""

    def get(url: str, **_: Any) -> httpx.Response:
        kinds = {"png": png, "jpg": png, "wav": wav, "mp3": wav, "pdf": pdf}
        return httpx.Response(200, content=kinds[url.rpartition(".")[2].lower()]())

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "rivya-integrations")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots hold on every version of LangChain."""
    return snapshot.with_defaults(exclude=props("lc_versions"))


@pytest.fixture(autouse=True)
def admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load(allowed_objects="all")` admits LangChain's own packages only; the suite means "any", so ours are added."""
    load = import_module("langchain_core.load.load")  # the package hides its module behind a function

    paths = {("langchain_rivya", "chat_models", name) for name in import_module("langchain_rivya.chat_models").__all__}
    known = load._get_default_allowed_class_paths("all")
    monkeypatch.setitem(load._default_class_paths_cache, "all", known | paths)
