"""Rivya, Evolink and GMI Cloud for LangChain.

Importing this package loads nothing of LangChain; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from rivya_core import __version__ as __version__
from rivya_core.extras import import_attribute

if TYPE_CHECKING:
    from langchain_rivya.callbacks import RivyaCreditsHandler
    from langchain_rivya.chat_models import ChatEvolink, ChatGMI, ChatOpenAICompatible, ChatRivya
    from langchain_rivya.errors import (
        APIConnectionError,
        APIError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BudgetExceededError,
        ConfigurationError,
        ConflictError,
        ContextOverflowError,
        ContextTooLongError,
        CreditLimitError,
        HistoryMismatchError,
        IdempotencyConflictError,
        InsufficientCreditsError,
        InvalidInputError,
        InvalidResponseError,
        LedgerError,
        NotFoundError,
        NotSupportedError,
        PermissionDeniedError,
        RateLimitError,
        ResponseLostError,
        RivyaError,
        ServerError,
        ServiceUnavailableError,
        SessionConflictError,
        StreamBrokenError,
        TaskError,
        TaskFailedError,
        TaskInterruptedError,
        TaskTimeoutError,
    )
    from langchain_rivya.registry import register
    from langchain_rivya.tools.image_tool import RivyaImageTool
    from langchain_rivya.tools.task_tools import RivyaImageStatusTool, RivyaWaitForImageTool
    from rivya_core.images.result import GeneratedImage
    from rivya_core.images.sqlite_task_store import SQLiteTaskStore
    from rivya_core.media.fetch_url import FetchRules
    from rivya_core.models import ModelEntry
    from rivya_core.reporting.timeline import SessionTimeline
    from rivya_core.sessions.ledger import MemoryLedger
    from rivya_core.sessions.redis_ledger import RedisLedger
    from rivya_core.sessions.sqlite_ledger import SQLiteLedger

_HOMES = {
    "ChatEvolink": "langchain_rivya.chat_models",
    "ChatGMI": "langchain_rivya.chat_models",
    "ChatOpenAICompatible": "langchain_rivya.chat_models",
    "ChatRivya": "langchain_rivya.chat_models",
    "RivyaCreditsHandler": "langchain_rivya.callbacks",
    "register": "langchain_rivya.registry",
    "RivyaImageTool": "langchain_rivya.tools.image_tool",
    "MemoryLedger": "rivya_core.sessions.ledger",
    "ModelEntry": "rivya_core.models",
    "SessionTimeline": "rivya_core.reporting.timeline",
    "RedisLedger": "rivya_core.sessions.redis_ledger",
    "SQLiteLedger": "rivya_core.sessions.sqlite_ledger",
    "FetchRules": "rivya_core.media.fetch_url",
    "GeneratedImage": "rivya_core.images.result",
    "SQLiteTaskStore": "rivya_core.images.sqlite_task_store",
    "RivyaImageStatusTool": "langchain_rivya.tools.task_tools",
    "RivyaWaitForImageTool": "langchain_rivya.tools.task_tools",
}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ChatEvolink",
    "ChatGMI",
    "ChatOpenAICompatible",
    "ChatRivya",
    "ConfigurationError",
    "ConflictError",
    "ContextOverflowError",
    "ContextTooLongError",
    "CreditLimitError",
    "FetchRules",
    "GeneratedImage",
    "HistoryMismatchError",
    "IdempotencyConflictError",
    "InsufficientCreditsError",
    "InvalidInputError",
    "InvalidResponseError",
    "LedgerError",
    "MemoryLedger",
    "ModelEntry",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedisLedger",
    "ResponseLostError",
    "RivyaCreditsHandler",
    "RivyaError",
    "RivyaImageStatusTool",
    "RivyaImageTool",
    "RivyaWaitForImageTool",
    "SQLiteLedger",
    "SQLiteTaskStore",
    "ServerError",
    "ServiceUnavailableError",
    "SessionConflictError",
    "SessionTimeline",
    "StreamBrokenError",
    "TaskError",
    "TaskFailedError",
    "TaskInterruptedError",
    "TaskTimeoutError",
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = import_attribute(_HOMES.get(name, "langchain_rivya.errors"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
