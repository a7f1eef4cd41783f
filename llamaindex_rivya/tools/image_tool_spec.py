"""The image tools for LlamaIndex, as agents call them. The core's `tool_backend.py` does the work."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ContentBlock, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
from llama_index.core.workflow import Context
from pydantic import SecretStr

from llamaindex_rivya.tools.base import ImageSpecBase
from llamaindex_rivya.tools.events import listener_for
from rivya_core.errors import ConfigurationError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.images.catalogue import DEFAULT_MODEL
from rivya_core.images.result import GeneratedImage
from rivya_core.images.schema import STATUS, WAIT, TaskArguments, arguments_schema, describe
from rivya_core.images.tool_backend import Outcome, Progress, outcome_text
from rivya_core.media.fetch_url import FetchRules

PAIRS = (
    ("generate_image", "agenerate_image"),
    ("get_image_status", "aget_image_status"),
    ("wait_for_image", "await_for_image"),
)
"""The functions for agents, sync and async."""


class RivyaImageToolSpec(ImageSpecBase):
    """Generates images with Rivya's image models, for agents and applications.

    The model that calls a tool sees exactly the options of `model` and gets back a short text with a stable image id,
    by which it can ask for changes (`reference_images`). The application gets the image: as the return value, or as
    `ToolOutput.raw_output`. A workflow streams `RivyaImageProgressEvent`s.

    Source: https://rivya.ai/docs/api-generations

    Args:
        model: Image model id. Default `gpt-image-2`.
        api_key: Key; default from `RIVYA_API_KEY`.
        base_url: Default from `RIVYA_BASE_URL`, else `https://rivya.ai/api/v1`.
        timeout: Seconds, or an `httpx.Timeout`; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a retryable failure. Default 2.
        http_client: Your own `httpx.Client`.
        http_async_client: Your own `httpx.AsyncClient`; it belongs to one event loop.
        default_headers: Further headers of every request to the API; the media host gets none of them.
        deadline: Seconds after which waiting for an image ends; the task continues and can be resumed. Default 600.
        output_dir: Directory for the images; by default they are kept in memory.
        progress: True for a bar, False for none, None (default) for a bar in terminals and notebooks, or a function.
        wait: False lets `generate_image` return at once with a task id. Default True.
        task_store: Store of the tasks: a path for a SQLite file, or any LlamaIndex key-value store. Default:
            what `RIVYA_TASK_STORE` names, else this process's memory.
        allowed_dir: Directory whose files an agent may name as reference images.
        images: Images that an agent may use, by name.
        fetch_image_urls: Whether reference images may be named by https URL; `FetchRules` says which hosts are
            trusted. Default False.
        max_credits: Limit on the credits that this tool spends.
        image_blocks: Whether the calling model is shown the image: True by URL, `base64` with its bytes. Default
            False.

    Raises:
        ConfigurationError: The key is missing, or an argument is invalid.

    Example:
        ```python
        from llama_index.core.agent.workflow import FunctionAgent
        from llamaindex_rivya import GMI, RivyaImageToolSpec

        spec = RivyaImageToolSpec(output_dir="out")
        agent = FunctionAgent(tools=spec.to_tool_list(), llm=GMI())
        image = spec.generate_image("A lighthouse at dawn", aspect_ratio="16:9")
        ```
    """

    spec_functions = [*PAIRS]  # noqa: RUF012 - as LlamaIndex declares it

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
        super().__init__({name: value for name, value in locals().items() if name not in {"self", "__class__"}})

    def generate_image(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex knows a context by exactly this annotation
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Outcome:
        """Generate an image and return it.

        Args:
            prompt: Description of the image.
            reference_images: Ids or names that an agent may use; or bytes, paths, PIL images and earlier results.
            ctx: The workflow that gets progress events; agents fill it in.
            idempotency_key: Your own key for this image. A second call with the same key and arguments returns the same
                image and is not charged again.
            options: The model's options by their common names, for example `aspect_ratio` and `resolution`.

        Raises:
            InvalidInputError: The request is invalid; nothing was sent.
            TaskError: The task failed, took too long, or contact was lost; `task_id` resumes it.
        """
        return self._execute(self._plan_for(prompt, reference_images, ctx, options, idempotency_key))

    async def agenerate_image(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex knows a context by exactly this annotation
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Outcome:
        """Generate an image and return it; see `generate_image`."""
        return await self._aexecute(self._plan_for(prompt, reference_images, ctx, options, idempotency_key))

    def get_image_status(self, task_id: str) -> Outcome:
        """Get the status of an image task that was submitted before. If the image is ready, return it."""
        return self._execute(self._counted(self._backend.status_for_agent(task_id)))

    async def aget_image_status(self, task_id: str) -> Outcome:
        """Get the status of an image task that was submitted before. If the image is ready, return it."""
        return await self._aexecute(self._counted(self._backend.status_for_agent(task_id)))

    def wait_for_image(self, task_id: str, ctx: Context = None) -> GeneratedImage:  # type: ignore[assignment]
        """Wait until an image task that was submitted before is ready, and return the image."""
        return self._execute(self._counted(self._backend.wait_for_agent(task_id, listener_for(ctx))))

    async def await_for_image(self, task_id: str, ctx: Context = None) -> GeneratedImage:  # type: ignore[assignment]
        """Wait until an image task that was submitted before is ready, and return the image."""
        return await self._aexecute(self._counted(self._backend.wait_for_agent(task_id, listener_for(ctx))))

    def to_tool_list(
        self,
        spec_functions: Any = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Return the tools, with the image model's own options as the arguments of the first.

        Args:
            spec_functions: Names, or pairs of names, of the tools to return; all by default.
            func_to_metadata_mapping: Names, descriptions and schemas to use instead, by function name.
        """
        pairs = {name: pair for pair in PAIRS for name in pair}
        names = [one if isinstance(one, str) else one[0] for one in spec_functions or PAIRS]
        unknown = [name for name in names if name not in pairs]
        if unknown:
            known = ", ".join(sync for sync, _ in PAIRS)
            raise ConfigurationError(f"There is no tool {unknown[0]!r}. The tools are: {known}.")
        wanted = [pairs[name] for name in names]
        metadata = {**self._metadata(), **(func_to_metadata_mapping or {})}
        called = {"generate_image": (self._agent_generate, self._agent_agenerate)}
        functions = {sync: called.get(sync) or (getattr(self, sync), getattr(self, twin)) for sync, twin in PAIRS}
        return [self._tool(functions[sync][0], functions[sync][1], metadata[sync]) for sync, _ in wanted]

    def _metadata(self) -> dict[str, ToolMetadata]:
        model = self._backend.model
        return {
            "generate_image": ToolMetadata(describe(model), "generate_image", arguments_schema(model)),
            "get_image_status": ToolMetadata(STATUS, "get_image_status", TaskArguments),
            "wait_for_image": ToolMetadata(WAIT, "wait_for_image", TaskArguments),
        }

    def _tool(self, sync: Callable[..., Any], asynchronous: Callable[..., Any], metadata: ToolMetadata) -> FunctionTool:
        # The empty context is what a call outside of a workflow gets; an agent puts its own in its place.
        context = {} if metadata.name == "get_image_status" else {"ctx": None}
        return FunctionTool.from_defaults(
            sync,
            async_fn=asynchronous,
            tool_metadata=metadata,
            callback=lambda outcome: self._output(outcome, metadata.get_name()),
            partial_params=context,
        )

    def _output(self, outcome: Outcome, name: str) -> str | ToolOutput:
        """Return the text for the calling model; the image stays the tool's raw output."""
        if not self._image_blocks or not isinstance(outcome, GeneratedImage):
            return outcome_text(outcome)
        blocks: list[ContentBlock] = [TextBlock(text=outcome_text(outcome)), *map(self._block, outcome.images)]
        return ToolOutput(name, blocks=blocks, raw_input={}, raw_output=outcome)

    def _block(self, image: GeneratedImage) -> ImageBlock:
        if self._image_blocks == "base64":
            return ImageBlock(image=image.content, image_mimetype=image["mime_type"])
        return ImageBlock(url=image["url"], image_mimetype=image["mime_type"])

    def _plan_for(
        self,
        prompt: str,
        references: Sequence[Any] | None,
        ctx: Context | None,
        options: Mapping[str, Any],
        idempotency_key: str | None = None,
    ) -> Plan[Outcome]:
        """Return the plan of a call; strings among its references are never trusted."""
        arguments = {**options, "reference_images": references}
        request = self._backend.request(prompt, arguments, trusted=False, idempotency_key=idempotency_key)
        return self._generate_image(request, listener_for(ctx)) if self._wait else self._start_image(request)

    def _agent_generate(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment]
        **options: Any,
    ) -> Outcome:
        """`generate_image` for agents, without the options that only the application may set."""
        return self._execute(self._plan_for(prompt, reference_images, ctx, options))

    async def _agent_agenerate(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment]
        **options: Any,
    ) -> Outcome:
        """`generate_image` for agents; see `_agent_generate`."""
        return await self._aexecute(self._plan_for(prompt, reference_images, ctx, options))
