"""Any fault that the sandbox can inject into a chat turn, chosen at random."""

from __future__ import annotations

import random
from typing import Any

from rivya_sandbox import Fault

CHAT = "/chat/completions"
KINDS = (
    "refuse",
    "refuse",
    "busy",
    "break",
    "drop",
    "cut",
    "error in stream",
    "body",
    "lose",
    "hang",
    "gateway",
    "upload",
)
BODIES = (b"<html>Bad gateway</html>", b"", b"{", b"null", b'{"error": "no"}')


def any_fault(chance: random.Random) -> tuple[Fault, dict[str, Any], bool]:
    """Any fault, what the call needs to meet it, and whether it takes the session away."""
    pick, times = chance.choice, chance.randrange(1, 4)
    kind = pick(KINDS)
    options = {"timeout": 0.03} if kind == "hang" else {}
    facts: dict[str, Any] = {
        "refuse": {"code": pick(("validation_failed", "insufficient_credits", "api_scope_denied"))},
        "busy": {"code": pick(("rate_limited", "public_api_disabled"))},
        "break": {"status": pick((500, 502, 504)), "processed": pick((True, False))},
        "drop": {"drop": pick(("before", "after"))},
        "cut": {"cut": chance.randrange(9)},
        "error in stream": {"cut": chance.randrange(4), "code": "internal_error"},
        "body": {"body": pick(BODIES), "processed": pick((True, False))},
        "lose": {"code": pick(("not_found", "chat_session_conflict"))},
        "hang": {"hang": 0.3, "cut": pick((None, 0, 2))},
        "gateway": {"status": 503, "body": b"upstream reset", "processed": pick((True, False))},
        "upload": {"path": "/files", "status": pick((500, 400))},
    }[kind]
    fault = Fault(**{"path": CHAT, "times": min(times, 2) if kind == "lose" else times, **facts})
    return fault, options, kind == "lose"
