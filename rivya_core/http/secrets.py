"""Keys and headers, which are never shown: the forms in which people pass them, and what pickles hold instead."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from pickle import PicklingError
from typing import Any, NoReturn, TypeAlias

from pydantic import SecretStr

from rivya_core.errors import ConfigurationError
from rivya_core.http import credentials
from rivya_core.providers import Provider

KeyFunction = Callable[[], "str | SecretStr | Awaitable[str | SecretStr]"]
"""Gives a fresh key for each request; sync or async."""
ApiKey: TypeAlias = "SecretStr | str | KeyFunction | KeySource | StoredKey | None"
Headers = Mapping[str, "str | SecretStr | None"]
"""Names and values; a value of None was not stored with its model."""


class KeySource:
    """A function that gives a key. Neither it nor what it gives is ever shown or pickled."""

    def __init__(self, function: KeyFunction) -> None:
        self._function = function

    def __call__(self) -> SecretStr | Awaitable[SecretStr]:
        """Return a key for one request, or something to await for it.

        Raises:
            ConfigurationError: The function raised, or gave no text.
        """
        try:
            given = self._function()
        except Exception as error:
            raise _failed(error) from error
        return _Awaited(given) if isawaitable(given) else _secret(given)

    def __repr__(self) -> str:
        return "KeySource(**********)"

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> KeySource:
        """Copies of a model share their function."""
        return self

    def __reduce__(self) -> NoReturn:
        raise PicklingError("A function for `api_key` cannot be pickled.")


class _Awaited:
    """A key that is awaited; it is never stored as plain text."""

    def __init__(self, given: Awaitable[Any]) -> None:
        self._given = given

    def __await__(self) -> Generator[Any, None, SecretStr]:
        try:
            given = yield from self._given.__await__()
        except Exception as error:
            raise _failed(error) from error
        return _secret(given)

    def close(self) -> None:
        """Give up the key."""
        if hasattr(self._given, "close"):
            self._given.close()


def _failed(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"The function passed as `api_key` raised {type(error).__name__}. Nothing was sent.")


def _secret(given: Any) -> SecretStr:
    if not isinstance(given, (str, SecretStr)):
        raise ConfigurationError(f"The function passed as `api_key` must return text, not {type(given).__name__}.")
    key = SecretStr((given if isinstance(given, str) else given.get_secret_value()).strip())
    if not key:
        raise ConfigurationError("The function passed as `api_key` returned no text. Nothing was sent.")
    return key


def key_of(given: Any) -> SecretStr | KeySource | StoredKey | None:
    """Return what was passed as `api_key` in the form that is kept.

    Raises:
        ConfigurationError: It is neither text nor a function.
    """
    if given is None or isinstance(given, (SecretStr, KeySource, StoredKey)):
        return given
    if isinstance(given, str):
        return SecretStr(given)
    if callable(given):
        return KeySource(given)
    raise ConfigurationError(f"`api_key` must be text or a function that returns text, not {type(given).__name__}.")


@dataclass(frozen=True)
class StoredKey:
    """Stands for the key of a model that comes from a pickle; the key is looked for at each call, until it is set.

    Attributes:
        mark: Under which the process that wrote the pickle finds its key.
    """

    mark: str

    def find(self, provider: Provider) -> SecretStr:
        """Return the key of this process or of the environment.

        Raises:
            ConfigurationError: There is no key.
        """
        variable = provider.stored_key_variable
        found = credentials.lookup(self.mark) or SecretStr(os.environ.get(variable, ""))
        if not found:
            raise ConfigurationError(
                f"No API key: this model or tool comes from a pickle, which holds no key. Set the environment variable "
                f"`{variable}`, or set `api_key` again."
            )
        return found


def masked(headers: Headers) -> dict[str, SecretStr]:
    """Return *headers* with values that no trace, log or repr shows."""
    return {name: value if isinstance(value, SecretStr) else SecretStr(str(value)) for name, value in headers.items()}


def mask_headers(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call as traces may see them: without the values of `extra_headers`."""
    headers = options.get("extra_headers")
    return {**options, "extra_headers": masked(headers)} if headers and isinstance(headers, Mapping) else dict(options)


def plain(headers: Headers) -> dict[str, str]:
    """Return *headers* with values as text."""
    return {name: value.get_secret_value() for name, value in masked(headers).items()}


def missing(values: Headers) -> dict[str, None]:
    """Return the names whose values were not stored with their model."""
    return {name: None for name, value in values.items() if value is None}


def stored_headers(provider: Provider, names: Collection[str]) -> dict[str, str]:
    """Return headers whose values were not stored with the model, from the environment.

    Raises:
        ConfigurationError: They are not there.
    """
    variable = provider.stored_headers_variable
    try:
        found = json.loads(os.environ.get(variable, ""))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in names):
        raise ConfigurationError(
            f"`default_headers` has no values for `{'`, `'.join(names)}`: pickles and dumps of a model hold only the "
            f"names. Set the environment variable `{variable}` to a JSON object with them, or set `default_headers` "
            "again."
        )
    return {name: found[name] for name in names}
