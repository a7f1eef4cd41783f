"""The sandbox's API errors: one exception, and the stable error codes with their status.

The table is that of https://rivya.ai/docs/api/errors-and-limits. Each API formats errors in its own way.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "public_api_disabled": 503,
        "api_key_missing": 401,
        "api_key_invalid": 401,
        "api_key_revoked": 401,
        "api_key_expired": 401,
        "api_scope_denied": 403,
        "rate_limited": 429,
        "validation_failed": 400,
        "not_found": 404,
        "webhook_url_rejected": 400,
        "chat_model_not_supported": 400,
        "chat_session_conflict": 409,
        "chat_attachment_not_supported": 400,
        "idempotency_conflict": 409,
        "insufficient_credits": 402,
        "generation_failed": 500,
        "internal_error": 500,
    }
)

MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "public_api_disabled": "The public API is temporarily disabled.",
        "api_key_missing": "A valid Bearer API key is required.",
        "api_key_invalid": "The API key could not be verified.",
        "api_key_revoked": "The API key has been revoked.",
        "api_key_expired": "The API key has expired.",
        "api_scope_denied": "The API key does not have the required scope.",
        "rate_limited": "Too many requests. Try again later.",
        "not_found": "The resource was not found.",
        "chat_session_conflict": "The chat session cannot be used for this request.",
        "idempotency_conflict": "The Idempotency-Key was used for a different request.",
        "insufficient_credits": "The account has insufficient credits.",
        "generation_failed": "The generation failed.",
        "internal_error": "An internal error occurred.",
    }
)


class ApiError(Exception):
    """A request that the API rejects.

    Attributes:
        code: The stable code, such as `validation_failed`.
        message: The sentence for a person.
        status: The HTTP status; by default the code's own, and 400 for an unknown code.
        headers: Extra headers of the response.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "The request was rejected.")
        self.status = status or STATUS.get(code, 400)
        self.headers = dict(headers or {})
        super().__init__(f"{self.status} {code}: {self.message}")
