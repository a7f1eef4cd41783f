"""What a back end turned out not to take, remembered for the life of the process.

A request that is refused for one of these reasons costs nothing, is changed and sent again; the next requests to the
same model are right at once. Nothing else about a request is ever changed on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rivya_core.errors import BadRequestError

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
MOST_MODELS = 1000


@dataclass(frozen=True, slots=True)
class Quirks:
    """What is known of a model behind a base URL.

    Attributes:
        no_stream_options: It refuses `stream_options`.
        no_labels: It refuses `metadata`.
        ignores_schemas: It ignores the JSON schema of a response format.
        limit_key: It wants this name for the limit of the reply's tokens.
    """

    no_stream_options: bool = False
    no_labels: bool = False
    ignores_schemas: bool = False
    limit_key: str | None = None


NONE = Quirks()
_known: dict[tuple[str, str], Quirks] = {}


def known(base_url: str, model: str) -> Quirks:
    """Return what is known."""
    return _known.get((base_url, model), NONE)


def remember(base_url: str, model: str, found: Quirks) -> Quirks:
    """Keep what was found, and return it."""
    while len(_known) >= MOST_MODELS:
        _known.pop(next(iter(_known)), None)
    _known[base_url, model] = found
    return found


def forget() -> None:
    """Forget everything."""
    _known.clear()


def quirk_from_error(error: BadRequestError, body: Mapping[str, Any], before: Quirks) -> Quirks | None:
    """Return what *error* says about the back end beyond *before*, or None if it is about something else."""
    words = f"{error.param or ''} {error}"
    if (
        not before.no_stream_options
        and "stream_options" in body
        and ("stream_options" in words or "include_usage" in words)
    ):
        return replace(before, no_stream_options=True)
    if not before.no_labels and "metadata" in body and "metadata" in words:
        return replace(before, no_labels=True)
    if before.limit_key is None:
        for sent, other in (TOKEN_LIMITS, TOKEN_LIMITS[::-1]):
            if sent in body and _refuses(error, words, sent, other):
                return replace(before, limit_key=other)
    return None


def _refuses(error: BadRequestError, words: str, sent: str, other: str) -> bool:
    """Whether the name *sent* is refused, not its value."""
    unknown = error.code in ("unsupported_parameter", "unknown_parameter") or other in words
    return unknown and (error.param == sent or sent in words.split("'") or f"`{sent}`" in words or other in words)
