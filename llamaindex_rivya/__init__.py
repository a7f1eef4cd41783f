"""Rivya, Evolink and GMI Cloud for LlamaIndex.

Importing this package loads nothing of LlamaIndex; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

from rivya_core import __version__ as __version__
from rivya_core.extras import import_attribute

if TYPE_CHECKING:
    from llamaindex_rivya.callbacks import RivyaCreditsHandler
    from llamaindex_rivya.errors import OutputError
    from llamaindex_rivya.llms.providers import GMI, Evolink, OpenAICompatible
    from llamaindex_rivya.llms.rivya import Rivya
    from llamaindex_rivya.tools.events import RivyaImageProgressEvent
    from llamaindex_rivya.tools.image_tool_spec import RivyaImageToolSpec
    from rivya_core.errors import (
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
    from rivya_core.images.result import GeneratedImage
    from rivya_core.images.sqlite_task_store import SQLiteTaskStore
    from rivya_core.media.fetch_url import FetchRules
    from rivya_core.models import ModelEntry
    from rivya_core.reporting.timeline import SessionTimeline
    from rivya_core.sessions.ledger import MemoryLedger
    from rivya_core.sessions.redis_ledger import RedisLedger
    from rivya_core.sessions.sqlite_ledger import SQLiteLedger

_HOMES = {
    "MemoryLedger": "rivya_core.sessions.ledger",
    "ModelEntry": "rivya_core.models",
    "SessionTimeline": "rivya_core.reporting.timeline",
    "RedisLedger": "rivya_core.sessions.redis_ledger",
    "SQLiteLedger": "rivya_core.sessions.sqlite_ledger",
    "Evolink": "llamaindex_rivya.llms.providers",
    "GMI": "llamaindex_rivya.llms.providers",
    "OpenAICompatible": "llamaindex_rivya.llms.providers",
    "OutputError": "llamaindex_rivya.errors",
    "Rivya": "llamaindex_rivya.llms.rivya",
    "RivyaCreditsHandler": "llamaindex_rivya.callbacks",
    "RivyaImageToolSpec": "llamaindex_rivya.tools.image_tool_spec",
    "FetchRules": "rivya_core.media.fetch_url",
    "GeneratedImage": "rivya_core.images.result",
    "SQLiteTaskStore": "rivya_core.images.sqlite_task_store",
    "RivyaImageProgressEvent": "llamaindex_rivya.tools.events",
}

__all__ = [
    "GMI",
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
    "Evolink",
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
    "OpenAICompatible",
    "OutputError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedisLedger",
    "ResponseLostError",
    "Rivya",
    "RivyaCreditsHandler",
    "RivyaError",
    "RivyaImageProgressEvent",
    "RivyaImageToolSpec",
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
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = import_attribute(_HOMES.get(name, "rivya_core.errors"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
