"""Point 10: the key is in no text that anybody might read, and is sent to the provider alone."""

from __future__ import annotations

import logging
import pickle

import pytest
from llama_backend import Raw
from llama_calls import user
from llama_candidates import KEY


def test_no_written_form_holds_the_key(llm):
    """`repr`, `str`, dicts, JSON."""
    payload = getattr(llm, "to_payload", llm.to_dict)  # what events carry: earlier the dict
    for text in (repr(llm), str(llm), str(llm.to_dict()), llm.to_json(), llm.model_dump_json(), str(payload())):
        assert KEY not in text


def test_no_pickle_holds_the_key(llm):
    """A pickle can be kept or sent without giving the key away."""
    assert KEY.encode() not in pickle.dumps(llm)


def test_no_header_with_credentials_is_written(make):
    """A header that looks like a credential is treated as one."""
    llm = make(default_headers={"X-Api-Token": "tok-hidden", "X-Team": "blue"})

    assert "tok-hidden" not in repr(llm) + llm.to_json()
    assert b"tok-hidden" not in pickle.dumps(llm)


def test_errors_and_logs_do_not_repeat_the_key(make, backend, calls, caplog):
    """A server that echoes the key does not get it into an error's text or a log."""
    caplog.set_level(logging.DEBUG)
    backend.say(Raw((f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode(),), status=401))

    with pytest.raises(Exception, match="bad key") as caught:
        calls.run(make(max_retries=0), "chat", [user("Hi")])

    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert KEY not in caplog.text


def test_openai_variables_are_never_read(make, backend, calls, monkeypatch):
    """A key, organisation or URL that was set for another provider is not sent."""
    for name in ("API_KEY", "ORG_ID", "ORGANIZATION", "PROJECT_ID", "API_BASE", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", "openai-only")

    calls.run(make(), "chat", [user("Hi")])

    assert "openai-only" not in str(backend.requests[0].headers)
    assert backend.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_redirect_does_not_carry_the_key_away(make, backend, calls):
    """Another host never sees the key, whatever a server says."""
    backend.say(Raw((b"moved",), status=302, headers=(("location", "http://localhost:9/elsewhere"),)))

    with pytest.raises(Exception):  # noqa: B017 - refused, or lost on its way
        calls.run(make(max_retries=0), "chat", [user("Hi")])

    assert len(backend.requests) == 1
