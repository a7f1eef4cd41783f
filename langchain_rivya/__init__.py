"""Rivya, Evolink and GMI Cloud for LangChain.

Importing this package loads nothing of LangChain; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from rivya_core.extras import load

if TYPE_CHECKING:
    from langchain_rivya.callbacks import RivyaCreditsHandler
    from langchain_rivya.chat_models import ChatEvolink, ChatGMI, ChatOpenAICompatible, ChatRivya
    from langchain_rivya.errors import (
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
    from langchain_rivya.images.task_tools import RivyaImageStatusTool, RivyaWaitForImageTool
    from langchain_rivya.images.tools import RivyaImageTool
    from langchain_rivya.registry import register
    from rivya_core.fetch import FetchRules
    from rivya_core.images.pictures import GeneratedImage
    from rivya_core.images.sqlite_task_store import SQLiteTaskStore
    from rivya_core.model_list import ModelEntry
    from rivya_core.sessions.ledger import MemoryLedger
    from rivya_core.sessions.redis_ledger import RedisLedger
    from rivya_core.sessions.sqlite_ledger import SQLiteLedger
    from rivya_core.sessions.timeline import SessionTimeline

_HOMES = {
    "ChatEvolink": "langchain_rivya.chat_models",
    "ChatGMI": "langchain_rivya.chat_models",
    "ChatOpenAICompatible": "langchain_rivya.chat_models",
    "ChatRivya": "langchain_rivya.chat_models",
    "RivyaCreditsHandler": "langchain_rivya.callbacks",
    "register": "langchain_rivya.registry",
    "RivyaImageTool": "langchain_rivya.images.tools",
    "MemoryLedger": "rivya_core.sessions.ledger",
    "ModelEntry": "rivya_core.model_list",
    "SessionTimeline": "rivya_core.sessions.timeline",
    "RedisLedger": "rivya_core.sessions.redis_ledger",
    "SQLiteLedger": "rivya_core.sessions.sqlite_ledger",
    "FetchRules": "rivya_core.fetch",
    "GeneratedImage": "rivya_core.images.pictures",
    "SQLiteTaskStore": "rivya_core.images.sqlite_task_store",
    "RivyaImageStatusTool": "langchain_rivya.images.task_tools",
    "RivyaWaitForImageTool": "langchain_rivya.images.task_tools",
}

__all__ = [
    "APIError",
    "AnswerLostError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ChatEvolink",
    "ChatGMI",
    "ChatOpenAICompatible",
    "ChatRivya",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "ContextOverflowError",
    "ContextTooLongError",
    "CreditLimitError",
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
    "PermissionDeniedError",
    "RateLimitError",
    "RedisLedger",
    "RivyaCreditsHandler",
    "RivyaError",
    "RivyaImageStatusTool",
    "RivyaImageTool",
    "RivyaWaitForImageTool",
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
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = load(_HOMES.get(name, "langchain_rivya.errors"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
