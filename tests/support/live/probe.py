"""What the checks send with and report: a client that records, findings, and transcripts without secrets."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import SecretStr

from rivya_core.http.drivers import Driver
from rivya_core.http.endpoint import Endpoint, endpoint
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.providers import Provider

Verdict = Literal["as assumed", "differs", "unknown"]
ONCE = RetryPolicy(max_retries=0)
PERSONAL = re.compile(
    r'("(?:email|user_id|account_id|org(?:anization)?_id|username|phone)"\s*:\s*)("[^"]*"|\d+)', re.IGNORECASE
)
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
QUERY = re.compile(r"(https?://[^\s\"'?\\]+)\?[^\s\"'\\]+")
KEY = re.compile(r"\b(rvya_sk_|sk-|Bearer )[\w*.…-]{4,}")
LONGEST, LARGEST = 180.0, 32 * 1024 * 1024
"""Seconds that a response may take with its body, and bytes that are read of it."""
KEPT_HEADERS = re.compile(r"content-type|retry-after|ratelimit|rate-limit|request-id|idempot|location", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        assumed: What this project assumes.
        seen: What the service did.
        verdict: Whether that is the same; `unknown` if it could not be seen.
    """

    check: str
    assumed: str
    seen: str
    verdict: Verdict


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: Short name, for `--only` and for the transcript's file.
        credits: Credits that it may cost at most, on Rivya; elsewhere the number of small paid requests.
        run: Does it and returns what was found.
    """

    name: str
    credits: int
    run: Callable[[Probe], Iterable[Finding]]


@dataclass
class Record:
    """A request and its response, without secrets."""

    check: str
    method: str
    path: str
    sent: str
    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Probe:
    """Sends requests to one provider and keeps what comes back."""

    provider: Provider
    where: Endpoint
    client: httpx.Client
    check: str = ""
    records: list[Record] = field(default_factory=list)
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, provider: Provider, key: str, base_url: str | None = None, timeout: float = 60) -> Probe:
        client = httpx.Client(timeout=timeout, follow_redirects=False)
        return cls(provider, endpoint(provider, api_key=SecretStr(key), base_url=base_url), client, secrets=(key,))

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        files: Any = None,
    ) -> httpx.Response:
        """Send a request once and return the response, read to its end."""
        request = self.where.request(method, path, body=body, headers=headers, files=files)
        return self._sent(request, "" if body is None else json.dumps(body))

    def send_as(self, key: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Send a request with another key."""
        request = self.where.request(method, path, body=body, headers={"authorization": f"Bearer {key}"})
        return self._sent(request, "" if body is None else json.dumps(body))

    def run(self, plan: Plan[Any]) -> Any:
        """Carry out a plan of the core with this client, and record its requests."""
        recorder = httpx.Client(transport=_Recorder(self), timeout=self.client.timeout)
        return Driver(lambda: recorder).run(plan)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def events(self, response: httpx.Response) -> list[tuple[str, str]]:
        """Return name and data of each event of a streamed response."""
        found = []
        for block in re.split(r"\r?\n\r?\n|\r\r", response.text.lstrip("\ufeff")):
            lines = [line for line in re.split(r"\r\n|\n|\r", block) if line and not line.startswith(":")]
            data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
            name = next((line[6:].strip() for line in lines if line.startswith("event:")), "")
            if data:
                found.append((name, data))
        return found

    def redacted(self, text: str) -> str:
        """Return *text* without keys, addresses, account ids and the queries of URLs."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = KEY.sub(r"\1***", text)
        return QUERY.sub(r"\1?***", ADDRESS.sub("***@***", PERSONAL.sub(r'\1"***"', text)))

    def keep(self, request: httpx.Request, response: httpx.Response, sent: str) -> None:
        """Record a request and its response."""
        body = response.text if _is_text(response) else f"<{len(response.content)} bytes>"
        headers = {name: self.redacted(value) for name, value in response.headers.items() if KEPT_HEADERS.search(name)}
        self.records.append(
            Record(
                self.check,
                request.method,
                request.url.path,
                self.redacted(sent),
                response.status_code,
                headers,
                self.redacted(body),
            )
        )

    def receive(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and read the response; a body that does not end is left after a while."""
        with closing(self.client.send(request, stream=True)) as response:
            ends, body = time.monotonic() + LONGEST, b""
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > ends or len(body) > LARGEST:
                    break
        gone = {"content-encoding", "content-length", "transfer-encoding"}
        kept = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in gone]
        return httpx.Response(response.status_code, headers=kept, content=body, request=request)

    def _sent(self, request: httpx.Request, sent: str) -> httpx.Response:
        response = self.receive(request)
        self.keep(request, response, sent)
        return response


