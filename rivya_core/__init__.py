"""The framework-free half of rivya-integrations: wires, sessions, tasks and the only I/O there is.

Internal: `langchain_rivya` and `llamaindex_rivya` are the public packages. Read the modules in this order:
`errors`, `plan`, `drivers`, `clients`, `exchange`, `sse`, `chat`, then the wires, then `sessions`.
"""
