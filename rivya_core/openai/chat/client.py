"""Chat completions: one turn, from the caller's message list to a reply.

https://platform.openai.com/docs/api-reference/chat, https://docs.gmicloud.ai and https://docs.evolink.ai. Plans and the
request body are here; `messages.py` writes the messages and `stream.py` reads the replies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from rivya_core.errors import NotSupportedError
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.library import httpx
from rivya_core.http.plan import Decoder, Plan, Streaming
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.openai import custom_tools
from rivya_core.openai.adjusted_request import AdjustedRequest, Teaches, adjusted_stream
from rivya_core.openai.chat.adjustments import adjusted, output_tool
from rivya_core.openai.chat.messages import wire_messages
from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.openai.options import CHAT_BODY, Options, present
from rivya_core.openai.output_tool import OutputToolDecoder, as_text
from rivya_core.openai.reply_state import NO_STATE, STATE_KEY, ReplyState, sends_back, state_to_send
from rivya_core.providers import CompletionsProfile
from rivya_core.sessions.pointers import Origin, origin_of
from rivya_core.types import ChatDelta, Message, SendBack

PATH = "/chat/completions"


@dataclass(frozen=True)
class OpenAIChat:
    """A chat model behind an OpenAI-compatible API. It stores no conversation.

    Attributes:
        endpoint: Endpoint and credentials.
        options: Options by the names in `openai/options.py`.
        retry: How often requests are repeated, and after which delays.
    """

    endpoint: Endpoint
    options: Options
    retry: RetryPolicy = RetryPolicy()

    @property
    def model(self) -> str:
        """Model id."""
        return str(self.options["model"])

    @cached_property
    def rules(self) -> CompletionsProfile:
        """The request format that the model expects."""
        return self.endpoint.provider.completions_profile(self.model)

    @property
    def origin(self) -> Origin:
        """Origin of the replies; state of another origin is not sent."""
        return origin_of(f"{self.endpoint.base_url}{PATH}", self.model, self.endpoint.account)

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send *messages* and return the whole reply, in which every tool call is one piece.

        Raises:
            InvalidInputError: This API cannot express the messages; nothing was sent.
            RivyaError: As in `send_with_retries`, or the response holds no reply.
        """
        return (yield from self._whole(messages))

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send *messages* and return the reply that has begun.

        Its last delta, and only that, has `last`, usage, metadata and blocks.
        """
        request = self._request(messages, stream=True)
        opens = partial(self._post, stream=True)
        return (yield from adjusted_stream(request, opens, self._decoder, partial(self._whole, messages)))

    def _whole(self, messages: Sequence[Message], found: Quirks | None = None) -> Plan[ChatDelta]:
        """Ask for the whole reply; *found* is what a refusal has said about the back end."""
        delta, known = yield from self._request(messages, stream=False).send(self._read, found)
        tool = output_tool(self.options, known)
        return as_text(delta, tool, set()) if tool else delta

    def _read(self, body: Mapping[str, Any], teaches: Teaches) -> Plan[ChatDelta]:
        return read_whole((yield from self._post(body, teaches, stream=False)), self._reading)

    def _decoder(self, response: httpx.Response, known: Quirks) -> Decoder[ChatDelta]:
        decoder, tool = CompletionsStreamDecoder(response, self._reading), output_tool(self.options, known)
        return OutputToolDecoder(decoder, tool) if tool else decoder

    @property
    def _reading(self) -> Reading:
        get = self.options.get
        return Reading(bool(get("think_tags")), bool(get("include_response_headers")), self.origin)

    def _state_of(self, message: Message) -> ReplyState:
        """Return the state that goes back with an assistant's message."""
        rules: tuple[SendBack, ...] = (self.rules.send_back, self.options.get("send_back") or "own")
        if STATE_KEY in message.extras:
            return state_to_send(message.extras[STATE_KEY], self.origin, *rules)
        key = self.rules.reasoning_key
        own = message.extras.get("model_provider") in (None, self.endpoint.provider.name)
        if key and own and message.reasoning and sends_back(key, *rules):
            return ReplyState({key: message.reasoning})
        return NO_STATE

    def _request(self, messages: Sequence[Message], *, stream: bool) -> AdjustedRequest:
        """Return the request, which leaves out what the back end does not take."""
        custom = custom_tools.custom_names(self.options.get("tools") or ())
        said = wire_messages(messages, self.rules, self._state_of, custom)

        def write(known: Quirks) -> Mapping[str, Any]:
            body = chat_body(self.options, self.rules, said, known, stream=stream)
            return adjusted(body, known, self._further)

        return AdjustedRequest((self.endpoint.base_url, self.model), write, self._insists)

    def _post(self, body: Mapping[str, Any], teaches: Teaches, *, stream: bool) -> Plan[httpx.Response]:
        request = self.endpoint.request("POST", PATH, body=body, headers={"accept": _accepts(stream=stream)})
        return send_with_retries(request, self.retry, keep_open=stream, stateless=True, is_final=teaches)

    @property
    def _further(self) -> Mapping[str, Any]:
        """What the caller has put into the body by hand; it is never changed."""
        return self.options.get("extra_body") or {}

    def _insists(self, found: Quirks) -> bool:
        """Whether the caller set the option that the back end refuses."""
        usage = self.options.get("stream_usage") and found.no_stream_options
        labels = self.options.get("metadata") and found.no_labels
        return bool(usage or labels or found.refused & self._further.keys())


def chat_body(
    options: Options,
    rules: CompletionsProfile,
    messages: Sequence[Mapping[str, Any]],
    known: Quirks = NONE,
    *,
    stream: bool,
) -> dict[str, Any]:
    """Return the request body.

    Raises:
        NotSupportedError: `n` asks for several replies.
    """
    body = present(options, CHAT_BODY)
    body["messages"] = messages
    if options.get("stop"):
        body["stop"] = options["stop"]
    body.update(_tool_fields(options))
    if options.get("max_tokens") is not None:
        body[known.limit_key or rules.limit_key] = options["max_tokens"]
    if stream:
        body["stream"] = True
        asked = rules.stream_options if options.get("stream_usage") is None else options["stream_usage"]
        if asked and not known.no_stream_options:
            body["stream_options"] = {"include_usage": True}
    if options.get("labels") and not known.no_labels:
        body.setdefault("metadata", options["labels"])
    body.update(options.get("extra_body") or {})
    if body.get("n") not in (None, 1):
        raise NotSupportedError(
            "One request returns one reply; send several requests instead of setting `n`. Nothing was sent."
        )
    return body


def _tool_fields(options: Options) -> dict[str, Any]:
    tools = [custom_tools.nested(tool) for tool in options.get("tools") or ()]
    choice = custom_tools.nested(options.get("tool_choice"))
    return {**({"tools": tools} if tools else {}), **({} if choice is None else {"tool_choice": choice})}


def _accepts(*, stream: bool) -> str:
    return "text/event-stream" if stream else "application/json"
