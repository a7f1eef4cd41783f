"""The Responses API: a turn of a conversation, from a message list to a reply.

https://platform.openai.com/docs/api-reference/responses and, for its `openai/` models, https://docs.gmicloud.ai. The
plans and the request body are here; input is written by `responses_input`, replies are read by `responses_output` and
`openai_responses_stream`. Which earlier response may be continued is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from rivya_core.errors import BadRequestError, InvalidInputError, NotFoundError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan, Streaming
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.models import ModelEntry, list_models
from rivya_core.openai.responses.input import input_items
from rivya_core.openai.responses.stream import ResponseReading, ResponsesStreamDecoder, read_response
from rivya_core.sessions.pointers import Origin, origin_of
from rivya_core.types import ChatDelta, Message

PATH = "/responses"


@dataclass(frozen=True)
class ResponsesOptions:
    """What a request may say beside its input; None and what is empty are not sent.

    Attributes:
        model: Model id.
        instructions: A system message for this request alone; not inherited through `previous_response_id`.
        previous_response_id: The stored response that the input continues.
        store: Whether the provider keeps the response; it does unless this is False.
        max_tokens: Limit of the output's tokens, reasoning included; goes out as `max_output_tokens`.
        temperature: 0 to 2.
        top_p: 0 to 1.
        reasoning_effort: For example `low`; goes out inside `reasoning`.
        reasoning_summary: `auto`, `concise` or `detailed`; goes out inside `reasoning`.
        reasoning: Merged into `reasoning`.
        verbosity: `low`, `medium` or `high`; goes out inside `text`.
        response_format: In the form of chat completions or of this API; goes out as `text.format`.
        include: What else the answer is to hold, for example `reasoning.encrypted_content`.
        truncation: `auto` or `disabled`.
        tools: Functions in the form of chat completions or flat, and built-in tools as they are.
        tool_choice: In the form of chat completions or of this API.
        parallel_tool_calls: Whether several calls may come in one reply.
        max_tool_calls: How many built-in tool calls there may be.
        top_logprobs: How many alternatives, 0 to 20.
        service_tier: For example `flex`.
        user: The caller's own user, for abuse detection.
        metadata: Labels of the stored response.
        extra_body: Merged into the body last, for what has no name here.
        include_response_headers: Whether the reply's metadata hold the answer's headers.
    """

    model: str
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    reasoning_summary: str | None = None
    reasoning: Mapping[str, Any] | None = None
    verbosity: str | None = None
    response_format: Mapping[str, Any] | None = None
    include: Sequence[str] = ()
    truncation: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    top_logprobs: int | None = None
    service_tier: str | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    include_response_headers: bool = False


SENT_AS_IS = (
    "model instructions previous_response_id store temperature top_p truncation parallel_tool_calls max_tool_calls "
    "top_logprobs service_tier user metadata"
).split()


@dataclass(frozen=True)
class OpenAIResponses:
    """A model behind the Responses API; it holds no state of any conversation.

    Attributes:
        endpoint: Where, and as whom.
        options: What the request says beside its input.
        retry: How often and how patiently requests are repeated.
    """

    endpoint: Endpoint
    options: ResponsesOptions
    retry: RetryPolicy = RetryPolicy()

    @property
    def origin(self) -> Origin:
        """Where responses are kept; ids and items of another origin mean nothing here."""
        key = self.endpoint.key.get_secret_value() if self.endpoint.key else ""
        return origin_of(self.endpoint.base_url, "", key)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send *messages* and return the whole reply, in which every tool call is one piece.

        Raises:
            InvalidInputError: The messages cannot be said on this wire; nothing was sent.
            NotFoundError: There is no response `previous_response_id`: send the whole conversation instead.
            RivyaError: As `send_with_retries` says, or the answer is no reply.
        """
        response = yield from self._send(messages, stream=False)
        return read_response(response, self._reading)

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send *messages* and return the reply that has begun.

        Its last delta, and only that, has `last`, usage, metadata and blocks.
        """
        response = yield from self._send(messages, stream=True)
        return Streaming(response, ResponsesStreamDecoder(response, self._reading), _unchanged, _nothing)

    def models(self) -> Plan[tuple[ModelEntry, ...]]:
        """Return the models that the API lists."""
        return list_models(self.endpoint, self.retry)

    @property
    def _reading(self) -> ResponseReading:
        return ResponseReading(self.origin, self.options.store is not False, self.options.include_response_headers)

    def _send(self, messages: Sequence[Message], *, stream: bool) -> Plan[httpx.Response]:
        body = response_body(self.options, input_items(messages, self.origin), stream=stream)
        request = self.endpoint.request("POST", PATH, body=body, headers={"accept": _accepts(stream=stream)})
        try:
            return (
                yield from send_with_retries(
                    request, self.retry, keep_open=stream, idempotent=self.endpoint.idempotent(PATH)
                )
            )
        except BadRequestError as error:
            if self.options.previous_response_id and _is_unknown_response(error):
                raise _not_found(error) from error
            raise


def response_body(options: ResponsesOptions, said: Any, *, stream: bool) -> dict[str, Any]:
    """Return the request body around the input *said*.

    Raises:
        InvalidInputError: A tool or format is not in a form that can be sent.
    """
    values: dict[str, Any] = {name: getattr(options, name) for name in SENT_AS_IS}
    values["input"] = said
    values["max_output_tokens"] = options.max_tokens
    values["include"] = list(options.include) or None
    values["tools"] = [_flat(tool, "function") for tool in options.tools] or None
    values["tool_choice"] = _flat(options.tool_choice, "function")
    values["reasoning"] = _known(
        {**(options.reasoning or {}), "effort": options.reasoning_effort, "summary": options.reasoning_summary},
        options.reasoning or {},
    )
    values["text"] = _known({"format": _flat(options.response_format, "json_schema"), "verbosity": options.verbosity})
    if stream:
        values["stream"] = True
    return {key: value for key, value in values.items() if value is not None} | dict(options.extra_body)


def _known(values: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    found = {key: value for key, value in values.items() if value is not None}
    return {**(defaults or {}), **found} or None


def _flat(value: Any, kind: str) -> Any:
    """A function or format of chat completions in this API's form, without an inner object; the rest as it is."""
    if not isinstance(value, Mapping) or value.get("type") != kind or kind not in value:
        return value
    inner = value[kind]
    if not isinstance(inner, Mapping):
        raise InvalidInputError(f"`{kind}` must be an object; nothing was sent.")
    return {"type": kind, **inner}


def _is_unknown_response(error: BadRequestError) -> bool:
    named = error.param == "previous_response_id" or "previous response" in str(error).lower()
    return error.code == "previous_response_not_found" or (named and "not found" in str(error).lower())


def _not_found(error: BadRequestError) -> NotFoundError:
    return NotFoundError(
        f"{error} Send the whole conversation without `previous_response_id`.",
        status=error.status,
        code="previous_response_not_found",
        param=error.param,
        request_id=error.request_id,
        body=error.body,
        response=error.response,
    )


def _unchanged(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
    yield from ()
    return closing


def _nothing() -> Plan[None]:
    yield from ()


def _accepts(*, stream: bool) -> str:
    return "text/event-stream" if stream else "application/json"
