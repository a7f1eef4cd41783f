"""Every failure as one tree, in which each class is named by what to do next.

    RivyaError
      ConfigurationError            the model or tool is set up wrongly: key, URL, option
      InvalidInputError             this call cannot be sent; nothing was sent or charged
        ContextOverflowError        the messages are longer than the API takes: shorten, trim or summarise them
        NotSupportedError           the provider cannot do it; the message names what can
        HistoryMismatchError        the messages are not what the session holds, and replaying is not allowed
        BudgetExceededError         the next image would cost more than its credit budget still allows
      APIConnectionError            the request never left: safe to send again
      ResponseLostError             the request left and no complete response came: it may have been charged
        APITimeoutError             no response within `timeout`
        StreamBrokenError           a stream stopped early; `partial` holds the text so far
      APIError                      the provider refused or failed
        BadRequestError             400, 405, 413, 415, 422: correct the request
          ContextTooLongError       the provider refused the input as too long
        AuthenticationError         401: correct the key
        InsufficientCreditsError    402, and 403 or 429 that are about money: top up
        PermissionDeniedError       403: the key lacks a scope or the model is not open to it
        NotFoundError               404, 410: no such model, session, task or path
        ConflictError               409
          SessionConflictError      the session cannot be continued by this request
          IdempotencyConflictError  the idempotency key is in use, or was used for another request
        RateLimitError              429: slow down, then send again (`retry_after`)
        ServerError                 5xx: the provider failed
          ServiceUnavailableError   503, 529: turned away before anything was done
        InvalidResponseError        a success status with HTML, broken JSON or no choices
      OutputError                   the reply has no such object or tool call; the turn was charged
        RefusalError                the model refused to give it
      TaskError                     an image task, with its `task_id`
        TaskFailedError             the provider gave up the task
        TaskTimeoutError            the deadline passed while the task runs: resume it by its id
        TaskInterruptedError        waiting was interrupted (see `__cause__`): resume the task by its id
      LedgerError                   the session ledger cannot be reached
      CreditLimitError              the `limit` of a credits handler is reached; the next call was not made

`retryable` of a class says whether the same request may be sent again. No error holds a secret: bodies and messages are
searched for the key and the headers that were sent, and `response` is a copy without the request's headers.
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
    "OutputError",
    "PermissionDeniedError",
    "RateLimitError",
    "RefusalError",
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
    """What to do next; appended to the message."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} {self.advice}" if self.advice and self.advice not in message else message)

    code: str | None = None
    status: int | None = None
    request_id: str | None = None
    body: str = ""
    retry_after: float | None = None
    response: httpx.Response | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes, because constructors take more than the message."""
        return _remade, (type(self), self.args, vars(self))


def _remade(kind: type[RivyaError], args: tuple[Any, ...], state: dict[str, Any]) -> RivyaError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class ConfigurationError(RivyaError):
    """The model or tool is set up wrongly; nothing was sent."""


class InvalidInputError(RivyaError, ValueError):
    """This call cannot be sent as it is; nothing was sent and nothing was charged."""


class ContextOverflowError(InvalidInputError):
    """The messages are longer than the API takes; nothing was sent.

    `ContextTooLongError`, a subclass, is the provider's own refusal.
    """


class NotSupportedError(InvalidInputError, NotImplementedError):
    """The provider cannot do this; the message names what to use instead."""


class HistoryMismatchError(InvalidInputError):
    """The messages are not the history that the session holds, and replaying is not allowed.

    Nothing was sent, unless the error says that the turn was charged: some servers show only in their response that
    they ignore `previous_response_id`.
    """


class BudgetExceededError(InvalidInputError):
    """The next image would cost more than its credit budget (`max_credits`) still allows; nothing was sent.

    `CreditLimitError` is raised when the limit of a credits handler is reached.
    """


class APIConnectionError(RivyaError):
    """No connection was made; the request never left."""

    retryable: ClassVar[Retryable] = "always"


class ResponseLostError(RivyaError):
    """The request left and no complete response came back; it may have been carried out."""

    retryable: ClassVar[Retryable] = "if_idempotent"
    advice = "The request may have been carried out and charged."


class APITimeoutError(ResponseLostError):
    """The request left and no response came in time; it may have been carried out."""


class StreamBrokenError(ResponseLostError):
    """A stream stopped before the end of the reply.

    Attributes:
        partial: The text that had arrived.
    """

    retryable: ClassVar[Retryable] = "never"

    def __init__(self, message: str, *, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial


class APIError(RivyaError):
    """The provider refused the request or failed.

    Attributes:
        status: HTTP status, or the status that the body named when the HTTP status was a success.
        code: The provider's code as text, for example `rate_limited`.
        param: The request field that the provider names, if it does.
        request_id: The provider's id of the request, for its support.
        body: The body of the response as text.
        retry_after: Seconds that the provider asks to wait.
        response: A copy of the response, without the request's headers.
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
    """The provider refuses the request as it is; correct it."""


class ContextTooLongError(BadRequestError, ContextOverflowError):
    """The provider refused the input as too long. `ContextOverflowError` also covers what is found before sending."""

    advice = "Shorten, trim or summarise the messages."


class AuthenticationError(APIError):
    """The key is missing, unknown, revoked or expired."""

    advice = "Check the API key and that it belongs to this `base_url`."


class InsufficientCreditsError(APIError):
    """The account has no credits or quota left."""

    advice = "Top up the account or raise its limit; retrying does not help."


class PermissionDeniedError(APIError):
    """The key is not allowed to do this."""

    advice = "Check the key's scopes and the models that it may use."


class NotFoundError(APIError):
    """No such model, session, task or path; the message says which of them to check."""


class ConflictError(APIError):
    """The request conflicts with the state of something on the server."""


class SessionConflictError(ConflictError):
    """The chat session belongs to another account or model, or is busy."""


class IdempotencyConflictError(ConflictError):
    """The idempotency key was used for another request, or is still in use."""


class RateLimitError(APIError):
    """Too many requests."""

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
    """A success status without the response that the API promises."""

    retryable: ClassVar[Retryable] = "never"


class OutputError(RivyaError, ValueError):
    """The model replied without the requested object or tool call; the turn was charged.

    Attributes:
        text: The model's text.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class RefusalError(OutputError):
    """The model refused to give the requested object or tool call; the turn was charged.

    Attributes:
        text: The words of the refusal.
    """

    advice = "The same request will most likely be refused again."


class TaskError(RivyaError):
    """An image task did not end with an image.

    Attributes:
        task_id: The provider's id of the task; `resume(task_id)` continues to wait for it.
    """

    def __init__(self, message: str, *, task_id: str, code: str | None = None) -> None:
        super().__init__(message)
        self.task_id, self.code = task_id, code


class TaskFailedError(TaskError):
    """The provider gave up the task."""


class TaskTimeoutError(TaskError):
    """The deadline passed while the task is still running; it is not lost."""


class TaskInterruptedError(TaskError):
    """Waiting for the task or downloading its result was interrupted; the task continues and can be resumed."""


class LedgerError(RivyaError):
    """The session ledger cannot be reached or cannot be read."""


class CreditLimitError(RivyaError):
    """The credits of a handler's `limit` are spent; the next call was not made.

    `BudgetExceededError` is raised when one image would exceed its own budget.
    """

    advice = "Raise the handler's `limit` to continue."
