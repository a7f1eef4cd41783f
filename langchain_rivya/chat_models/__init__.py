"""The chat models, each loaded when it is first used: Rivya's chat needs nothing of OpenAI's wires."""

from typing import TYPE_CHECKING

from rivya_core.adapters.exports import chat_classes, lazy_exports

if TYPE_CHECKING:
    from langchain_rivya.chat_models.providers import *
    from langchain_rivya.chat_models.rivya import ChatRivya as ChatRivya
else:
    __all__, __getattr__, __dir__ = lazy_exports(__name__, chat_classes(__name__, "Chat"))
