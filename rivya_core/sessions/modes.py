"""The words that choose how sessions are continued, and the key under which a message's metadata hold its pointer."""

from __future__ import annotations

from typing import Literal

POINTER_KEY = "rivya_session"
OnMismatch = Literal["replay", "error"]
"""What to do with a history that no session holds."""
LongReplay = Literal["error", "parts"]
"""What to do with a history that must be replayed and is longer than one message."""
OnRepair = Literal["continue", "replay"]
"""What to do at the next turn with a session that holds a repair turn."""
