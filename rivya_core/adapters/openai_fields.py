"""The fields of the chat classes of OpenAI-compatible APIs, and how a call of them becomes a turn on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from rivya_core.adapters.arguments import ONLY_RIVYA
from rivya_core.adapters.connection import CALL_OPTIONS, Connection
from rivya_core.adapters.prompting import PROMPT_OPTIONS, ToolCalling, prompt_of
from rivya_core.adapters.tool_choice import tool_choice_for, tool_list
from rivya_core.extras import LazyModule
from rivya_core.http.endpoint import checked_headers
from rivya_core.openai.options import OPTIONS
from rivya_core.sessions.modes import OnMismatch
from rivya_core.types import SendBack

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.chat_stream import Wire
    from rivya_core.http import retry
    from rivya_core.openai import router
    from rivya_core.structured import wire_forms
else:
    retry, router = LazyModule("rivya_core.http.retry"), LazyModule("rivya_core.openai.router")
    wire_forms = LazyModule("rivya_core.structured.wire_forms")


class OpenAIFields(Connection):
    """Options of chat completions and the Responses API. What is not set is not sent."""

    call_options: ClassVar[frozenset[str]] = CALL_OPTIONS | OPTIONS | {"repair"}
    lacking: ClassVar[Mapping[str, str]] = ONLY_RIVYA

    temperature: float | None = None
    """0 to 2; many reasoning models take none."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Limit of the reply's tokens, reasoning included; sent under the name that API and model expect."""
    top_p: float | None = None
    """0 to 1."""
    stop: list[str] | str | None = None
    """Up to four texts that end the reply."""
    seed: int | None = None
    """Seed for replies that are as repeatable as possible."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    presence_penalty: float | None = None
    """-2 to 2."""
    logit_bias: Mapping[str, float] | None = None
    """Bias by token id."""
    logprobs: bool | None = None
    """Whether to return log probabilities."""
    top_logprobs: int | None = None
    """How many alternatives, 0 to 20."""
    reasoning_effort: str | None = None
    """For example `low`; the valid values depend on the model."""
    verbosity: str | None = None
    """`low`, `medium` or `high`."""
    parallel_tool_calls: bool | None = None
    """Whether several calls may come in one reply; sent only with tools."""
    prediction: Mapping[str, Any] | None = None
    """A predicted output, for example `{"type": "content", "content": ...}`. Chat completions only."""
    service_tier: str | None = None
    """For example `flex`."""
    user: str | None = None
    """Your own user, for abuse detection."""
    safety_identifier: str | None = None
    """A stable id of your own user, for abuse detection; the newer name of `user`."""
    prompt_cache_key: str | None = None
    """Requests with the same key share a prompt cache."""
    prompt_cache_retention: str | None = None
    """How long the prompt cache lasts, for example `24h`."""
    store: bool | None = None
    """Whether the provider keeps the reply."""
    request_metadata: Mapping[str, str] | None = None
    """Labels of the stored reply; sent as `metadata`, which is also the name in a call."""
    stream_usage: bool | None = None
    """Whether to ask for usage in streams; by default wherever the provider is not known to refuse it."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """Merged into the body of every request, for options without a field here."""
    retry_lost_answers: bool = False
    """Whether to repeat a call whose response was lost (a timeout, a broken connection), although it may be charged."""
    include_response_headers: bool = False
    """Whether the reply's metadata include the response's headers."""
    think_tags: bool = False
    """Whether text in `<think>` tags is reasoning instead of text."""
    send_back: SendBack = "own"
    """Which state of a reply (`reasoning_content`, `reasoning_details`, a call's `extra_content`, ...) goes back to the
    back end that sent it: all (`own`), none (`none`), or the keys with these names. In the Responses API the names are
    types of items, for example `reasoning`. It never goes to another base URL, model or key."""
    built_in_tools: Sequence[Mapping[str, Any]] = ()
    """The provider's own tools, sent with every call, for example `{"type": "web_search_preview"}`."""

    tool_calling: ToolCalling = "native"
    """How tools and schemas are sent: `native` as the API has them, `prompted` in words, for servers without tools."""
    repair: bool = True
    """With `tool_calling="prompted"`: whether a reply that does not fit is asked for once more, in another call."""

    use_responses_api: bool | None = None
    """Whether to use the Responses API; by default where a turn needs it: a built-in tool, `include`, a file by URL."""
    use_previous_response_id: bool = False
    """Whether to continue the stored response of the last reply, as long as it holds exactly the messages."""
    on_history_mismatch: OnMismatch = "replay"
    """With `use_previous_response_id`: what to do with a history that no stored response holds, `replay` or `error`."""
    previous_response_id: str | None = None
    """A stored response to continue, unchecked; the messages are sent as they are. Responses API."""
    instructions: str | None = None
    """A system message in addition to the messages. Responses API."""
    include: Sequence[str] | None = None
    """What else the response is to hold, for example `reasoning.encrypted_content`. Responses API."""
    truncation: str | None = None
    """`auto` or `disabled`. Responses API."""
    reasoning: Mapping[str, Any] | None = None
    """For example `{"effort": "low", "summary": "auto"}`. Responses API."""
    reasoning_summary: str | None = None
    """`auto`, `concise` or `detailed`. Responses API."""
    max_tool_calls: int | None = None
    """How many built-in tool calls there may be. Responses API."""

    def _wire(self, options: Mapping[str, Any]) -> Wire:
        if self.tool_calling == "native":
            return self._router(options)
        from rivya_core.prompted.wire import PromptedWire

        rest = {name: value for name, value in options.items() if name not in PROMPT_OPTIONS}
        return PromptedWire(self._router(rest), prompt_of(options, repair=self.repair))

    def _router(self, options: Mapping[str, Any]) -> router.OpenAIRouter:
        where = self._endpoint_for(options)
        if options.get("idempotency_key"):
            own = checked_headers(self.provider, {"idempotency-key": options["idempotency_key"]})
            where = replace(where, headers={**where.headers, **own})
        return router.OpenAIRouter(where, self._settings(options), self._retry)

    @property
    def _retry(self) -> retry.RetryPolicy:
        return retry.retry_policy(self.max_retries, self.max_retry_seconds, self.retry_lost_answers)

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the model's options with a call's overrides; a call's None takes an option back."""
        names, preset = _fields(type(self))
        own, given = self.__dict__, sorted(preset | (names & self.__pydantic_fields_set__))
        settings: dict[str, Any] = {name: own[name] for name in given if own[name] is not None}
        settings["metadata"] = self.request_metadata
        asked = options.get("tools")
        tools = (*self.built_in_tools, *(map(wire_forms.wire_tool, tool_list(asked)) if asked else ()))
        if not tools:
            settings.pop("parallel_tool_calls", None)
        if options:
            settings.update((name, value) for name, value in options.items() if name in OPTIONS)
        settings["tools"] = tools
        settings["model"] = settings.get("model") or self.model
        settings["extra_body"] = {**self.extra_body, **(options.get("extra_body") or {})}
        if options.get("response_format") is not None:
            settings["response_format"] = wire_forms.response_format(options["response_format"])
        if "tool_choice" in options:
            settings["tool_choice"] = tool_choice_for(options["tool_choice"], tools)
        return settings


@lru_cache(maxsize=64)
def _fields(kind: type[OpenAIFields]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the options that *kind* has as fields, and those of them whose default is not None.

    `metadata` is not among them, which is something of the framework's own.
    """
    known = kind.model_fields
    names = OPTIONS & known.keys() - {"metadata", "extra_body"}
    return names, frozenset(name for name in names if known[name].default is not None)
