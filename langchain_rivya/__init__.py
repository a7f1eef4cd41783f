"""Rivya, Evolink and GMI Cloud for LangChain.

Importing this package loads nothing of LangChain; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_rivya.chat_models import ChatRivya
    from langchain_rivya.errors import (
        AnswerLostError,
        APIError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        ConnectionFailedError,
        ContextOverflowError,
        ContextTooLongError,
        HistoryMismatchError,
        IdempotencyConflictError,
        InsufficientCreditsError,
        InvalidAnswerError,
        InvalidInputError,
        LedgerError,
        NotFoundError,
        NotSupportedError,
        PermissionDeniedError,
        RateLimitError,
        RivyaError,
        ServerError,
        SessionConflictError,
        StreamBrokenError,
        TaskError,
        TaskFailedError,
        TaskTimeoutError,
        TimedOutError,
        UnavailableError,
    )
    from langchain_rivya.tools import RivyaImageTool
    from rivya_core.ledger import MemoryLedger

_HOMES = {
    "ChatRivya": "langchain_rivya.chat_models",
    "RivyaImageTool": "langchain_rivya.tools",
    "MemoryLedger": "rivya_core.ledger",
}

__all__ = [
    "APIError",
    "AnswerLostError",
    "AuthenticationError",
    "BadRequestError",
    "ChatRivya",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "ContextOverflowError",
    "ContextTooLongError",
    "HistoryMismatchError",
    "IdempotencyConflictError",
    "InsufficientCreditsError",
    "InvalidAnswerError",
    "InvalidInputError",
    "LedgerError",
    "MemoryLedger",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "RateLimitError",
    "RivyaError",
    "RivyaImageTool",
    "ServerError",
    "SessionConflictError",
    "StreamBrokenError",
    "TaskError",
    "TaskFailedError",
    "TaskTimeoutError",
    "TimedOutError",
    "UnavailableError",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(_HOMES.get(name, "langchain_rivya.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
