"""What an installation may lack, said in words that help: the base install brings neither framework."""

from importlib import import_module
from typing import Any

EXTRAS = {"langchain_core": "langchain", "llama_index": "llamaindex", "jsonschema": "langchain"}


def import_attribute(module: str, name: str) -> Any:
    """Return *name* of *module* of this distribution.

    Raises:
        ModuleNotFoundError: Something is not installed; if an extra brings it, the message names that.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ModuleNotFoundError(
            f"{missing}. It comes with the extra `{extra}`: pip install 'rivya-integrations[{extra}]'",
            name=missing.name,
        ) from None
