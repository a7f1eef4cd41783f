"""The options of a call of an OpenAI-compatible API, by the names that users know: one table for both APIs.

| option | value |
|---|---|
| `model` | model id |
| `temperature` | 0 to 2 |
| `max_tokens` | limit of the reply's tokens, reasoning included; sent under the name that API and model expect |
| `top_p` | 0 to 1 |
| `stop` | one sequence, or up to four |
| `seed` | for a reply that is repeatable as far as possible |
| `frequency_penalty`, `presence_penalty` | -2 to 2 |
| `logit_bias` | bias by token id |
| `logprobs`, `top_logprobs` | whether to return log probabilities, and how many alternatives, 0 to 20 |
| `reasoning_effort` | for example `low`; which ones there are depends on the model |
| `reasoning_summary` | `auto`, `concise` or `detailed` |
| `reasoning` | the Responses API's object; the two options above are merged into it |
| `verbosity` | `low`, `medium` or `high` |
| `parallel_tool_calls` | whether several calls may come in one reply |
| `max_tool_calls` | how many built-in tool calls there may be |
| `tools` | functions in the form of chat completions, built-in tools in their own |
| `tool_choice`, `response_format` | in the form of chat completions or of the Responses API |
| `prediction` | a predicted output |
| `service_tier` | for example `flex` |
| `user`, `safety_identifier` | the caller's own user, for abuse detection |
| `prompt_cache_key`, `prompt_cache_retention` | which prompts share a cache, and how long it lasts |
| `store`, `metadata` | whether the provider keeps the reply, and its labels |
| `labels` | sent as `metadata` where that is not set and the server takes it |
| `instructions` | a system message for this request alone |
| `previous_response_id` | the stored response that the input continues |
| `include` | what else the response is to hold, for example `reasoning.encrypted_content` |
| `truncation` | `auto` or `disabled` |
| `stream_usage` | whether to ask for usage in streams; without it the provider's data decide |
| `extra_body` | merged into the body last, for what has no name here |
| `include_response_headers` | whether the reply's metadata hold the response's headers |
| `send_back` | which state of a reply goes back to the back end that sent it: `own`, `none`, or a list of names |
| `think_tags` | whether text in `<think>` tags is reasoning instead of text |

An option that is missing or None is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]

_SAME = (
    "model temperature top_p parallel_tool_calls top_logprobs service_tier user safety_identifier prompt_cache_key "
    "prompt_cache_retention store metadata"
)
CHAT_BODY = tuple(
    f"{_SAME} seed frequency_penalty presence_penalty logit_bias logprobs reasoning_effort verbosity tool_choice "
    "response_format prediction".split()
)
"""Options that a chat completion request holds under the same name and in the same form."""
RESPONSES_BODY = tuple(f"{_SAME} instructions previous_response_id truncation max_tool_calls".split())
"""The same for the Responses API."""

_SHARED = {"max_tokens", "tools", "extra_body", "include_response_headers", "send_back"}
CHAT_OPTIONS = frozenset({*CHAT_BODY, *_SHARED, "stop", "stream_usage", "think_tags"})
"""All options of chat completions."""
RESPONSES_OPTIONS = frozenset(
    {*RESPONSES_BODY, *_SHARED}
    | set("reasoning_effort reasoning_summary reasoning verbosity response_format include tool_choice".split())
)
"""All options of the Responses API."""
ROUTING = frozenset({"use_responses_api", "use_previous_response_id", "on_history_mismatch"})
"""Options that choose the API and the stored response."""
OPTIONS = CHAT_OPTIONS | RESPONSES_OPTIONS | ROUTING
"""Every option that a call may have."""


def present(options: Options, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options called *names* that are set."""
    return {name: value for name in names if (value := options.get(name)) is not None}


SEARCHES = frozenset("web_search_options plugins search_parameters web_search enable_search".split())
"""Keys with which chat completions of several vendors ask for a search."""


def asks_for_sources(options: Options) -> bool:
    """Whether the reply probably cites sources: the request holds a tool of the provider, or asks for a search."""
    kinds = {tool.get("type", "function") for tool in options.get("tools") or () if isinstance(tool, Mapping)}
    body = options.get("extra_body") or {}
    return bool(kinds - {"function", "custom"} or SEARCHES & body.keys())
