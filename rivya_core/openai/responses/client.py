"""The Responses API: one turn, from a message list to a reply.

https://platform.openai.com/docs/api-reference/responses and, for its `openai/` models, https://docs.gmicloud.ai. The
plans and the request body are here; `input.py` writes the input, `output.py` and
`stream.py` read the replies. Which earlier response may be continued is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rivya_core.errors import APIError, BadRequestError, InvalidInputError, NotFoundError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.library import httpx
from rivya_core.http.plan import Decoder, Plan, Streaming
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.openai import custom_tools
from rivya_core.openai.adjusted_request import AdjustedRequest, Teaches, adjusted_stream
from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.options import RESPONSES_BODY, Options, present
from rivya_core.openai.output_tool import OutputToolDecoder, as_text
from rivya_core.openai.responses.adjustments import adjusted, output_tool
from rivya_core.openai.responses.input import input_items
from rivya_core.openai.responses.stored_check import is_refused
from rivya_core.openai.responses.stream import ResponseReading, ResponsesStreamDecoder, read_response
from rivya_core.sessions.pointers import Origin, origin_of
from rivya_core.types import ChatDelta, Message

PATH = "/responses"
STATE = ("previous_response_id", "conversation", "background")
"""Options with which a request reads or changes what the provider stores."""


@dataclass(frozen=True)
class OpenAIResponses:
    """A model behind the Responses API. It stores no conversation.

    Attributes:
        endpoint: Endpoint and credentials.
        options: Options by the names in `openai/options.py`.
        retry: How often requests are repeated, and after which delays.
    """

    endpoint: Endpoint
    options: Options
    retry: RetryPolicy = RetryPolicy()

    @property
    def origin(self) -> Origin:
        """Origin of the stored responses; ids and items of another origin are not sent."""
        return origin_of(self.endpoint.base_url, "", self.endpoint.account)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send *messages* and return the whole reply, in which every tool call is one piece.

        Raises:
            InvalidInputError: This API cannot express the messages; nothing was sent.
            NotFoundError: There is no response `previous_response_id`: send the whole conversation instead.
            RivyaError: As in `send_with_retries`, or the response holds no reply.
        """
        return (yield from self._whole(messages))

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send *messages* and return the reply that has begun.

        Its last delta, and only that, has `last`, usage, metadata and blocks.
        """
        request = self._request(messages, stream=True)
        opens, decode = partial(self._post, stream=True), partial(self._decoder, request)
        return (yield from adjusted_stream(request, opens, decode, partial(self._whole, messages)))

    def _whole(self, messages: Sequence[Message], found: Quirks | None = None) -> Plan[ChatDelta]:
        """Ask for the whole reply; *found* is what a refusal has said about the back end."""
        request = self._request(messages, stream=False)
        delta, known = yield from request.send(self._read, found)
        tool = output_tool(request.write(NONE), known)
        return as_text(delta, tool, set()) if tool else delta

    def _read(self, body: Mapping[str, Any], teaches: Teaches) -> Plan[ChatDelta]:
        return read_response((yield from self._post(body, teaches, stream=False)), self._reading)

    def _decoder(self, request: AdjustedRequest, response: httpx.Response, known: Quirks) -> Decoder[ChatDelta]:
        decoder, tool = ResponsesStreamDecoder(response, self._reading), output_tool(request.write(NONE), known)
        return OutputToolDecoder(decoder, tool) if tool else decoder

    @property
    def _reading(self) -> ResponseReading:
        headers = bool(self.options.get("include_response_headers"))
        return ResponseReading(self.origin, self.options.get("store") is not False, headers)

    def _request(self, messages: Sequence[Message], *, stream: bool) -> AdjustedRequest:
        """Return the request, which leaves out what the back end does not take."""
        custom = custom_tools.custom_names(self.options.get("tools") or ())
        said = input_items(messages, self.origin, self.options.get("send_back") or "own", custom)
        body = response_body(self.options, said, stream=stream)

        def write(known: Quirks) -> Mapping[str, Any]:
            return adjusted(body, known, self._further)

        return AdjustedRequest((f"{self.endpoint.base_url}{PATH}", str(self.options["model"])), write, self._insists)

    def _post(self, body: Mapping[str, Any], teaches: Teaches, *, stream: bool) -> Plan[httpx.Response]:
        request = self.endpoint.request("POST", PATH, body=body, headers={"accept": _accepts(stream=stream)})
        stateless = not any(body.get(name) for name in STATE)
        try:
            return (
                yield from send_with_retries(
                    request,
                    self.retry,
                    keep_open=stream,
                    stateless=stateless,
                    is_final=partial(self._is_final, teaches),
                )
            )
        except BadRequestError as error:
            if self.options.get("previous_response_id") and is_unknown_response(error):
                raise _not_found(error) from error
            raise

    def _is_final(self, teaches: Teaches, error: APIError) -> bool:
        return teaches(error) or bool(self.options.get("previous_response_id") and is_refused(error))

    @property
    def _further(self) -> Mapping[str, Any]:
        """What the caller has put into the body by hand; it is never changed."""
        return self.options.get("extra_body") or {}

    def _insists(self, found: Quirks) -> bool:
        """Whether the caller set the option that the back end refuses."""
        labels = self.options.get("metadata") and found.no_labels
        return bool(labels or found.refused & self._further.keys())


def response_body(options: Options, said: Any, *, stream: bool) -> dict[str, Any]:
    """Return the request body around the input *said*.

    Raises:
        InvalidInputError: A tool or format is not in a form that can be sent.
    """
    get = options.get
    reasoning = {"effort": get("reasoning_effort"), "summary": get("reasoning_summary")}
    optional = {
        "max_output_tokens": get("max_tokens"),
        "include": list(get("include") or ()) or None,
        "tools": [_flat(tool, "function", "custom") for tool in get("tools") or ()] or None,
        "tool_choice": _flat_choice(get("tool_choice")),
        "reasoning": {**(get("reasoning") or {}), **_set(reasoning)} or None,
        "text": _set({"format": _flat(get("response_format"), "json_schema"), "verbosity": get("verbosity")}) or None,
        "metadata": get("metadata") or get("labels") or None,
        "stream": True if stream else None,
    }
    return {**present(options, RESPONSES_BODY), "input": said, **_set(optional), **(get("extra_body") or {})}


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _flat(value: Any, *kinds: str) -> Any:
    """A function or format of chat completions in this API's form, without an inner object; the rest as it is."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind not in kinds or kind not in value:
        return value
    inner = value[kind]
    if not isinstance(inner, Mapping):
        raise InvalidInputError(f"`{kind}` must be an object; nothing was sent.")
    return {"type": kind, **inner}


def _flat_choice(choice: Any) -> Any:
    """A choice of tools in this API's form."""
    made = _flat(choice, "function", "custom", "allowed_tools")
    if made is choice or "tools" not in made:
        return made
    return {**made, "tools": [_flat(tool, "function", "custom") for tool in made["tools"]]}


def is_unknown_response(error: APIError) -> bool:
    """Whether *error* says that the response to be continued is not there."""
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


def _accepts(*, stream: bool) -> str:
    return "text/event-stream" if stream else "application/json"
