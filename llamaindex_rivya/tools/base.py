"""The base of the image tools, with the methods for applications."""

import inspect
from functools import cached_property
from typing import Any, Literal

from llama_index.core.settings import Settings
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from typing_extensions import Self

from llamaindex_rivya.callbacks import RivyaCreditsHandler, active_handlers
from llamaindex_rivya.tools.stores import as_task_store
from rivya_core.adapters import pickling
from rivya_core.adapters.arguments import unknown_argument
from rivya_core.adapters.image_operations import ImageOperations
from rivya_core.errors import ConfigurationError
from rivya_core.http.clients import Clients
from rivya_core.http.httpx2_clients import check_client
from rivya_core.images.tool_backend import ImageToolBackend
from rivya_core.providers import RIVYA


class ImageSpecBase(ImageOperations, BaseToolSpec):
    """Base of the image tools; do not use it directly."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        for name in ("http_client", "http_async_client"):
            _check_client(name, given[name])
        self._backend  # noqa: B018 - made now, so that a missing value is an error at construction

    def __new__(cls, *unnamed: Any, **values: Any) -> Self:
        """Name what an unknown argument may have meant; Python would only say that it is unexpected.

        Raises:
            ConfigurationError: An argument does not exist, or has no name.
        """
        names = inspect.signature(cls.__init__).parameters.keys() - {"self"}
        if unnamed:
            raise ConfigurationError(f"`{cls.__name__}` takes its arguments by name, for example `model=`.")
        for name in values.keys() - names:
            raise unknown_argument(cls.__name__, name, names)
        return super().__new__(cls)

    @cached_property
    def _backend(self) -> ImageToolBackend:
        """The backend of the tools; an unpickled spec makes it at the first call."""
        store = as_task_store(self._given["task_store"])
        made = ImageToolBackend.from_arguments(RIVYA, {**self._given, "task_store": store})
        self._given["api_key"] = made.api_key
        return made

    @property
    def _clients(self) -> Clients:
        return Clients(self._given["http_client"], self._given["http_async_client"])

    @property
    def _wait(self) -> bool:
        return bool(self._given["wait"])

    @property
    def _image_blocks(self) -> bool | Literal["base64"]:
        shown: bool | Literal["base64"] = self._given["image_blocks"]
        return shown

    def _credit_reports(self) -> tuple[RivyaCreditsHandler, ...]:
        """The handlers of this context, and those of LlamaIndex's settings, which tools have no other way to."""
        active = active_handlers()
        shared = [handler for handler in Settings.callback_manager.handlers if isinstance(handler, RivyaCreditsHandler)]
        return (*active, *(handler for handler in shared if handler not in active))

    def __getstate__(self) -> dict[str, Any]:
        """Leave key, headers and this process's state out of pickles.

        Raises:
            NotPicklableError: The spec has clients of the caller.
        """
        return pickling.for_pickle(self._given)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the arguments; this never raises, and the first call reports a missing value."""
        self._given = pickling.from_pickle(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copies share clients, images and tasks."""
        return self


def _check_client(name: str, client: Any) -> None:
    try:
        check_client(client, asynchronous=name == "http_async_client")
    except ValueError as error:
        raise ConfigurationError(f"`{name}` {error}.") from None
