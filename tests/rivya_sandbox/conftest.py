"""Clients and small requests for the tests of the sandbox."""

import io

import httpx
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def _client(served):
    headers = {"authorization": f"Bearer {served.api_key}"}
    with httpx.Client(base_url=served.rivya_url, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def web():
    """A client without a key, as for downloads."""
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture
def client(_client, sandbox):
    return _client


@pytest.fixture
def chat(client):
    """Post a chat turn and return the response."""

    def post(message="hello", *, path="/chat/completions", headers=None, **body):
        return client.post(path, json={"model": "gpt-5-2-chat", "message": message, **body}, headers=headers)

    return post


@pytest.fixture
def upload(client):
    """Upload a file and return the response."""

    def post(content, mime="image/png", *, kind="image", name="a.png", **fields):
        return client.post("/files", files={"file": (name, content, mime)}, data={"kind": kind, **fields})

    return post


@pytest.fixture(scope="session")
def png():
    """Make a small image of one colour."""

    def make(colour="red", size=(40, 20), form="PNG"):
        out = io.BytesIO()
        Image.new("RGB", size, colour).save(out, form)
        return out.getvalue()

    return make
