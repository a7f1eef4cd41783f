"""Chat completions: one turn, from the caller's message list to a reply.

https://platform.openai.com/docs/api-reference/chat, https://docs.gmicloud.ai and https://docs.evolink.ai. The
request is here and the plans are in `base_wire.py`; `messages.py` writes the messages, `stream.py` reads the replies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from rivya_core.errors import NotSupportedError
from rivya_core.http.endpoint import STREAMED
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.retry import send_with_retries
from rivya_core.openai import custom_tools
from rivya_core.openai.adjusted_request import AdjustedRequest, Teaches
from rivya_core.openai.base_wire import BaseOpenAIWire
from rivya_core.openai.chat.adjustments import adjusted, output_tool
from rivya_core.openai.chat.messages import wire_messages
from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.openai.options import CHAT_BODY, Options, present
from rivya_core.openai.reply_state import NO_STATE, STATE_KEY, ReplyState, sends_back, state_to_send
from rivya_core.providers import CompletionsProfile
from rivya_core.sessions.pointers import Origin, origin_of
from rivya_core.types import ChatDelta, Message, SendBack

PATH = "/chat/completions"


class OpenAIChat(BaseOpenAIWire):
    """Chat completions of an OpenAI-compatible API."""

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

    def _reply_in(self, response: httpx.Response) -> ChatDelta:
        return read_whole(response, self._reading)

    def _decode(self, response: httpx.Response) -> CompletionsStreamDecoder:
        return CompletionsStreamDecoder(response, self._reading)

    def _output_tool(self, _: AdjustedRequest, known: Quirks) -> str | None:
        return output_tool(self.options, known)

    @property
    def _reading(self) -> Reading:
        get = self.options.get
        return Reading(bool(get("think_tags")), bool(get("include_response_headers")), self.origin)

    def _state_of(self, message: Message) -> ReplyState:
        """Return the state that goes back with an assistant's message."""
        if STATE_KEY not in message.extras and not message.reasoning:
            return NO_STATE
        rules: tuple[SendBack, ...] = (self.rules.send_back, self.options.get("send_back") or "own")
        if STATE_KEY in message.extras:
            return state_to_send(message.extras[STATE_KEY], self.origin, *rules)
        key = self.rules.reasoning_key
        own = message.extras.get("model_provider") in (None, self.endpoint.provider.name)
        if key and own and message.reasoning and sends_back(key, *rules):
            return ReplyState({key: message.reasoning})
        return NO_STATE

    def _request(self, messages: Sequence[Message], *, stream: bool) -> AdjustedRequest:
        custom = custom_tools.custom_names(self.options.get("tools") or ())
        said = wire_messages(messages, self.rules, self._state_of, custom)

        def write(known: Quirks) -> Mapping[str, Any]:
            body = chat_body(self.options, self.rules, said, known, stream=stream)
            return adjusted(body, known, self._further)

        return AdjustedRequest((self.endpoint.base_url, self.model), write, self._insists)

    def _post(self, body: Mapping[str, Any], teaches: Teaches, *, stream: bool) -> Plan[httpx.Response]:
        request = self.endpoint.request("POST", PATH, body=body, headers=STREAMED if stream else None)
        return send_with_retries(request, self.retry, keep_open=stream, stateless=True, is_final=teaches)


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
    if options.get("tools") or options.get("tool_choice") is not None:
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
