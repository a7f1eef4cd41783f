"""The errors of this distribution as LangChain's: each class is also the `ModelError` that fits it.

So `except langchain_core.exceptions.ModelRateLimitError` and `except langchain_rivya.RateLimitError` both catch it,
retry middleware reads `is_retryable`, and summarisation catches the context overflow. The messages are made in
`rivya_core.errors`.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import TYPE_CHECKING

from langchain_core import exceptions as lc
from langchain_core.messages import BaseMessage

from rivya_core import errors as core
from rivya_core.errors import APIError as APIError
from rivya_core.errors import BudgetExceededError as BudgetExceededError
from rivya_core.errors import ConfigurationError as ConfigurationError
from rivya_core.errors import CreditLimitError as CreditLimitError
from rivya_core.errors import LedgerError as LedgerError
from rivya_core.errors import RivyaError as RivyaError
from rivya_core.errors import TaskError as TaskError
from rivya_core.errors import TaskFailedError as TaskFailedError
from rivya_core.errors import TaskInterruptedError as TaskInterruptedError
from rivya_core.errors import TaskTimeoutError as TaskTimeoutError


class InvalidInputError(core.InvalidInputError, lc.ModelInvalidRequestError):
    """This call cannot be sent as it is; nothing was sent and nothing was charged."""


class ContextOverflowError(core.ContextOverflowError, InvalidInputError, lc.ContextOverflowError):
    """The messages are longer than the provider takes; nothing was sent."""


class NotSupportedError(core.NotSupportedError, InvalidInputError):
    """The provider does not support this; the message names an alternative."""


class HistoryMismatchError(core.HistoryMismatchError, InvalidInputError):
    """The message list is not the history that the session holds, and replaying was not allowed."""


class APIConnectionError(core.APIConnectionError, lc.ModelConnectionError):
    """No connection: the request never left."""


class ResponseLostError(core.ResponseLostError, lc.ModelConnectionError):
    """No complete response; not retryable for LangChain's middleware, because it may have been charged."""

    is_retryable = False


class APITimeoutError(core.APITimeoutError, ResponseLostError, lc.ModelTimeoutError):
    """No response in time; not retryable for LangChain's middleware, because it may have been charged."""


class StreamBrokenError(core.StreamBrokenError, ResponseLostError):
    """A streamed response stopped before its end."""


class BadRequestError(core.BadRequestError, lc.ModelInvalidRequestError):
    """The provider refuses the request as it is."""


class ContextTooLongError(core.ContextTooLongError, BadRequestError, ContextOverflowError):
    """The provider says that the input is too long."""


class AuthenticationError(core.AuthenticationError, lc.ModelAuthenticationError):
    """The key is missing, unknown, revoked or expired."""


class InsufficientCreditsError(core.InsufficientCreditsError, lc.ModelPermissionDeniedError):
    """The account has no credits or quota left; retrying cannot help."""


class PermissionDeniedError(core.PermissionDeniedError, lc.ModelPermissionDeniedError):
    """The key may not do this."""


class NotFoundError(core.NotFoundError, lc.ModelNotFoundError):
    """No such model, session or path."""


class ConflictError(core.ConflictError, lc.ModelInvalidRequestError):
    """The request conflicts with the state of something on the server."""


class SessionConflictError(core.SessionConflictError, ConflictError):
    """The chat session belongs to another account or model, or is busy."""


class IdempotencyConflictError(core.IdempotencyConflictError, ConflictError):
    """The idempotency key was used for another request or is still in use."""


class RateLimitError(core.RateLimitError, lc.ModelRateLimitError):
    """Too many requests; try again later."""


class ServerError(core.ServerError, lc.ModelAPIError):
    """The provider failed; not retryable for LangChain's middleware, because it may have been charged."""

    is_retryable = False


class ServiceUnavailableError(core.ServiceUnavailableError, ServerError):
    """The provider turned the request away without working on it."""

    is_retryable = True


class InvalidResponseError(core.InvalidResponseError, lc.ModelAPIError):
    """A success status, but not the response that the API documents."""

    is_retryable = False


class OutputError(core.OutputError, lc.OutputParserException):
    """The model replied without the requested object or tool call; also LangChain's `OutputParserException`.

    Attributes:
        text: The model's text, also as `llm_output`.
        raw_message: The reply, if the error comes from one message.
    """

    def __init__(self, message: str, raw_message: BaseMessage | None = None, *, text: str = "") -> None:
        super().__init__(message, text=text)
        self.raw_message, self.llm_output = raw_message, text


_ModelRefusalError: type[lc.ModelError] = getattr(lc, "ModelRefusalError", lc.ModelError)


class RefusalError(core.RefusalError, OutputError, _ModelRefusalError):  # type: ignore[misc, valid-type]
    """The model refused, so there is no object; also LangChain's `ModelRefusalError`, in versions that have it.

    Attributes:
        text: Text of the refusal.
        raw_message: The reply with its refusal.
    """


if not TYPE_CHECKING:
    __all__ = core.__all__

_FRAMEWORK_CLASSES: dict[type[core.RivyaError], type[core.RivyaError]] = {
    getattr(core, name): globals()[name] for name in core.__all__
}


class as_model_errors(ContextDecorator):  # noqa: N801 - reads as what it does
    """Convert the core's errors to this module's classes; the error, its traceback and its cause stay the same."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Convert the class of *error*, which is raised on."""
        if isinstance(error, core.RivyaError):
            error.__class__ = _FRAMEWORK_CLASSES.get(type(error), type(error))
