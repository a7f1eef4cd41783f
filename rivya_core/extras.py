"""Imports at the first use of a name, because an import of this package loads no more than it needs.

Clear errors for packages that are not installed: the base install includes neither framework.
"""

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


class LazyModule:
    """Stands for a module until one of its names is used.

    An `import` in a function does the same, but costs two microseconds at every call. Type checkers do not run this;
    for them the module is imported under `TYPE_CHECKING`.

    Args:
        name: The module's full name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Import the module, and keep what it has under *name*, so that the next use finds it here."""
        value = import_attribute(self._name, name)
        setattr(self, name, value)
        return value