class _Recorder(httpx.BaseTransport):
    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = self._probe.receive(again)
        sent = request.content.decode("utf-8", "replace") if "json" in request.headers.get("content-type", "") else ""
        self._probe.keep(request, response, sent)
        return response


def _is_text(response: httpx.Response) -> bool:
    return bool(re.search(r"json|text|event-stream|xml", response.headers.get("content-type", "text")))


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of a response, or None."""
    try:
        return response.json()
    except ValueError:
        return None


def keys_of(value: Any) -> str:
    """Return the keys of an object as text."""
    return ", ".join(sorted(value)) if isinstance(value, Mapping) else type(value).__name__


def judged(check: str, assumed: str, seen: str, ok: bool | None) -> Finding:
    """Return a finding; *ok* None means that it could not be seen."""
    return Finding(check, assumed, seen, "unknown" if ok is None else "as assumed" if ok else "differs")


def attempted(work: Callable[[], Any]) -> tuple[Any, str]:
    """Return what *work* returns, or None and how it failed; whatever the service did, the other rows follow."""
    try:
        return work(), ""
    except Exception as error:  # noqa: BLE001 - see above
        return None, f"{type(error).__name__}: {error}"


def fields_seen(check: str, value: Any, known: Collection[str]) -> Finding:
    """Return whether an object has keys that are not known; a client ignores them."""
    new = sorted(str(key) for key in value if key not in known) if isinstance(value, Mapping) else []
    seen = f"also {', '.join(new)}" if new else "no others" if isinstance(value, Mapping) else keys_of(value)
    return judged(check, f"the {len(known)} known keys or some of them", seen, isinstance(value, Mapping) and not new)


def rate_headers(check: str, response: httpx.Response) -> Finding:
    """Return which headers say something about limits."""
    limits = [
        f"{name}: {value}"
        for name, value in response.headers.items()
        if re.search("rate-?limit|retry-after|quota", name, re.IGNORECASE)
    ]
    return judged(check, "none are known", ", ".join(limits) or "none", not limits)


def error_seen(response: httpx.Response) -> str:
    """Return status and code of an error, wherever it has one."""
    value = json_of(response)
    inner = value.get("error", value) if isinstance(value, Mapping) else None
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return f"{response.status_code} {code!r}" if value is not None else f"{response.status_code} without JSON"


def carried_out(probe: Probe, checks: list[Check]) -> list[Finding]:
    """Run *checks* and return what they found; one that fails is a difference, not the end."""
    findings: list[Finding] = []
    for check in checks:
        probe.check = check.name
        _, failure = attempted(lambda check=check: findings.extend(check.run(probe)))
        if failure:
            findings.append(Finding(check.name, "can be read", f"{failure}{_last_answer(probe)}", "differs"))
    return [replace(finding, seen=probe.redacted(finding.seen)[:600]) for finding in findings]


def _last_answer(probe: Probe) -> str:
    """Return the status and keys of what the service answered last in this check."""
    last = next((one for one in reversed(probe.records) if one.check == probe.check), None)
    if last is None:
        return " (no answer)"
    return f" (the last answer: {last.status}, {keys_of(json_of(httpx.Response(200, text=last.body)))})"


def write_transcripts(probe: Probe, folder: Path) -> list[Path]:
    """Write what was recorded below *folder*, streams in the form of `tests/transcripts`, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, record in enumerate(probe.records, 1):
        streamed = "event-stream" in record.headers.get("content-type", "")
        path = folder / f"{number:02d}-{record.check}.{'sse' if streamed else 'json'}"
        if streamed:
            path.write_bytes(
                f": seen at {record.method} {record.path}, {record.check}\n".encode() + record.body.encode()
            )
        else:
            path.write_text(json.dumps(vars(record), indent=1, ensure_ascii=False), encoding="utf-8")
        written.append(path)
    return written
