"""Tools and structured output in words, for chats that take text only. Pure but for `wire.py`."""
