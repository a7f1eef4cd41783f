"""Rivya, Evolink and GMI Cloud for LlamaIndex.

Importing this package loads nothing of LlamaIndex; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from rivya_core.extras import load

if TYPE_CHECKING:
    from llamaindex_rivya.compatible import GMI, Evolink, OpenAICompatible
    from llamaindex_rivya.errors import OutputError
    from llamaindex_rivya.handlers import RivyaCreditsHandler
    from llamaindex_rivya.image_events import RivyaImageProgressEvent
    from llamaindex_rivya.llms import Rivya
    from llamaindex_rivya.tools import RivyaImageToolSpec
    from rivya_core.errors import (
        AnswerLostError,
        APIError,
        AuthenticationError,
        BadRequestError,
        BudgetExceededError,
        ConfigurationError,
        ConflictError,
        ConnectionFailedError,
        ContextOverflowError,
        ContextTooLongError,
        CreditLimitError,
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
        TaskInterruptedError,
        TaskTimeoutError,
        TimedOutError,
        UnavailableError,
    )
    from rivya_core.fetch import FetchRules
    from rivya_core.images.pictures import GeneratedImage
    from rivya_core.images.sqlite_task_store import SQLiteTaskStore
    from rivya_core.model_list import ModelEntry
    from rivya_core.sessions.ledger import MemoryLedger
    from rivya_core.sessions.redis_ledger import RedisLedger
    from rivya_core.sessions.sqlite_ledger import SQLiteLedger
    from rivya_core.sessions.timeline import SessionTimeline

_HOMES = {
    "MemoryLedger": "rivya_core.sessions.ledger",
    "ModelEntry": "rivya_core.model_list",
    "SessionTimeline": "rivya_core.sessions.timeline",
    "RedisLedger": "rivya_core.sessions.redis_ledger",
    "SQLiteLedger": "rivya_core.sessions.sqlite_ledger",
    "Evolink": "llamaindex_rivya.compatible",
    "GMI": "llamaindex_rivya.compatible",
    "OpenAICompatible": "llamaindex_rivya.compatible",
    "OutputError": "llamaindex_rivya.errors",
    "Rivya": "llamaindex_rivya.llms",
    "RivyaCreditsHandler": "llamaindex_rivya.handlers",
    "RivyaImageToolSpec": "llamaindex_rivya.tools",
    "FetchRules": "rivya_core.fetch",
    "GeneratedImage": "rivya_core.images.pictures",
    "SQLiteTaskStore": "rivya_core.images.sqlite_task_store",
    "RivyaImageProgressEvent": "llamaindex_rivya.image_events",
}

__all__ = [
    "GMI",
    "APIError",
    "AnswerLostError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "ContextOverflowError",
    "ContextTooLongError",
    "CreditLimitError",
    "Evolink",
    "FetchRules",
    "GeneratedImage",
    "HistoryMismatchError",
    "IdempotencyConflictError",
    "InsufficientCreditsError",
    "InvalidAnswerError",
    "InvalidInputError",
    "LedgerError",
    "MemoryLedger",
    "ModelEntry",
    "NotFoundError",
    "NotSupportedError",
    "OpenAICompatible",
    "OutputError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedisLedger",
    "Rivya",
    "RivyaCreditsHandler",
    "RivyaError",
    "RivyaImageProgressEvent",
    "RivyaImageToolSpec",
    "SQLiteLedger",
    "SQLiteTaskStore",
    "ServerError",
    "SessionConflictError",
    "SessionTimeline",
    "StreamBrokenError",
    "TaskError",
    "TaskFailedError",
    "TaskInterruptedError",
    "TaskTimeoutError",
    "TimedOutError",
    "UnavailableError",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = load(_HOMES.get(name, "rivya_core.errors"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
