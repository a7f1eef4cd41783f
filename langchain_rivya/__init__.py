"""Rivya, Evolink and GMI Cloud for LangChain.

Importing this package loads nothing of LangChain; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from rivya_core import __version__ as __version__
from rivya_core.adapters.exports import SHARED, chat_classes, error_classes, lazy_exports

if TYPE_CHECKING:
    from langchain_rivya.batches import ResumableBatch as ResumableBatch
    from langchain_rivya.callbacks import RivyaCreditsHandler as RivyaCreditsHandler
    from langchain_rivya.chat_models import *
    from langchain_rivya.errors import *
    from langchain_rivya.rate_limiter import SharedRateLimiter as SharedRateLimiter
    from langchain_rivya.registry import register as register
    from langchain_rivya.tools.image_tool import RivyaImageTool as RivyaImageTool
    from langchain_rivya.tools.task_tools import RivyaImageStatusTool as RivyaImageStatusTool
    from langchain_rivya.tools.task_tools import RivyaWaitForImageTool as RivyaWaitForImageTool
    from rivya_core.adapters.shared_names import *
else:
    __all__, __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "ResumableBatch": "langchain_rivya.batches",
            "RivyaCreditsHandler": "langchain_rivya.callbacks",
            "SharedRateLimiter": "langchain_rivya.rate_limiter",
            "RivyaImageStatusTool": "langchain_rivya.tools.task_tools",
            "RivyaImageTool": "langchain_rivya.tools.image_tool",
            "RivyaWaitForImageTool": "langchain_rivya.tools.task_tools",
            "register": "langchain_rivya.registry",
            **chat_classes("langchain_rivya.chat_models", "Chat"),
            **error_classes("langchain_rivya.errors"),
            **SHARED,
        },
    )
