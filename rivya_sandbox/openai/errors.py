"""The errors of the OpenAI-compatible APIs, in the form of each provider.

OpenAI: https://platform.openai.com/docs/guides/error-codes. Evolink writes the status as an integer `code` and adds a
suggestion. GMI wraps the error of its back end, as an object or as text, and reports an unknown model as plain text.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rivya_sandbox.errors import ApiError
from rivya_sandbox.validation import json_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, SERVER_ERROR = 400, 401, 404, 500
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
"""OpenAI's type and code for the errors that all APIs of the sandbox share."""
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


class OpenAIError(ApiError):
    """A rejected request, in OpenAI's terms.

    Attributes:
        type: The family of the error.
        param: The invalid parameter.
        model: The model in the request.
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


EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
"""What a value should have been, by pydantic's type of error."""
MISSING = ("missing", "union_tag_not_found")
SMALL = ("greater_than_equal", "greater_than")


def validation_error(error: ErrorDetails, path: str) -> OpenAIError:
    """Return OpenAI's error for a value that pydantic finds invalid."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind in MISSING:
        path = f"{path}.type" if kind == "union_tag_not_found" else path
        message, code = f"Missing required parameter: '{path}'.", "missing_required_parameter"
    elif kind in EXPECTED:
        got = json_type(error["input"])
        message, code = f"Invalid type for '{path}': expected {EXPECTED[kind]}, but got {got} instead.", "invalid_type"
    elif kind == "extra_forbidden":
        message, code = f"Unknown parameter: '{path}'.", "unknown_parameter"
    elif kind in ("literal_error", "union_tag_invalid"):
        given = context.get("tag", error["input"])
        path = f"{path}.{context['discriminator'].strip(chr(39))}" if "discriminator" in context else path
        supported = context.get("expected_tags") or context["expected"]
        message, code = f"Invalid value: {given!r}. Supported values are: {supported}.", "invalid_value"
    elif kind in SMALL and isinstance(error["input"], int):
        least = context.get("ge", context.get("gt"))
        code = "integer_below_min_value"
        message = (
            f"Invalid '{path}': integer below minimum value. Expected a value >= {least}, but got {error['input']}."
        )
    elif kind == "string_pattern_mismatch":
        pattern, code = context["pattern"], "invalid_value"
        message = f"Invalid '{path}': string does not match pattern. Expected a string that matches '{pattern}'."
    elif "at" in context:  # raised by a validator of the sandbox
        message, code = error["msg"].replace("{param}", path), kind
    else:
        message, code = f"Invalid '{path}': {error['msg']}.", "invalid_value"
    return OpenAIError(message, param=path, code=code)


def describe(error: ApiError) -> dict[str, Any]:
    """Return the four keys of OpenAI's error object."""
    if isinstance(error, OpenAIError):
        kind, code, param = error.type, error.code or None, error.param
    else:
        by_status = "server_error" if error.status >= SERVER_ERROR else "invalid_request_error"
        kind, code = TRANSLATED.get(error.code, (by_status, error.code))
        param = None
    return {"message": error.message, "type": kind, "param": param, "code": code}


def openai_body(error: ApiError, _request_id: str) -> dict[str, Any]:
    """Return OpenAI's error body."""
    return {"error": describe(error)}


def evolink_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return Evolink's error body. Its code is an integer, except for an invalid key, as the real API does."""
    found: dict[str, Any] = {
        "code": "unauthorized" if error.status == UNAUTHORIZED else error.status,
        "message": f"{error.message} (request id: {request_id})",
        "type": EVOLINK_TYPES.get(error.status, "invalid_request_error"),
    }
    if isinstance(error, OpenAIError) and error.param:
        found["param"] = error.param
    if error.status in SUGGESTIONS:
        found["fallback_suggestion"] = SUGGESTIONS[error.status]
    return {"error": found}


def gmi_body(error: ApiError, _request_id: str) -> dict[str, Any]:
    """Return GMI's error body. It contains the back end's error: as an object for OpenAI's models, else as text."""
    status = error.status
    if status != BAD_REQUEST:
        kind = GMI_TYPES.get(status, "backend_error")
        return {"error": {"message": error.message, "type": kind, "code": status}}
    inside: Any = {"error": describe(error)}
    model = error.model if isinstance(error, OpenAIError) else "openai/"
    details = inside if model.startswith("openai/") else json.dumps(inside)
    message = f"Backend request failed with status {status}"
    return {"error": {"message": message, "type": "backend_error", "code": status, "details": details}}
