"""`llama_index.llms.rivya`: the models of `llamaindex_rivya` where LlamaIndex's users look for them.

A room of LlamaIndex's namespace; `llama_index` and `llama_index.llms` are shared, so no `__init__.py` may stand there.
"""

from llamaindex_rivya import GMI, Evolink, OpenAICompatible, Rivya

__all__ = ["GMI", "Evolink", "OpenAICompatible", "Rivya"]
