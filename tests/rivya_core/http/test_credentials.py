"""The keys that a process has seen: found again by their mark, and limited in number."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from rivya_core.http import credentials
from rivya_core.http.credentials import lookup, register


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_seen", type(credentials._seen)())


def test_a_key_is_found_by_its_mark_which_does_not_tell_it() -> None:
    mark = register(SecretStr("rvya_sk_secret"))

    assert lookup(mark) == SecretStr("rvya_sk_secret")
    assert "secret" not in mark
    assert lookup("another mark") is lookup("") is lookup(None) is None


def test_the_number_of_keys_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for the longest time is forgotten first."""
    monkeypatch.setattr(credentials, "MOST_KEYS", 3)
    marks = [register(SecretStr(f"key-{number}")) for number in range(3)]
    assert lookup(marks[0])
    register(SecretStr("key-3"))

    assert [lookup(mark) is not None for mark in marks] == [True, False, True]
    assert len(credentials._seen) == 3


def test_a_key_of_any_characters_has_a_mark() -> None:
    assert lookup(register(SecretStr("\ud800"))) == SecretStr("\ud800")
