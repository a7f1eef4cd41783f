"""The command `rivya-sandbox`."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from rivya_sandbox import Sandbox
from rivya_sandbox.__main__ import main, parse, welcome

HELLO = {"model": "gpt-5-2-chat", "message": "hello"}


def test_the_command_line_has_its_defaults():
    """Port 8008 on this machine only."""
    wanted = parse([])

    assert (wanted.port, wanted.host, wanted.dialect, wanted.separate_media) == (8008, "127.0.0.1", "named", False)
    assert "RIVYA_BASE_URL=http://sandbox.test/api/v1" in welcome(Sandbox())


@pytest.fixture
def _signals():
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_the_command_welcomes_serves_and_takes_its_leave(monkeypatch, capsys):
    """In this process, interrupted while it waits."""
    seen = []

    def interrupted(_self, _seconds):
        seen.append(threading.active_count())
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(threading.Event, "wait", interrupted_after_start(threading.Event.wait, interrupted))
    main(["--port", "0"])

    said = capsys.readouterr().out
    assert "/api/v1" in said
    assert "has stopped" in said
    assert seen


def interrupted_after_start(real, interrupted):
    """Let the server start, which waits without this length of time."""

    def wait(self, timeout=None):
        return interrupted(self, timeout) if timeout == 0.5 else real(self, timeout)

    return wait


@pytest.mark.usefixtures("_signals")
def test_the_command_explains_a_port_that_cannot_be_used():
    """In this process too."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SystemExit, match="another one with --port"),
    ):
        main(["--port", str(taken.getsockname()[1])])


@pytest.mark.skipif(os.name == "nt", reason="signals are sent as on Unix")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("_signals")
def test_the_command_serves_until_it_is_told_to_end(end):
    """It prints its URLs; Ctrl-C stops it without output on stderr."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a test run in the background ignores it, and so do its children
    command = [sys.executable, "-m", "rivya_sandbox", "--port", "0", "--pace", "0", "--dialect", "flat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while "Ctrl-C" not in said:
            said += process.stdout.readline()
        url = re.search(r"RIVYA_BASE_URL=(\S+)", said)[1]
        key = re.search(r"RIVYA_API_KEY=(\S+)", said)[1]
        headers = {"authorization": f"Bearer {key}"}
        reply = httpx.post(f"{url}/chat/completions/stream", json=HELLO, headers=headers)
        process.send_signal(end)
        try:
            rest, errors = process.communicate(timeout=10)
        finally:
            process.kill()

    assert reply.text.startswith('data: {"text": "Hello!"}')
    assert (process.returncode, errors) == (0, "")
    assert "has stopped" in rest


def test_the_command_says_what_to_do_about_a_taken_port():
    """One line, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "rivya_sandbox", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 1
    assert ended.stderr.startswith("Port ")
    assert "--port" in ended.stderr
