"""Facts about models: those of installed profiles first, the own table in their gaps, and the age of that table."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import langchain_rivya
import llamaindex_rivya
from rivya_core import model_facts
from rivya_core.model_facts import FACTS, facts_for, installed_profiles
from rivya_sandbox.openai.providers import EVOLINK, GMI

PROFILES = """
_PROFILES = {
    "gpt-5.2": {"max_input_tokens": 272000, "max_output_tokens": 128000, "tool_calling": True, "image_inputs": True},
    "gpt-5.2-chat-latest": {"max_input_tokens": 272000, "image_url_inputs": True},
    "gpt-7": {"max_input_tokens": 2000000, "max_output_tokens": 9000, "tool_calling": True, "reasoning_output": True},
    "gpt-5": "changed its form",
}
"""
GATEWAY = """
_PROFILES = {
    "openai/gpt-5.1": {"max_input_tokens": 1, "max_output_tokens": 1},
    "z-ai/glm-5.1": {"max_input_tokens": 204800, "max_output_tokens": 128000},
}
"""


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    caches = (facts_for, installed_profiles)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_facts, "PROFILE_PACKAGES", ())
    monkeypatch.setattr(model_facts, "GATEWAY_PACKAGE", "not_installed")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, profiles: str = PROFILES) -> None:
    """Put packages with *profiles* first on the path; an import of one of them fails."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(model_facts, "PROFILE_PACKAGES", ("langchain_openai", "not_installed"))
    for package, data in (("langchain_openai", profiles), ("langchain_openrouter", GATEWAY)):
        put(folder / package, data)


def put(package: Path, profiles: str) -> None:
    data = package / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise AssertionError('the vendor's client is imported')")
    (data / "_profiles.py").write_text(profiles)


@pytest.mark.parametrize(
    ("model", "window", "largest_input", "largest_output"),
    [
        ("openai/gpt-7", 2_000_000, 2_000_000, 9_000),
        ("GPT-7-2027-01-01", 2_000_000, 2_000_000, 9_000),
        ("gpt-5.2", 400_000, 272_000, 128_000),
        ("gpt-5.2-chat", 128_000, 128_000 - 16_384, 16_384),
        ("gpt-5.2-chat-latest", 128_000, 128_000 - 16_384, 16_384),
        ("gpt-5", 400_000, 272_000, 128_000),
        ("gpt-5.1", 400_000, 272_000, 128_000),
        ("zai-org/GLM-5.1-FP8", 204_800, 204_800, 128_000),
    ],
    ids=["source", "dated", "both", "a name that fits better", "no sizes", "table", "table before gateway", "gateway"],
)
def test_installed_profiles_come_first_and_the_table_fills_gaps(
    model: str, window: int, largest_input: int, largest_output: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    facts = facts_for(model)

    assert facts is not None
    assert (facts.context_window, facts.max_input, facts.max_output) == (window, largest_input, largest_output)


def test_both_frameworks_report_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch)
    profile = langchain_rivya.ChatGMI(api_key="k", model="openai/gpt-7").profile

    assert profile is not None
    assert (profile["max_input_tokens"], profile["tool_calling"], profile["image_inputs"]) == (2_000_000, True, False)
    assert llamaindex_rivya.GMI(api_key="k", model="openai/gpt-7").metadata.context_window == 2_000_000


@pytest.mark.parametrize("profiles", ["_OTHER = {}", "_PROFILES = 3", "not Python", "import not_there"])
def test_profiles_of_another_form_are_left_out(profiles: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, profiles)

    assert facts_for("gpt-5.2") == FACTS["gpt-5.2"]


@pytest.mark.parametrize("model", ["gpt-5.3", "gpt-5-3", "gpt-50", "o3", "gpt", ""])
@pytest.mark.usefixtures("nothing_installed")
def test_another_version_is_another_model(model: str) -> None:
    assert facts_for(model) is None


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("model", [model for api in (GMI, EVOLINK) for model in api.models if "gpt-" in model])
def test_the_table_is_not_older_than_the_providers_lists(model: str) -> None:
    """The GPT models that GMI and Evolink list; `make live` compares with the lists of the services themselves."""
    assert facts_for(model) is not None, f"add `{model}` to FACTS and set AS_OF to today"


@pytest.mark.skipif(importlib.util.find_spec("langchain_openai") is None, reason="`make bench` installs the profiles")
def test_the_table_agrees_with_the_profiles_of_today() -> None:
    """Where both say something of a model, they agree, else the table is older."""
    kept = installed_profiles()
    for name, own in FACTS.items():
        if name in kept:
            assert kept[name]["max_output_tokens"] == own.max_output, (
                f"{name}: compare FACTS, dated {model_facts.AS_OF}"
            )
            assert kept[name]["max_input_tokens"] in {own.max_input, own.context_window}, name
