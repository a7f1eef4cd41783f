"""What an installation may lack, said in words that help: the base install brings neither framework."""

from importlib import import_module
from typing import Any


def load(module: str, name: str, extra: str) -> Any:
    """Return *name* of *module* of this distribution, which needs *extra*.

    Raises:
        ModuleNotFoundError: What it needs is not installed; the message names the extra.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{missing}. It comes with the extra `{extra}`: pip install 'rivya-integrations[{extra}]'",
            name=missing.name,
        ) from None
