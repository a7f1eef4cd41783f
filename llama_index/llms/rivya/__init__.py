"""`llama_index.llms.rivya`: the models of `llamaindex_rivya` where LlamaIndex's users look for them.

A room of LlamaIndex's namespace; `llama_index` and `llama_index.llms` are shared, so no `__init__.py` may be in them.
"""

from typing import TYPE_CHECKING

from llamaindex_rivya.llms import *

if not TYPE_CHECKING:
    from llamaindex_rivya.llms import __all__ as __all__
