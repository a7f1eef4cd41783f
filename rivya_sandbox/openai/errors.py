"""How the OpenAI-compatible APIs say no: one refusal, three envelopes.

OpenAI: https://platform.openai.com/docs/guides/error-codes. Evolink writes the status as an integer `code` and adds a
suggestion; GMI wraps what its back end said, as an object or as text, and answers an unknown model with plain text.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse

from rivya_sandbox.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, SERVER_FAULT = 400, 401, 404, 500
TRANSLATED: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "api_key_missing": ("invalid_request_error", None),
        "api_key_invalid": ("invalid_request_error", "invalid_api_key"),
        "api_key_revoked": ("invalid_request_error", "invalid_api_key"),
        "api_key_expired": ("invalid_request_error", "invalid_api_key"),
        "api_scope_denied": ("invalid_request_error", "insufficient_permissions"),
        "rate_limited": ("requests", "rate_limit_exceeded"),
        "validation_failed": ("invalid_request_error", None),
        "not_found": ("invalid_request_error", None),
        "insufficient_credits": ("insufficient_quota", "insufficient_quota"),
        "insufficient_quota": ("insufficient_quota", "insufficient_quota"),
        "public_api_disabled": ("service_unavailable_error", "server_is_overloaded"),
        "internal_error": ("server_error", None),
    }
)
"""Type and code of what the sandbox's own rooms refuse with."""
EVOLINK_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        402: "insufficient_quota_error",
        404: "not_found_error",
        413: "request_too_large_error",
        429: "rate_limit_error",
        500: "internal_server_error",
        502: "upstream_error",
        503: "service_unavailable_error",
    }
)
SUGGESTIONS: Mapping[int, str] = MappingProxyType(
    {
        402: "https://evolink.ai/dashboard/billing",
        404: "https://docs.evolink.ai",
        429: "retry after 60 seconds",
        503: "retry after 30 seconds",
    }
)
GMI_TYPES: Mapping[int, str] = MappingProxyType(
    {401: "authentication_error", 402: "insufficient_balance", 403: "permission_error", 429: "rate_limit_error"}
)


class OpenAIRefusal(Refusal):
    """A request turned away in OpenAI's terms.

    Attributes:
        type: Family of the error.
        param: The field that is wrong.
        model: The model that was asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = BAD_REQUEST,
        type: str = "invalid_request_error",  # noqa: A002 - the API's word
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(code or "", message, status=status)
        self.type = type
        self.param = param
        self.model = ""


def described(refusal: Refusal) -> dict[str, Any]:
    """The four facts of OpenAI's error object."""
    if isinstance(refusal, OpenAIRefusal):
        kind, code, param = refusal.type, refusal.code or None, refusal.param
    else:
        by_status = "server_error" if refusal.status >= SERVER_FAULT else "invalid_request_error"
        kind, code = TRANSLATED.get(refusal.code, (by_status, refusal.code))
        param = None
    return {"message": refusal.message, "type": kind, "param": param, "code": code}


def plain(refusal: Refusal, request_id: str) -> Response:
    """OpenAI's own envelope."""
    return JSONResponse(plain_body(refusal, request_id), refusal.status, refusal.headers)


def plain_body(refusal: Refusal, _request_id: str) -> dict[str, Any]:
    """OpenAI's own envelope, as a value."""
    return {"error": described(refusal)}


def evolink(refusal: Refusal, request_id: str) -> Response:
    """Evolink's envelope."""
    return JSONResponse(evolink_body(refusal, request_id), refusal.status, refusal.headers)


def evolink_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Evolink's envelope, as a value: an integer for a code, except for a bad key, which is really answered so."""
    error: dict[str, Any] = {
        "code": "unauthorized" if refusal.status == UNAUTHORIZED else refusal.status,
        "message": f"{refusal.message} (request id: {request_id})",
        "type": EVOLINK_TYPES.get(refusal.status, "invalid_request_error"),
    }
    if isinstance(refusal, OpenAIRefusal) and refusal.param:
        error["param"] = refusal.param
    if refusal.status in SUGGESTIONS:
        error["fallback_suggestion"] = SUGGESTIONS[refusal.status]
    return {"error": error}


def gmi(refusal: Refusal, request_id: str) -> Response:
    """GMI's envelope; what it does not serve is answered with plain text."""
    if refusal.status == NOT_FOUND:
        model = refusal.model if isinstance(refusal, OpenAIRefusal) else ""
        return PlainTextResponse(f"No matching target server found for model {model}".strip(), NOT_FOUND)
    return JSONResponse(gmi_body(refusal, request_id), refusal.status, refusal.headers)


def gmi_body(refusal: Refusal, _request_id: str) -> dict[str, Any]:
    """GMI's envelope, as a value: what the back end said stands inside, for other back ends than OpenAI's as text."""
    status = refusal.status
    if status != BAD_REQUEST:
        kind = GMI_TYPES.get(status, "backend_error")
        return {"error": {"message": refusal.message, "type": kind, "code": status}}
    inside: Any = {"error": described(refusal)}
    model = refusal.model if isinstance(refusal, OpenAIRefusal) else "openai/"
    details = inside if model.startswith("openai/") else json.dumps(inside)
    message = f"Backend request failed with status {status}"
    return {"error": {"message": message, "type": "backend_error", "code": status, "details": details}}
