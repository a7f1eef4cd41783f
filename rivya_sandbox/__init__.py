"""A sandbox that speaks the providers' APIs on a real port, with no key and no network.

    from rivya_sandbox import serve

    with serve() as sandbox:
        print(sandbox.rivya_url, sandbox.api_key)

Beside Rivya's own API it speaks chat completions and the Responses API as Evolink (`sandbox.evolink_url`), GMI Cloud
(`sandbox.gmi_url`) and OpenAI (`sandbox.openai_url`) do. What is said next can be scripted: `sandbox.answer("text")`,
tool calls with `sandbox.answer(Completion(calls=(Call("add", {"a": 1}),)))`, exact bytes with `Wire`.
It keeps its state in memory, answers deterministically, records every request and, for every chat turn, the context
that the model saw (`sandbox.journal`), and can be told what goes wrong next (`sandbox.fault(Fault(...))`).
`python -m rivya_sandbox --port 8008` runs it on its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rivya_sandbox.accounts import Entry
    from rivya_sandbox.faults import Fault
    from rivya_sandbox.journal import Exchange, Journal, Turn
    from rivya_sandbox.model.stand_in import StandIn
    from rivya_sandbox.model.transcript import unfold
    from rivya_sandbox.model.upstream import Upstream
    from rivya_sandbox.openai.completions import Call, Completion, Wire
    from rivya_sandbox.rivya.dialects import DIALECTS, Dialect
    from rivya_sandbox.sandbox import Sandbox
    from rivya_sandbox.server import Served, serve
    from rivya_sandbox.values import Answer, Attachment, Message, Model

_HOMES = {
    "DIALECTS": "rivya.dialects",
    "Answer": "values",
    "Attachment": "values",
    "Call": "openai.completions",
    "Completion": "openai.completions",
    "Dialect": "rivya.dialects",
    "Entry": "accounts",
    "Exchange": "journal",
    "Fault": "faults",
    "Journal": "journal",
    "Message": "values",
    "Model": "values",
    "Sandbox": "sandbox",
    "Served": "server",
    "StandIn": "model.stand_in",
    "Turn": "journal",
    "Upstream": "model.upstream",
    "Wire": "openai.completions",
    "serve": "server",
    "unfold": "model.transcript",
}

__all__ = [
    "DIALECTS",
    "Answer",
    "Attachment",
    "Call",
    "Completion",
    "Dialect",
    "Entry",
    "Exchange",
    "Fault",
    "Journal",
    "Message",
    "Model",
    "Sandbox",
    "Served",
    "StandIn",
    "Turn",
    "Upstream",
    "Wire",
    "serve",
    "unfold",
]

_EXTRA = frozenset({"starlette", "uvicorn", "multipart", "python_multipart", "PIL"})
"""What the extra `sandbox` brings."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"{missing}. It comes with the extra `sandbox`: pip install 'rivya-integrations[sandbox]'",
            name=missing.name,
        ) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
