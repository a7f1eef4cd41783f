"""The choice between the two OpenAI APIs for a call, and the options for the chosen one.

Adapters pass one mapping of settings, by the common names of both APIs. A setting that the chosen API does not
support is an error that names it; no setting is dropped silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.openai.options import CHAT_OPTIONS, RESPONSES_OPTIONS, Options
from rivya_core.openai.responses.client import OpenAIResponses
from rivya_core.openai.responses.continuation import ResponseChain
from rivya_core.openai.tool_names import ToolNames, needs_names, renamed_stream, tool_names
from rivya_core.types import ChatDelta, Media, Message

ONLY_CHAT = CHAT_OPTIONS - RESPONSES_OPTIONS - {"stream_usage", "think_tags", "logprobs"}
"""Settings of chat completions only. The Responses API has no equivalent, under any name."""
ONLY_RESPONSES = RESPONSES_OPTIONS - CHAT_OPTIONS
"""Settings of the Responses API only."""
SIGNS = ("include", "use_previous_response_id", "previous_response_id")
"""Settings that need the Responses API."""
BUILT_IN = (
    "web_search file_search code_interpreter image_generation mcp computer computer_use_preview local_shell shell "
    "apply_patch tool_search"
).split()
"""Types of tools that the provider runs, without their dated variants."""


@dataclass(frozen=True)
class OpenAIRouter:
    """A model behind chat completions or the Responses API; each turn uses the API that it needs.

    Attributes:
        endpoint: Endpoint and credentials.
        settings: Settings by the names in `openai/options.py`; None counts as not set.
        retry: How often requests are repeated, and after which delays.
    """

    endpoint: Endpoint
    settings: Options
    retry: RetryPolicy = RetryPolicy()

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send *messages* and return the whole reply."""
        names = self._names(messages)
        if names is None:
            return self.api(messages).reply(messages)
        return self._renamed_reply([names.message(message) for message in messages], names)

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send *messages* and return the reply that has begun."""
        names = self._names(messages)
        if names is None:
            return self.api(messages).stream(messages)
        said = [names.message(message) for message in messages]
        return renamed_stream(self._with_names(names).api(said).stream(said), names)

    def _names(self, messages: Sequence[Message]) -> ToolNames | None:
        """The names of tools that are sent differently, or None where all are legal."""
        tools = self.settings.get("tools") or ()
        return tool_names(tools) if needs_names(tools, messages) else None

    def _with_names(self, names: ToolNames) -> OpenAIRouter:
        settings = {**self.settings, "tools": [names.tool(tool) for tool in self.settings.get("tools") or ()]}
        if isinstance(settings.get("tool_choice"), Mapping):
            settings["tool_choice"] = names.choice(settings["tool_choice"])
        return replace(self, settings=settings)

    def _renamed_reply(self, messages: Sequence[Message], names: ToolNames) -> Plan[ChatDelta]:
        delta = yield from self._with_names(names).api(messages).reply(messages)
        return names.delta(delta)

    def api(self, messages: Sequence[Message]) -> OpenAIChat | ResponseChain:
        """Return the API that the turn uses.

        Raises:
            NotSupportedError: The API does not support a setting.
            InvalidInputError: Two settings exclude each other.
        """
        given = {name: value for name, value in self.settings.items() if value is not None}
        wanted = given.get("use_responses_api")
        if wanted or (wanted is None and needs_responses(given, messages)):
            return self._responses(given)
        _refuse(given, ONLY_RESPONSES, "Chat completions have no", "set `use_responses_api=True`")
        return OpenAIChat(self.endpoint, given, self.retry)

    def _responses(self, given: Mapping[str, Any]) -> ResponseChain:
        _refuse(
            given,
            ONLY_CHAT,
            "The Responses API has no",
            "leave it out or use chat completions",
        )
        if given.get("use_previous_response_id") and given.get("previous_response_id"):
            raise InvalidInputError(
                "`previous_response_id` names the response to continue, `use_previous_response_id` lets the messages "
                "decide; set one of them."
            )
        options = dict(given)
        if given.get("logprobs"):
            options["include"] = [*options.get("include", ()), "message.output_text.logprobs"]
        responses = OpenAIResponses(self.endpoint, options, self.retry)
        chained = bool(given.get("use_previous_response_id"))
        return ResponseChain(responses, chained, given.get("on_history_mismatch", "replay"))


def needs_responses(given: Mapping[str, Any], messages: Sequence[Message]) -> bool:
    """Whether a turn needs the Responses API: it has a built-in tool, `include` or a file by URL."""
    if any(map(given.get, SIGNS)) or any(map(_is_built_in, given.get("tools", ()))):
        return True
    for message in messages:
        for part in message.parts:
            if isinstance(part, Media) and _by_reference(part):
                return True
    return False


def _is_built_in(tool: Mapping[str, Any]) -> bool:
    kind = str(tool.get("type"))
    return any(kind == name or kind.startswith((f"{name}_20", f"{name}_preview")) for name in BUILT_IN)


def _by_reference(media: Media) -> bool:
    return (media.kind == "file" and media.url is not None) or (media.kind == "image" and media.file_id is not None)


def _refuse(given: Mapping[str, Any], names: frozenset[str], what: str, instead: str) -> None:
    if names.isdisjoint(given):
        return
    found = sorted(name for name in names.intersection(given) if given[name] not in (None, (), [], {}, ""))
    if found:
        raise NotSupportedError(f"{what} `{'`, `'.join(found)}`; {instead}. Nothing was sent.")
