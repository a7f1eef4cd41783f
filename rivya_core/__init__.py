"""The framework-free half of rivya-integrations: wires, sessions, image tasks and the only I/O there is.

Internal: `langchain_rivya` and `llamaindex_rivya` are the public packages. Read `http/plan.py` and `http/drivers.py`
first, then `types.py`, then the wires in `rivya/` and `openai/`, then `sessions/`.
"""

__version__ = "0.1.0"
