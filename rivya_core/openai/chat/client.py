"""Chat completions: a turn of a conversation that the caller holds, from a message list to a reply.

https://platform.openai.com/docs/api-reference/chat, https://docs.gmicloud.ai and https://docs.evolink.ai. Plans and the
request body are here; messages are written by `openai_messages`, replies read by `openai_stream`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from rivya_core.errors import BadRequestError, NotSupportedError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.models import ModelEntry, list_models
from rivya_core.openai.chat import quirks
from rivya_core.openai.chat.messages import wire_messages
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.providers import CompletionsProfile
from rivya_core.types import ChatDelta, Message

PATH = "/chat/completions"


@dataclass(frozen=True)
class OpenAIOptions:
    """What a chat completion request may say beside its messages; None and what is empty are not sent.

    Attributes:
        model: Model id.
        temperature: 0 to 2.
        max_tokens: Limit of the reply's tokens, reasoning included; goes out under the name that the model wants.
        top_p: 0 to 1.
        stop: One sequence, or up to four.
        seed: For a reply that is repeatable as far as possible.
        frequency_penalty: -2 to 2.
        presence_penalty: -2 to 2.
        logit_bias: Bias by token id.
        logprobs: Whether to return log probabilities.
        top_logprobs: How many alternatives, 0 to 20.
        reasoning_effort: For example `low`; which ones there are is the model's.
        verbosity: `low`, `medium` or `high`.
        parallel_tool_calls: Whether several calls may come in one reply.
        service_tier: For example `flex`.
        user: The caller's own user, for abuse detection.
        store: Whether the provider keeps the reply.
        metadata: Labels of a stored reply.
        tools: In the wire's form, `{"type": "function", "function": {...}}`.
        tool_choice: In the wire's form: `auto`, `none`, `required` or an object.
        response_format: In the wire's form.
        stream_usage: Whether to ask for usage in streams; None leaves it to the provider's data.
        extra_body: Merged into the body last, for what has no name here.
        include_response_headers: Whether the reply's metadata hold the answer's headers.
        think_tags: Whether text in `<think>` tags is the reply's thought instead of its text.
    """

    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: Sequence[str] | str | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    parallel_tool_calls: bool | None = None
    service_tier: str | None = None
    user: str | None = None
    store: bool | None = None
    metadata: Mapping[str, str] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    stream_usage: bool | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    include_response_headers: bool = False
    think_tags: bool = False


SENT_AS_IS = (
    "model temperature top_p seed frequency_penalty presence_penalty logit_bias logprobs top_logprobs reasoning_effort "
    "verbosity parallel_tool_calls service_tier user store metadata tool_choice response_format"
).split()


@dataclass(frozen=True)
class OpenAIChat:
    """A chat model behind an OpenAI-compatible API; it holds no state of any conversation.

    Attributes:
        endpoint: Where, and as whom.
        options: What the request says beside its messages.
        retry: How often and how patiently requests are repeated.
    """

    endpoint: Endpoint
    options: OpenAIOptions
    retry: RetryPolicy = RetryPolicy()

    @cached_property
    def rules(self) -> CompletionsProfile:
        """How the model wants its requests written."""
        return self.endpoint.provider.completions_profile(self.options.model)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send *messages* and return the whole reply, in which every tool call is one piece.

        Raises:
            InvalidInputError: The messages cannot be said on this wire; nothing was sent.
            RivyaError: As `send_with_retries` says, or the answer is no reply.
        """
        response = yield from self._send(messages, stream=False)
        return read_whole(response, self._reading)

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send *messages* and return the reply that has begun.

        Its last delta, and only that, has `last`, usage, metadata and blocks.
        """
        response = yield from self._send(messages, stream=True)
        return Streaming(response, CompletionsStreamDecoder(response, self._reading), _unchanged, _nothing)

    def models(self) -> Plan[tuple[ModelEntry, ...]]:
        """Return the models that the API lists."""
        return list_models(self.endpoint, self.retry)

    @property
    def _reading(self) -> Reading:
        return Reading(self.options.think_tags, self.options.include_response_headers)

    def _send(self, messages: Sequence[Message], *, stream: bool) -> Plan[httpx.Response]:
        """Send the request; what the back end is known or turns out not to take is left out or renamed."""
        said = wire_messages(messages, self.rules)
        known = quirks.known(self.endpoint.base_url, self.options.model)
        while True:
            body = chat_body(self.options, self.rules, said, known, stream=stream)
            request = self.endpoint.request("POST", PATH, body=body, headers={"accept": _accepts(stream=stream)})
            try:
                return (
                    yield from send_with_retries(
                        request, self.retry, keep_open=stream, idempotent=self.endpoint.idempotent(PATH)
                    )
                )
            except BadRequestError as error:
                found = quirks.quirk_from_error(error, body, known)
                if found is None or (self.options.stream_usage and found.no_stream_options):
                    raise
                known = quirks.remember(self.endpoint.base_url, self.options.model, found)


def chat_body(
    options: OpenAIOptions,
    rules: CompletionsProfile,
    messages: Sequence[Mapping[str, Any]],
    known: quirks.Quirks = quirks.NONE,
    *,
    stream: bool,
) -> dict[str, Any]:
    """Return the request body.

    Raises:
        NotSupportedError: `n` asks for several replies.
    """
    values = {name: getattr(options, name) for name in SENT_AS_IS}
    values["messages"] = messages
    values["stop"] = options.stop or None
    values["tools"] = list(options.tools) or None
    values[known.limit_key or rules.limit_key] = options.max_tokens
    if stream:
        values["stream"] = True
        asked = rules.stream_options if options.stream_usage is None else options.stream_usage
        values["stream_options"] = {"include_usage": True} if asked and not known.no_stream_options else None
    body = {key: value for key, value in values.items() if value is not None} | dict(options.extra_body)
    if body.get("n") not in (None, 1):
        raise NotSupportedError("One request gives one reply here; ask several times instead of setting `n`.")
    return body


def _unchanged(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
    yield from ()
    return closing


def _nothing() -> Plan[None]:
    yield from ()


def _accepts(*, stream: bool) -> str:
    return "text/event-stream" if stream else "application/json"
