"""Opt-in registration with LangChain's `init_chat_model`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from langchain_rivya.errors import ConfigurationError, NotSupportedError
from rivya_core.providers import PROVIDERS


def register(*, ignore_unsupported: bool = False) -> None:
    """Let `init_chat_model("rivya:gpt-5-2-chat")`, `"evolink:…"`, `"gmi:…"` and `"openai_compatible:…"` work.

    LangChain offers no registration, so this adds to its private list of providers; it is never done at import. A
    second call replaces the first.

    Args:
        ignore_unsupported: Whether models made by `init_chat_model` ignore arguments that only another of these
            providers has, so that one configuration serves all of them. By default such an argument is refused.

    Raises:
        ConfigurationError: `langchain` is not installed.
        NotSupportedError: The installed `langchain` keeps its list elsewhere.
    """
    try:
        module = import_module("langchain.chat_models.base")
    except ModuleNotFoundError as error:
        raise ConfigurationError("`register` needs the package `langchain`: pip install langchain") from error
    providers = getattr(module, "_BUILTIN_PROVIDERS", None)
    if not isinstance(providers, dict):
        raise NotSupportedError("This version of `langchain` cannot be extended; construct the chat model yourself.")
    _defaults["ignore_unsupported"] = ignore_unsupported
    for provider in PROVIDERS:
        providers[provider.name.replace("-", "_")] = ("langchain_rivya", f"Chat{provider.class_name}", _create)


_defaults: dict[str, Any] = {}
"""Arguments of every model; kept here, because LangChain remembers `_create` from its first use."""


def _create(cls: type, **kwargs: Any) -> Any:
    return cls(**{**_defaults, **kwargs})
