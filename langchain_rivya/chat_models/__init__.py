"""The chat models, each loaded when it is first used: Rivya's users do not wait for OpenAI's wires, nor the others."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_rivya.chat_models.providers import ChatEvolink, ChatGMI, ChatOpenAICompatible
    from langchain_rivya.chat_models.rivya import ChatRivya

_HOMES = {
    "ChatEvolink": "providers",
    "ChatGMI": "providers",
    "ChatOpenAICompatible": "providers",
    "ChatRivya": "rivya",
}

__all__ = ["ChatEvolink", "ChatGMI", "ChatOpenAICompatible", "ChatRivya"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
