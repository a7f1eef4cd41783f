"""The OpenAI-compatible APIs of the sandbox, one for each provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response

from rivya_sandbox.apis import Api
from rivya_sandbox.openai.chat import OpenAIChat
from rivya_sandbox.openai.chat_response import frame
from rivya_sandbox.openai.errors import NOT_FOUND, OpenAIError
from rivya_sandbox.openai.providers import PROVIDERS, Provider
from rivya_sandbox.openai.responses import OpenAIResponses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from rivya_sandbox.errors import ApiError
    from rivya_sandbox.state import SandboxState


def api_of(provider: Provider) -> Api:
    """Return the API of a provider."""

    def routes(state: SandboxState) -> Sequence[BaseRoute]:
        return [*OpenAIChat(state, provider).routes(), *OpenAIResponses(state, provider).routes()]

    def error_event(error: ApiError, request_id: str) -> bytes:
        return frame(provider.error_body(error, request_id)).data

    def error_response(error: ApiError, request_id: str) -> Response:
        if provider.plain_text_404 and error.status == NOT_FOUND:
            model = error.model if isinstance(error, OpenAIError) else ""
            return PlainTextResponse(f"No matching target server found for model {model}".strip(), NOT_FOUND)
        return JSONResponse(provider.error_body(error, request_id), error.status, error.headers)

    return Api(provider.name, provider.prefix, routes, error_response, error_event)


APIS = tuple(api_of(provider) for provider in PROVIDERS)
