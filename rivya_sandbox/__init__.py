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
    from .accounts import Entry
    from .completions import Call, Completion, Wire
    from .dialects import DIALECTS, Dialect
    from .faults import Fault
    from .journal import Exchange, Journal, Turn
    from .model import StandIn
    from .sandbox import Sandbox
    from .server import Served, serve
    from .transcript import unfold
    from .upstream import Upstream
    from .values import Answer, Attachment, Message, Model

_HOMES = {
    "DIALECTS": "dialects",
    "Answer": "values",
    "Attachment": "values",
    "Call": "completions",
    "Completion": "completions",
    "Dialect": "dialects",
    "Entry": "accounts",
    "Exchange": "journal",
    "Fault": "faults",
    "Journal": "journal",
    "Message": "values",
    "Model": "values",
    "Sandbox": "sandbox",
    "Served": "server",
    "StandIn": "model",
    "Turn": "journal",
    "Upstream": "upstream",
    "Wire": "completions",
    "serve": "server",
    "unfold": "transcript",
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


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
