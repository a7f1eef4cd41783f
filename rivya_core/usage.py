"""Token counts, as all the wires write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.chat import Usage

INPUT = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokens", "promptTokenCount", "input")
OUTPUT = ("completion_tokens", "output_tokens", "outputTokens", "completionTokens", "candidatesTokenCount", "output")
TOTAL = ("total_tokens", "totalTokens", "totalTokenCount", "total")
INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
CACHED = ("prompt_cache_hit_tokens", "gmi_cached_tokens")


def read_usage(value: Any) -> Usage | None:
    """Return the counts in a `usage` object, or None if it holds none.

    Of several names for one count the first that is not zero counts: Evolink fills `prompt_tokens` and sends
    `input_tokens: 0` beside it.
    """
    if not isinstance(value, Mapping):
        return None
    spent, made = _count(value, INPUT), _count(value, OUTPUT)
    total = _count(value, TOTAL)
    if spent is None and made is None and total is None:
        return None
    inputs, outputs = _object(value, INPUT_DETAILS), _object(value, OUTPUT_DETAILS)
    cached = _count(inputs, ("cached_tokens",))
    return Usage(
        input_tokens=spent or 0,
        output_tokens=made or 0,
        total_tokens=total or (spent or 0) + (made or 0),
        cached_tokens=_count(value, CACHED) if cached is None else cached,
        reasoning_tokens=_count(outputs, ("reasoning_tokens",)),
        audio_input_tokens=_count(inputs, ("audio_tokens",)),
        audio_output_tokens=_count(outputs, ("audio_tokens",)),
        cache_write_tokens=_count(inputs, ("cache_write_tokens", "cache_creation_tokens")),
    )


def _count(value: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    count = None
    for name in names:
        if name in value and (found := _whole(value[name])) is not None:
            if found:
                return found
            count = 0
    return count


def _whole(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        return None


def _object(value: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((found for name in names if isinstance(found := value.get(name), Mapping)), {})
