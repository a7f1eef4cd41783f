"""The LLM classes, each loaded when it is first used."""

from typing import TYPE_CHECKING

from rivya_core.adapters.exports import chat_classes, lazy_exports

if TYPE_CHECKING:
    from llamaindex_rivya.llms.providers import *
    from llamaindex_rivya.llms.rivya import Rivya as Rivya
else:
    __all__, __getattr__, __dir__ = lazy_exports(__name__, chat_classes(__name__))
