"""What the image tools are made of, and what people call beside the agents' functions."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from llama_index.core.tools.tool_spec.base import BaseToolSpec
from pydantic import SecretStr
from typing_extensions import Self

from llamaindex_rivya.callbacks import with_image_cost_tracking
from llamaindex_rivya.tools.stores import as_task_store
from rivya_core.adapters import pickling
from rivya_core.errors import RivyaError
from rivya_core.http.clients import Clients
from rivya_core.http.endpoint import endpoint
from rivya_core.http.library import httpx
from rivya_core.images.catalogue import DEFAULT_MODEL
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_store import TaskRecord
from rivya_core.images.tool_backend import ImageToolBackend, Progress
from rivya_core.media.fetch_url import FetchRules
from rivya_core.providers import RIVYA


class ImageSpecBase(BaseToolSpec):
    """Holds the parts of the image tools; not for use by itself."""

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
        self._kit  # noqa: B018 - found now, so that what is missing is said at construction

    @cached_property
    def _kit(self) -> ImageToolBackend:
        """The parts of the tools; those of a pickle are put together at the first call."""
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

    def generate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        *,
        max_concurrency: int = 8,
        max_credits: float | None = None,
        **options: Any,
    ) -> list[GeneratedImage | RivyaError]:
        """Make a picture of each prompt, some at a time, and return each or the error that it ended with.

        Args:
            prompts: Texts, or mappings with a `prompt` and options of their own.
            max_concurrency: How many are on their way at a time.
            max_credits: Credits that all of them may cost together.
            options: Options of all of them.
        """
        plan = with_image_cost_tracking(self._kit.generate_many(prompts, options, max_concurrency, max_credits))
        return self._clients.driver.run(plan)

    async def agenerate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        *,
        max_concurrency: int = 8,
        max_credits: float | None = None,
        **options: Any,
    ) -> list[GeneratedImage | RivyaError]:
        """Make a picture of each prompt; see `generate_many`."""
        plan = with_image_cost_tracking(self._kit.generate_many(prompts, options, max_concurrency, max_credits))
        return await self._clients.async_driver.run(plan)

    def resume(self, task_id: str) -> GeneratedImage:
        """Go on with a task, of this process or another, until its picture is in hand; nothing is charged again."""
        return self._clients.driver.run(with_image_cost_tracking(self._kit.resume(task_id), ordered=False))

    async def aresume(self, task_id: str) -> GeneratedImage:
        """Go on with a task; see `resume`."""
        return await self._clients.async_driver.run(with_image_cost_tracking(self._kit.resume(task_id), ordered=False))

    def pending(self) -> list[TaskRecord]:
        """Return the tasks that may still bring something; the `id` of each is what `resume` takes."""
        return self._clients.driver.run(self._kit.studio.pending())

    async def apending(self) -> list[TaskRecord]:
        """Return the tasks that may still bring something; see `pending`."""
        return await self._clients.async_driver.run(self._kit.studio.pending())

    def credits(self) -> float:
        """Return the credits that the account can still spend."""
        return self._clients.driver.run(self._kit.credits())

    async def acredits(self) -> float:
        """Return the credits that the account can still spend."""
        return await self._clients.async_driver.run(self._kit.credits())

    def refresh(self) -> None:
        """Read the image model's options, limits and price from the service instead of the built-in table."""
        self._clients.driver.run(self._kit.refresh())

    async def arefresh(self) -> None:
        """Read the image model's data from the service; see `refresh`."""
        await self._clients.async_driver.run(self._kit.refresh())

    def add_image(self, image: Any, name: str | None = None) -> str:
        """Put an image within an agent's reach and return the id under which it may ask for it."""
        return self._kit.setup.shelf.put(image, name)

    def __getstate__(self) -> dict[str, Any]:
        """Leave key, headers and what this process remembers out of pickles.

        Raises:
            NotPicklableError: There are clients of the caller's own.
        """
        return pickling.for_pickle(self._given)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the arguments; this never raises, and the first call says what is missing."""
        self._given = pickling.from_pickle(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copies share clients, images and tasks."""
        return self
