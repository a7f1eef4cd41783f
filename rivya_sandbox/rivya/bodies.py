"""What Rivya's request bodies have in common, and how their errors read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import ErrorDetails

from rivya_sandbox.errors import STATUS, ApiError
from rivya_sandbox.validation import Body, invalid, parse

ADVICE = {
    "messages": "Send one `message`, with `session_id` to continue.",
    "files": "Put references into params.referenceMediaItems.",
}
"""What to do in place of some keys that the API does not take."""


class RivyaBody(Body):
    """A body that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid")


def not_blank(text: str) -> str:
    """Reject a text of white space only."""
    if not text.strip():
        raise invalid("validation_failed", "{param} must not be blank.")
    return text


Text = Annotated[str, AfterValidator(not_blank)]
ClientRequestId = Annotated[str | None, Field(min_length=1, max_length=128)]
RivyaBodyT = TypeVar("RivyaBodyT", bound=RivyaBody)


def parse_body(model: type[RivyaBodyT], body: Mapping[str, Any], where: str = "") -> RivyaBodyT:
    """Validate a body.

    Raises:
        ApiError: The code that a validator names, else `validation_failed`.
    """
    return parse(model, body, api_error, where)


def api_error(error: ErrorDetails, path: str) -> ApiError:
    """Return the API's error for an invalid value."""
    if error["type"] == "extra_forbidden":
        advice = ADVICE.get(path, "")
        return ApiError("validation_failed", f"Unknown key {path}. {advice}".strip())
    if error["type"] in STATUS:
        return ApiError(error["type"], error["msg"].replace("{param}", path))
    return ApiError("validation_failed", f"{path}: {error['msg']}.")
