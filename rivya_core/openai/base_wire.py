"""What the wires of both OpenAI APIs share: a turn whose request is adjusted to what the back end refuses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rivya_core.http.endpoint import Endpoint
from rivya_core.http.library import httpx
from rivya_core.http.plan import Decoder, Plan, Streaming
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.adjusted_request import AdjustedRequest, RefusalDecoder, Teaches
from rivya_core.openai.chat.quirks import Quirks
from rivya_core.openai.options import Options
from rivya_core.openai.output_tool import OutputToolDecoder, as_text
from rivya_core.types import ChatDelta, Message


@dataclass(frozen=True)
class BaseOpenAIWire(ABC):
    """A model behind an OpenAI-compatible API. It stores no conversation.

    Attributes:
        endpoint: Endpoint and credentials.
        options: Options by the names in `openai/options.py`.
        retry: How often requests are repeated, and after which delays.
    """

    endpoint: Endpoint
    options: Options
    retry: RetryPolicy = RetryPolicy()

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
        response, known = yield from request.send(partial(self._post, stream=True))
        decoder = RefusalDecoder(self._decoder(request, response, known), partial(request.learn, found=known))

        def settle(closing: Sequence[ChatDelta]) -> Plan[Sequence[ChatDelta]]:
            return closing if decoder.learnt is None else [(yield from self._whole(messages, decoder.learnt))]

        return Streaming(response, decoder, settle, _nothing)

    @abstractmethod
    def _request(self, messages: Sequence[Message], *, stream: bool) -> AdjustedRequest:
        """Return the request, which leaves out what the back end does not take."""

    @abstractmethod
    def _post(self, body: Mapping[str, Any], teaches: Teaches, *, stream: bool) -> Plan[httpx.Response]:
        """Send *body* and return the response; the body of a stream is left unread."""

    @abstractmethod
    def _reply_in(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a whole response."""

    @abstractmethod
    def _decode(self, response: httpx.Response) -> Decoder[ChatDelta]:
        """Return the decoder of a streamed response."""

    @abstractmethod
    def _output_tool(self, request: AdjustedRequest, known: Quirks) -> str | None:
        """Return the name of the tool that stands for the response format, or None if none does."""

    def _whole(self, messages: Sequence[Message], found: Quirks | None = None) -> Plan[ChatDelta]:
        """Ask for the whole reply; *found* is what a refusal has said about the back end."""
        request = self._request(messages, stream=False)
        delta, known = yield from request.send(self._read, found)
        tool = self._output_tool(request, known)
        return as_text(delta, tool, set()) if tool else delta

    def _read(self, body: Mapping[str, Any], teaches: Teaches) -> Plan[ChatDelta]:
        return self._reply_in((yield from self._post(body, teaches, stream=False)))

    def _decoder(self, request: AdjustedRequest, response: httpx.Response, known: Quirks) -> Decoder[ChatDelta]:
        decoder, tool = self._decode(response), self._output_tool(request, known)
        return OutputToolDecoder(decoder, tool) if tool else decoder

    @property
    def _further(self) -> Mapping[str, Any]:
        """What the caller has put into the body by hand; it is never changed."""
        return self.options.get("extra_body") or {}

    def _insists(self, found: Quirks) -> bool:
        """Whether the caller set the option that the back end refuses."""
        usage = self.options.get("stream_usage") and found.no_stream_options
        labels = self.options.get("metadata") and found.no_labels
        return bool(usage or labels or found.refused & self._further.keys())


def _nothing() -> Plan[None]:
    yield from ()
