"""A sandbox: the providers' APIs on a local port, without a key and without a network.

    from rivya_sandbox import serve

    with serve() as sandbox:
        print(sandbox.rivya_url, sandbox.api_key)

It serves Rivya's API, and chat completions and the Responses API in the forms of Evolink (`sandbox.evolink_url`), GMI
Cloud (`sandbox.gmi_url`) and OpenAI (`sandbox.openai_url`). Tests can script replies: `sandbox.answer("text")`, tool
calls with `sandbox.answer(Completion(calls=(Call("add", {"a": 1}),)))`, exact bytes with `Wire`. The sandbox keeps its
state in memory and replies deterministically. It records every request and, for every chat turn, the context that the
model saw (`sandbox.journal`). `sandbox.fault(Fault(...))` makes something go wrong. The command
`rivya-sandbox --port 8008` runs it on its own.
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
    from rivya_sandbox.rivya.dialects import DIALECTS, Dialect
    from rivya_sandbox.sandbox import Sandbox
    from rivya_sandbox.server import Served, serve
    from rivya_sandbox.values import Answer, Attachment, Call, Completion, Message, Model, ModelRequest, Tool, Wire

_HOMES = {
    "DIALECTS": "rivya.dialects",
    "Answer": "values",
    "Attachment": "values",
    "Call": "values",
    "Completion": "values",
    "Dialect": "rivya.dialects",
    "Entry": "accounts",
    "Exchange": "journal",
    "Fault": "faults",
    "Journal": "journal",
    "Message": "values",
    "Model": "values",
    "ModelRequest": "values",
    "Sandbox": "sandbox",
    "Served": "server",
    "StandIn": "model.stand_in",
    "Tool": "values",
    "Turn": "journal",
    "Upstream": "model.upstream",
    "Wire": "values",
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
    "ModelRequest",
    "Sandbox",
    "Served",
    "StandIn",
    "Tool",
    "Turn",
    "Upstream",
    "Wire",
    "serve",
    "unfold",
]

_EXTRA = frozenset({"starlette", "uvicorn", "multipart", "python_multipart", "PIL"})
"""The packages of the extra `sandbox`."""


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"{missing}. Install the extra `sandbox`: pip install 'rivya-integrations[sandbox]' "
            "(in a clone: '.[sandbox]')",
            name=missing.name,
        ) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
