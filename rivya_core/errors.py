"""Everything that can go wrong, as one tree whose classes are named by what to do next.

    RivyaError
      ConfigurationError          how the model or tool was set up: key, URL, option
      InvalidInputError           cannot be sent as it is; nothing was sent or paid
        ContextOverflowError      too long: shorten, trim or summarise the messages
        NotSupportedError         the provider cannot do it; the message names what can
        HistoryMismatchError      not what the session holds, which shall be an error
        BudgetExceededError       it would cost more than the credit budget still allows
      APIConnectionError       the request never left: safe to send again
      ResponseLostError             it left, no answer came: it may have been charged
        APITimeoutError             no answer within `timeout`
        StreamBrokenError         an answer stopped early; `partial` holds what came
      APIError                    the provider answered, and the answer was no
        BadRequestError           400, 405, 413, 415, 422: mend the request
          ContextTooLongError     the provider's own word that the input is too long
        AuthenticationError       401: mend the key
        InsufficientCreditsError  402, and 403 or 429 that are about money: top up
        PermissionDeniedError     403: the key lacks a scope or the model is not open to it
        NotFoundError             404, 410: no such model, session, task or path
        ConflictError             409
          SessionConflictError    the session cannot be continued by this request
          IdempotencyConflictError  its idempotency key is in use, or was another's
        RateLimitError            429: slow down, then again (`retry_after`)
        ServerError               5xx: the provider failed
          ServiceUnavailableError        503, 529: turned away before anything was done
        InvalidResponseError        a success status over HTML, broken JSON, no choices
      TaskError                   an image task, with its `task_id`
        TaskFailedError           the provider gave up; nothing further will come
        TaskTimeoutError          the deadline passed, the task runs: resume it by its id
        TaskInterruptedError      the waiting broke off (see `__cause__`): resume it
      LedgerError                 the session ledger cannot be reached
      CreditLimitError            the credits that the application allowed are spent

Every class says in `retryable` whether the same request may be sent again. No error holds a secret: what a
server echoes is searched for the key that was sent, and `response` is a copy without the request's headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:  # the packages list the names of this module before anything heavy is imported
    import httpx

__all__ = [
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ConfigurationError",
    "ConflictError",
    "ContextOverflowError",
    "ContextTooLongError",
    "CreditLimitError",
    "HistoryMismatchError",
    "IdempotencyConflictError",
    "InsufficientCreditsError",
    "InvalidInputError",
    "InvalidResponseError",
    "LedgerError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseLostError",
    "RivyaError",
    "ServerError",
    "ServiceUnavailableError",
    "SessionConflictError",
    "StreamBrokenError",
    "TaskError",
    "TaskFailedError",
    "TaskInterruptedError",
    "TaskTimeoutError",
]

Retryable = Literal["never", "always", "if_idempotent"]


class RivyaError(Exception):
    """Base of all errors of this distribution."""

    retryable: ClassVar[Retryable] = "never"
    """Whether the same request may be sent again. `always`: it never left or was turned away. `if_idempotent`: it may
    have been carried out, so only where that cannot charge twice; see `http/retry.py`."""
    advice: ClassVar[str] = ""
    """The next move, appended to the message."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} {self.advice}" if self.advice and self.advice not in message else message)

    code: str | None = None
    status: int | None = None
    request_id: str | None = None
    body: str = ""
    retry_after: float | None = None
    response: httpx.Response | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what is there; constructors want more than the message."""
        return _remade, (type(self), self.args, vars(self))


def _remade(kind: type[RivyaError], args: tuple[Any, ...], state: dict[str, Any]) -> RivyaError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class ConfigurationError(RivyaError):
    """The model or tool is set up wrongly; nothing was sent."""


class InvalidInputError(RivyaError, ValueError):
    """This call cannot be sent as it is; nothing was sent and nothing was paid."""


class ContextOverflowError(InvalidInputError):
    """The messages are longer than the provider takes; nothing was sent."""


class NotSupportedError(InvalidInputError, NotImplementedError):
    """The provider has no way to say this; the message names what to use instead."""


class HistoryMismatchError(InvalidInputError):
    """The message list is not the history that the session holds, and replaying was not allowed."""


class BudgetExceededError(InvalidInputError):
    """It would cost more than the credit budget still allows; nothing was sent."""


class APIConnectionError(RivyaError):
    """No connection: the request never left."""

    retryable: ClassVar[Retryable] = "always"


class ResponseLostError(RivyaError):
    """The request left and no complete answer came back; it may have been carried out."""

    retryable: ClassVar[Retryable] = "if_idempotent"
    advice = "The request may have been carried out and charged."


class APITimeoutError(ResponseLostError):
    """The request left and no answer came in time; it may have been carried out."""


class StreamBrokenError(ResponseLostError):
    """A streamed answer stopped before its end.

    Attributes:
        partial: The text that had arrived.
    """

    retryable: ClassVar[Retryable] = "never"

    def __init__(self, message: str, *, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial


class APIError(RivyaError):
    """The provider answered, and the answer was no.

    Attributes:
        status: HTTP status, or the status that the body named when the HTTP status was a success.
        code: The provider's code as text, for example `rate_limited`.
        param: The request field that the provider names, if it does.
        request_id: The provider's id of the request, for its support.
        body: The answer's body as text.
        retry_after: Seconds that the provider asks to wait.
        response: A copy of the answer without the request's headers.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        body: str = "",
        retry_after: float | None = None,
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.request_id, self.body = request_id, body
        self.retry_after, self.response = retry_after, response


