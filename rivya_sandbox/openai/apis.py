"""The OpenAI-compatible APIs of the sandbox, one for each flavour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivya_sandbox.apis import Api
from rivya_sandbox.openai.bodies import frame
from rivya_sandbox.openai.chat import OpenAIChat
from rivya_sandbox.openai.flavours import FLAVOURS, Flavour
from rivya_sandbox.openai.responses import OpenAIResponses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from rivya_sandbox.refusals import Refusal
    from rivya_sandbox.sandbox import Sandbox


def api_of(flavour: Flavour) -> Api:
    """The API of one flavour."""

    def routes(sandbox: Sandbox) -> Sequence[BaseRoute]:
        return [*OpenAIChat(sandbox, flavour).routes(), *OpenAIResponses(sandbox, flavour).routes()]

    def stream_error(refusal: Refusal, request_id: str) -> bytes:
        return frame(flavour.envelope(refusal, request_id)).data

    def refuse(refusal: Refusal, request_id: str) -> Response:
        return flavour.refuse(refusal, request_id)

    return Api(flavour.name, flavour.prefix, routes, refuse, stream_error)


APIS = tuple(api_of(flavour) for flavour in FLAVOURS)
