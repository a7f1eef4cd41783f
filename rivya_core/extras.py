"""Clear errors for packages that are not installed: the base install includes neither framework."""

from importlib import import_module
from typing import Any

EXTRAS = {"langchain_core": "langchain", "llama_index": "llamaindex", "jsonschema": "langchain"}


def import_attribute(module: str, name: str) -> Any:
    """Return *name* of *module* of this distribution.

    Raises:
        ModuleNotFoundError: A package is not installed; if it belongs to an extra, the message names the extra.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ModuleNotFoundError(
            f"{missing}. It comes with the extra `{extra}`: pip install 'rivya-integrations[{extra}]' "
            f"(in a clone: '.[{extra}]')",
            name=missing.name,
        ) from None