class BadRequestError(APIError):
    """The provider refuses the request as it is."""


class ContextTooLongError(BadRequestError, ContextOverflowError):
    """The provider says that the input is too long."""

    advice = "Shorten, trim or summarise the messages."


class AuthenticationError(APIError):
    """The key is missing, unknown, revoked or expired."""

    advice = "Check the API key and that it belongs to this `base_url`."


class InsufficientCreditsError(APIError):
    """The account has no credits or quota left; retrying cannot help."""

    advice = "Top up the account or raise its limit; retrying does not help."


class PermissionDeniedError(APIError):
    """The key may not do this."""

    advice = "Check the key's scopes and the models that it may use."


class NotFoundError(APIError):
    """No such model, session, task or path; the message says which of them to check."""


class ConflictError(APIError):
    """The request conflicts with the state of something on the server."""


class SessionConflictError(ConflictError):
    """The chat session belongs to another account or model, or is busy."""


class IdempotencyConflictError(ConflictError):
    """The idempotency key was used for another request or is still in use."""


class RateLimitError(APIError):
    """Too many requests; try again later."""

    retryable: ClassVar[Retryable] = "always"
    advice = "Wait, or lower the number of concurrent requests."


class ServerError(APIError):
    """The provider failed; whether the request was carried out is unknown."""

    retryable: ClassVar[Retryable] = "if_idempotent"
    advice = "The provider failed; try again later."


class ServiceUnavailableError(ServerError):
    """The provider turned the request away without working on it."""

    retryable: ClassVar[Retryable] = "always"


class InvalidResponseError(APIError):
    """A success status, but not the answer that the API promises."""

    retryable: ClassVar[Retryable] = "never"


class TaskError(RivyaError):
    """Something about an image task.

    Attributes:
        task_id: The provider's id of the task; `resume(task_id)` picks it up again.
    """

    def __init__(self, message: str, *, task_id: str, code: str | None = None) -> None:
        super().__init__(message)
        self.task_id, self.code = task_id, code


class TaskFailedError(TaskError):
    """The provider gave up on the task."""


class TaskTimeoutError(TaskError):
    """The deadline passed while the task was still running; it is not lost."""


class TaskInterruptedError(TaskError):
    """Waiting for the task or fetching its result broke off; the task itself goes on and is not lost."""


class LedgerError(RivyaError):
    """The session ledger cannot be reached or cannot be read."""


class CreditLimitError(RivyaError):
    """The credits that the application allowed are spent; the next call was not made."""

    advice = "Raise the handler's `limit` to go on."
