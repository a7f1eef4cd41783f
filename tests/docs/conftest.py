"""What a reader of README, guides and docstrings has: keys, and somewhere to work."""

import asyncio
import itertools

import pytest
from both_frameworks import url_of

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
    loop = asyncio.new_event_loop()  # LlamaIndex's sync engines take the thread's loop, and nobody closes that
    asyncio.set_event_loop(loop)
    yield sandbox
    loop.close()
    asyncio.set_event_loop(None)
