"""`llama_index.tools.rivya`: the image tools of `llamaindex_rivya` where LlamaIndex's users look for them.

A room of LlamaIndex's namespace; `llama_index` and `llama_index.tools` are shared, so no `__init__.py` may be in them.
"""

from llamaindex_rivya import RivyaImageToolSpec

__all__ = ["RivyaImageToolSpec"]
