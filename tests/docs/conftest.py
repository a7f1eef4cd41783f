"""What a reader of README, guides and docstrings has: keys, and somewhere to work."""

import asyncio
import itertools
import logging

import pytest
from both_frameworks import url_of
from opentelemetry import trace
from opentelemetry.util._once import Once

from rivya_core.images.polling import PollingPolicy
from rivya_core.providers import PROVIDERS


@pytest.fixture
def service(sandbox, monkeypatch, tmp_path):
    """What a reader has: the providers' variables name the sandbox, and a directory of one's own."""
    for provider in PROVIDERS:
        if provider.key_variable:
            monkeypatch.setenv(provider.key_variable, sandbox.api_key)
            monkeypatch.setenv(provider.url_variable, url_of(sandbox, provider))
    monkeypatch.chdir(tmp_path)
    sandbox.tasks.ready_after = 1
    monkeypatch.setattr(PollingPolicy, "delays", lambda _: itertools.repeat(0.01))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)  # a page that sets one sets it for itself
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    loop = asyncio.new_event_loop()  # LlamaIndex's sync engines use the thread's loop and do not close it
    asyncio.set_event_loop(loop)
    yield sandbox
    loop.close()
    logging.getLogger("rivya").setLevel(logging.NOTSET)
    asyncio.set_event_loop(None)
