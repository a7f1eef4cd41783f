"""What an installation may lack, said in words that help: the base install brings neither framework."""

from importlib import import_module
from types import ModuleType


def load(module: str, extra: str) -> ModuleType:
    """Import *module* of this distribution, which needs *extra*.

    Raises:
        ModuleNotFoundError: What it needs is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{missing}. It comes with the extra `{extra}`: pip install 'rivya-integrations[{extra}]'",
            name=missing.name,
        ) from None
