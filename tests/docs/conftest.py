"""What a reader of README, guides and docstrings has: keys, and somewhere to work."""

import asyncio
import itertools

import pytest

from rivya_core.images.polling import PollingPolicy


@pytest.fixture
def service(sandbox, monkeypatch, tmp_path):
    """What a reader has: the providers' variables name the sandbox, and a directory of one's own."""
    for name in ("rivya", "evolink", "gmi"):
        monkeypatch.setenv(f"{name.upper()}_API_KEY", sandbox.api_key)
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", getattr(sandbox, f"{name}_url"))
    monkeypatch.chdir(tmp_path)
    sandbox.tasks.ready_after = 1
    monkeypatch.setattr(PollingPolicy, "waits", lambda _: itertools.repeat(0.01))
    loop = asyncio.new_event_loop()  # LlamaIndex's sync engines take the thread's loop, and nobody closes that
    asyncio.set_event_loop(loop)
    yield sandbox
    loop.close()
    asyncio.set_event_loop(None)
