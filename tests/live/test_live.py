"""The live check, against the sandbox: in several forms of streams, and with differences that it must find."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from both_frameworks import url_of
from live import __main__ as live
from live import openai_checks, rivya_checks
from live.probe import Finding, Probe, carried_out, write_transcripts
from reading import decoded, message

from rivya_core.providers import EVOLINK, GMI, RIVYA, Provider
from rivya_sandbox import DIALECTS, Fault, Sandbox

CHECKS = {RIVYA: rivya_checks.CHECKS, EVOLINK: openai_checks.CHECKS, GMI: openai_checks.CHECKS}


def found(sandbox: Sandbox, provider: Provider, *only: str) -> tuple[Probe, list[Finding]]:
    probe = Probe.of(provider, sandbox.api_key, url_of(sandbox, provider))
    findings = carried_out(probe, [check for check in CHECKS[provider] if not only or check.name in only])
    probe.close()
    return probe, findings


def differing(findings: list[Finding]) -> set[str]:
    return {finding.check for finding in findings if finding.verdict == "differs"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivya_checks.time, "sleep", lambda _: None)


@pytest.mark.parametrize("provider", CHECKS, ids=lambda provider: provider.name)
def test_nothing_differs_from_what_the_sandbox_assumes(sandbox: Sandbox, provider: Provider) -> None:
    _, findings = found(sandbox, provider)

    assert len(findings) > 15
    assert not [finding for finding in findings if finding.verdict == "differs"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_form_of_the_stream_is_read(sandbox: Sandbox, dialect: str) -> None:
    sandbox.dialect = dialect
    _, findings = found(sandbox, RIVYA, "stream")
    verdicts = {finding.check: finding.verdict for finding in findings}

    assert verdicts["stream: text"] == verdicts["stream: end"] == "as assumed"


SSE = {"content-type": "text/event-stream"}
BARE = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}}]}'
FAULTS = {
    "wrong key is 403": Fault(path="/credits", status=403, times=None),
    "unknown path is HTML": Fault(path="/no-such-path", status=404, body=b"<html>gone</html>"),
    "sessions cannot be read": Fault(path="/chat/sessions", method="GET", body=b'{"rows": []}', times=None),
    "stream without an end": Fault(
        path="/chat/completions/stream", body=b'event: x\ndata: {"delta": "po"}\n\n', headers=SSE
    ),
    "stream is JSON": Fault(path="/chat/completions/stream", body=b"{}", times=None),
    "reply without a session": Fault(path="/chat/completions", body=BARE),
    "expired result": Fault(task="expired"),
    "image fails": Fault(task="fail"),
    "idempotency is unknown": Fault(path="/chat/completions", status=500, after=1),
    "result is gone": Fault(path="/media", status=410, after=1),
    "another 5xx": Fault(path="/credits", status=599, body=b'{"error": {"code": "melted"}}'),
    "another error code": Fault(
        path="/chat/completions", status=400, body=b'{"error": {"code": "empty", "message": "m"}}'
    ),
    "rate headers": Fault(path="/chat/completions", body=BARE, headers={"x-ratelimit-remaining": "3"}),
    "more fields": Fault(path="/credits", body=b'{"current_credits": 5, "plan": "pro"}'),
}


def plant(sandbox: Sandbox, difference: str) -> None:
    """Let the sandbox behave in another way than is assumed."""
    sandbox.stream_idempotency = difference == "stream idempotency"
    if difference == "file id":
        sandbox.file_id_key = "handle"
    if difference == "other events":
        sandbox.dialect = "openai"
    if difference in FAULTS:
        sandbox.fault(FAULTS[difference])


PLANTED: dict[str, tuple[str, str]] = {
    "stream idempotency": ("stream-idempotency", "idempotency: stream"),
    "file id": ("upload", "upload"),
    "wrong key is 403": ("errors", "error: wrong key"),
    "unknown path is HTML": ("errors", "error: unknown path"),
    "sessions cannot be read": ("sessions", "session"),
    "stream without an end": ("stream", "stream"),
    "stream is JSON": ("stream", "stream: content type"),
    "reply without a session": ("whole-chat", "chat: session"),
    "expired result": ("image", "image: URL without key"),
    "image fails": ("image", "image: result"),
    "idempotency is unknown": ("idempotency", "idempotency"),
    "other events": ("stream", "stream: events"),
    "result is gone": ("image", "image: lifetime"),
    "another 5xx": ("credits server-errors", "error: 5xx codes"),
    "another error code": ("errors", "error: empty message"),
    "rate headers": ("whole-chat", "chat: rate headers"),
    "more fields": ("credits", "credits: keys"),
}


@pytest.mark.parametrize("difference", PLANTED)
def test_a_planted_difference_is_found(sandbox: Sandbox, difference: str) -> None:
    check, named = PLANTED[difference]
    plant(sandbox, difference)
    _, findings = found(sandbox, RIVYA, *check.split())

    assert any(name.startswith(named) for name in differing(findings)), findings


@pytest.mark.parametrize(
    ("check", "named", "fault"),
    [
        (
            "stream",
            "stream: end",
            Fault(
                path="/chat/completions",
                body=b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}\n\n',
                headers={"content-type": "text/event-stream"},
            ),
        ),
        ("options", "option: limit", Fault(path="/chat/completions", status=400)),
        ("errors", "error: wrong key", Fault(path="/chat/completions", status=500)),
        ("whole", "whole", Fault(path="/chat/completions", status=200, body=b"<html></html>")),
        ("responses", "responses", Fault(path="/responses", status=404)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_difference_of_other_providers_is_found(
    sandbox: Sandbox, check: str, named: str, fault: Fault
) -> None:
    sandbox.fault(fault)
    _, findings = found(sandbox, GMI, check)

    assert named in differing(findings), findings


def test_transcripts_hold_streams_and_no_secrets(sandbox: Sandbox, tmp_path: Path) -> None:
    probe, _ = found(sandbox, RIVYA, "stream", "whole-chat", "errors")
    files = write_transcripts(probe, tmp_path)
    streams = [file for file in files if file.suffix == ".sse"]

    assert streams
    assert "pong" in message(decoded([streams[0].read_bytes()]))[0]
    assert not any(sandbox.api_key in file.read_text() for file in files)


def test_what_is_personal_is_masked(sandbox: Sandbox) -> None:
    probe = Probe.of(RIVYA, "rvya_sk_verysecret1", sandbox.rivya_url)
    said = (
        '{"email": "ann@example.com", "user_id": 17, "url": "https://m.test/a.png?sig=abc", "k": "rvya_sk_verysecret1"}'
    )

    probe.close()

    assert probe.redacted(said) == '{"email": "***", "user_id": "***", "url": "https://m.test/a.png?***", "k": "***"}'


def variables(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", sandbox.api_key)
    monkeypatch.setenv("RIVYA_BASE_URL", sandbox.rivya_url)


@pytest.mark.parametrize("answer", ["", "n", "no", None])
def test_nothing_is_spent_without_a_yes(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str | None,
    tmp_path: Path,
) -> None:
    def asked(_: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    variables(sandbox, monkeypatch)
    monkeypatch.setattr(builtins, "input", asked)

    assert live.main(["--out", str(tmp_path)]) == 2
    assert not sandbox.ledger()
    assert "at most" in capsys.readouterr().out


def test_it_costs_no_more_than_it_says(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    variables(sandbox, monkeypatch)
    before = sandbox.credits()
    monkeypatch.setattr(builtins, "input", lambda _: "y")
    code = live.main(["--out", str(tmp_path)])
    said: Any = capsys.readouterr().out

    assert code == 0
    assert before - sandbox.credits() <= sum(check.credits for check in rivya_checks.CHECKS)
    assert "0 differs" in said
    assert sandbox.api_key not in said


def test_without_a_key_it_says_which_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert live.main(["--yes"]) == 2
    assert "GMI_API_KEY" in capsys.readouterr().out
