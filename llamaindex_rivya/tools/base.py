"""The base of the image tools, with the methods for applications."""

import inspect
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from llama_index.core.tools.tool_spec.base import BaseToolSpec
from pydantic import SecretStr
from typing_extensions import Self

from llamaindex_rivya.callbacks import RivyaCreditsHandler, active_handlers
from llamaindex_rivya.tools.stores import as_task_store
from rivya_core.adapters import pickling
from rivya_core.adapters.arguments import unknown_argument
from rivya_core.adapters.image_operations import ImageOperations
from rivya_core.errors import ConfigurationError
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import endpoint
from rivya_core.http.httpx2_clients import check_client
from rivya_core.http.library import httpx
from rivya_core.images.catalogue import DEFAULT_MODEL
from rivya_core.images.tool_backend import ImageToolBackend, Progress
from rivya_core.media.fetch_url import FetchRules
from rivya_core.providers import RIVYA


class ImageSpecBase(ImageOperations, BaseToolSpec):
    """Base of the image tools; do not use it directly."""

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | Any = None,
        max_retries: int = 2,
        http_client: httpx.Client | Any = None,
        http_async_client: httpx.AsyncClient | Any = None,
        default_headers: Mapping[str, str] | None = None,
        deadline: float = 600.0,
        output_dir: str | os.PathLike[str] | None = None,
        progress: Progress = None,
        wait: bool = True,
        task_store: Any = None,
        allowed_dir: str | os.PathLike[str] | None = None,
        images: Mapping[str, Any] | None = None,
        fetch_image_urls: bool | FetchRules = False,
        max_credits: float | None = None,
        image_blocks: bool | Literal["base64"] = False,
    ) -> None:
        self._given = {name: value for name, value in locals().items() if name not in {"self", "__class__"}}
        for name in ("http_client", "http_async_client"):
            _check_client(name, self._given[name])
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
        given = self._given
        account = ("api_key", "base_url", "timeout")
        where = endpoint(RIVYA, headers=given["default_headers"], **{name: given[name] for name in account})
        given["api_key"] = where.key
        parts = ("model", "max_retries", "deadline", "output_dir", "progress", "allowed_dir", "images", "max_credits")
        return ImageToolBackend(
            where,
            store=as_task_store(given["task_store"]),
            fetching=given["fetch_image_urls"],
            **{name: given[name] for name in parts},
        )

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
        return active_handlers()

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
