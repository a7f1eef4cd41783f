"""Rivya, Evolink and GMI Cloud for LlamaIndex.

Importing this package loads nothing of LlamaIndex; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from rivya_core import __version__ as __version__
from rivya_core.adapters.exports import SHARED, chat_classes, error_classes, lazy_exports

if TYPE_CHECKING:
    from llamaindex_rivya.batches import ResumableBatch as ResumableBatch
    from llamaindex_rivya.callbacks import RivyaCreditsHandler as RivyaCreditsHandler
    from llamaindex_rivya.errors import *
    from llamaindex_rivya.llms import *
    from llamaindex_rivya.llms.blocks import RefusalBlock as RefusalBlock
    from llamaindex_rivya.rate_limiter import SharedRateLimiter as SharedRateLimiter
    from llamaindex_rivya.tools.events import RivyaImageProgressEvent as RivyaImageProgressEvent
    from llamaindex_rivya.tools.image_tool_spec import RivyaImageToolSpec as RivyaImageToolSpec
    from rivya_core.adapters.shared_names import *
else:
    __all__, __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "ResumableBatch": "llamaindex_rivya.batches",
            "RivyaCreditsHandler": "llamaindex_rivya.callbacks",
            "SharedRateLimiter": "llamaindex_rivya.rate_limiter",
            "RivyaImageProgressEvent": "llamaindex_rivya.tools.events",
            "RivyaImageToolSpec": "llamaindex_rivya.tools.image_tool_spec",
            **chat_classes("llamaindex_rivya.llms"),
            **error_classes("rivya_core.errors"),
            "RefusalBlock": "llamaindex_rivya.llms.blocks",
            **SHARED,
        },
    )
