"""The Responses API: one turn, from a message list to a reply.

https://platform.openai.com/docs/api-reference/responses and, for its `openai/` models, https://docs.gmicloud.ai. The
request is here and the plans are in `base_wire.py`; `input.py` writes the input, `output.py` and `stream.py` read the
replies. Which earlier response may be continued is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rivya_core.errors import APIError, BadRequestError, InvalidInputError, NotFoundError
from rivya_core.http.endpoint import STREAMED
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.retry import send_with_retries
from rivya_core.openai import custom_tools
from rivya_core.openai.adjusted_request import AdjustedRequest, Teaches
from rivya_core.openai.base_wire import BaseOpenAIWire
from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.options import RESPONSES_BODY, Options, present
from rivya_core.openai.responses.adjustments import adjusted, output_tool
from rivya_core.openai.responses.input import input_items
from rivya_core.openai.responses.stored_check import is_refused
from rivya_core.openai.responses.stream import ResponseReading, ResponsesStreamDecoder, read_response
from rivya_core.sessions.pointers import Origin, origin_of
from rivya_core.types import ChatDelta, Message

PATH = "/responses"
STATE = ("previous_response_id", "conversation", "background")
"""Options with which a request reads or changes what the provider stores."""


class OpenAIResponses(BaseOpenAIWire):
    """The Responses API of an OpenAI-compatible back end."""

    @property
    def origin(self) -> Origin:
        """Origin of the stored responses; ids and items of another origin are not sent."""
        return origin_of(self.endpoint.base_url, "", self.endpoint.account)

    def _reply_in(self, response: httpx.Response) -> ChatDelta:
        return read_response(response, self._reading)

    def _decode(self, response: httpx.Response) -> ResponsesStreamDecoder:
        return ResponsesStreamDecoder(response, self._reading)

    def _output_tool(self, request: AdjustedRequest, known: Quirks) -> str | None:
        return output_tool(request.write(NONE), known)

    @property
    def _reading(self) -> ResponseReading:
        headers = bool(self.options.get("include_response_headers"))
        return ResponseReading(self.origin, self.options.get("store") is not False, headers)

    def _request(self, messages: Sequence[Message], *, stream: bool) -> AdjustedRequest:
        custom = custom_tools.custom_names(self.options.get("tools") or ())
        said = input_items(messages, self.origin, self.options.get("send_back") or "own", custom)
        body = response_body(self.options, said, stream=stream)

        def write(known: Quirks) -> Mapping[str, Any]:
            return adjusted(body, known, self._further)

        return AdjustedRequest((f"{self.endpoint.base_url}{PATH}", str(self.options["model"])), write, self._insists)

    def _post(self, body: Mapping[str, Any], teaches: Teaches, *, stream: bool) -> Plan[httpx.Response]:
        request = self.endpoint.request("POST", PATH, body=body, headers=STREAMED if stream else None)
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
