"""The image tools for LlamaIndex: what agents call. What they do is in `tool_backend.py` of the core."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ContentBlock, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
from llama_index.core.workflow import Context

from llamaindex_rivya.callbacks import with_image_cost_tracking
from llamaindex_rivya.tools.base import ImageSpecBase
from llamaindex_rivya.tools.events import listener_for
from rivya_core.http.plan import Plan
from rivya_core.images.result import GeneratedImage
from rivya_core.images.schema import STATUS, WAIT, TaskArguments, arguments_schema, describe
from rivya_core.images.tool_backend import Outcome, told

PAIRS = (
    ("generate_image", "agenerate_image"),
    ("get_image_status", "aget_image_status"),
    ("wait_for_image", "await_for_image"),
)
"""What agents call, sync and async."""


class RivyaImageToolSpec(ImageSpecBase):
    """Makes pictures with Rivya's image models, for agents and people.

    The model that calls a tool sees exactly the options of `model` and gets back a short text with a stable image id,
    by which it can ask for changes (`reference_images`). The application gets the picture: as the return value, or as
    `ToolOutput.raw_output`. In a workflow, `RivyaImageProgressEvent`s tell how it goes.

    Source: https://rivya.ai/docs/api-generations

    Args:
        model: Image model id. Default `gpt-image-2`.
        api_key: Key; default from `RIVYA_API_KEY`.
        base_url: Default from `RIVYA_BASE_URL`, else `https://rivya.ai/api/v1`.
        timeout: Seconds, or an `httpx.Timeout`; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.
        http_client: Your own `httpx.Client`.
        http_async_client: Your own `httpx.AsyncClient`; it belongs to one event loop.
        default_headers: Further headers of every request to the API; the media host gets none of them.
        deadline: Seconds after which waiting for a picture ends; the task goes on and can be resumed. Default 600.
        output_dir: Where pictures are saved; by default they are kept in memory.
        progress: True for a bar, False for none, None (default) for one where a person is watching, or a function.
        wait: False lets `generate_image` return at once with a task id. Default True.
        task_store: Where tasks are remembered: a path for a SQLite file, or any LlamaIndex key-value store.
        allowed_dir: Directory whose files an agent may name as reference images.
        images: Images within an agent's reach, by the name under which it asks for them.
        fetch_image_urls: Whether reference images may be named by https URL; `FetchRules` says which hosts are
            trusted. Default False.
        max_credits: Credits that this tool may spend in its life.
        image_blocks: Whether the calling model is shown the picture: True by URL, `base64` with its bytes. Default
            False.

    Raises:
        ConfigurationError: No key, or an argument that cannot be.

    Example:
        ```python
        from llama_index.core.agent.workflow import FunctionAgent
        from llamaindex_rivya import GMI, RivyaImageToolSpec

        spec = RivyaImageToolSpec(output_dir="out")
        agent = FunctionAgent(tools=spec.to_tool_list(), llm=GMI())
        picture = spec.generate_image("A lighthouse at dawn", aspect_ratio="16:9")
        ```
    """

    spec_functions = [*PAIRS]  # noqa: RUF012 - as LlamaIndex declares it

    def generate_image(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex knows a context by exactly this annotation
        **options: Any,
    ) -> Outcome:
        """Make a picture and return it.

        Args:
            prompt: What it shows.
            reference_images: Ids or names that an agent may use; or bytes, paths, PIL images and earlier results.
            ctx: The workflow that is told how it goes; agents fill it in.
            options: The model's options by friendly names, for example `aspect_ratio` and `resolution`.

        Raises:
            InvalidInputError: It cannot be made as wanted; nothing was sent.
            TaskError: The task failed, took too long or broke off; `task_id` resumes it.
        """
        return self._clients.driver.run(self._wanted(prompt, reference_images, ctx, options))

    async def agenerate_image(
        self,
        prompt: str,
        reference_images: Sequence[Any] | None = None,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex knows a context by exactly this annotation
        **options: Any,
    ) -> Outcome:
        """Make a picture and return it; see `generate_image`."""
        return await self._clients.async_driver.run(self._wanted(prompt, reference_images, ctx, options))

    def get_image_status(self, task_id: str) -> Outcome:
        """Look at an image task that was ordered before; if the picture is ready, return it."""
        plan = with_image_cost_tracking(self._kit.status_for_agent(task_id), ordered=False)
        return self._clients.driver.run(plan)

    async def aget_image_status(self, task_id: str) -> Outcome:
        """Look at an image task that was ordered before; if the picture is ready, return it."""
        plan = with_image_cost_tracking(self._kit.status_for_agent(task_id), ordered=False)
        return await self._clients.async_driver.run(plan)

    def wait_for_image(self, task_id: str, ctx: Context = None) -> GeneratedImage:  # type: ignore[assignment]
        """Wait until an image task that was ordered before is ready, and return the picture."""
        plan = with_image_cost_tracking(self._kit.wait_for_agent(task_id, listener_for(ctx)), ordered=False)
        return self._clients.driver.run(plan)

    async def await_for_image(self, task_id: str, ctx: Context = None) -> GeneratedImage:  # type: ignore[assignment]
        """Wait until an image task that was ordered before is ready, and return the picture."""
        plan = with_image_cost_tracking(self._kit.wait_for_agent(task_id, listener_for(ctx)), ordered=False)
        return await self._clients.async_driver.run(plan)

    def to_tool_list(
        self,
        spec_functions: Any = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Return the tools, with the image model's own options as the arguments of the first.

        Args:
            spec_functions: Names, or pairs of names, of those that are wanted; all by default.
            func_to_metadata_mapping: Names, descriptions and schemas to use instead, by function name.
        """
        pairs = {name: pair for pair in PAIRS for name in pair}
        wanted = [pairs[one if isinstance(one, str) else one[0]] for one in spec_functions or PAIRS]
        metadata = {**self._metadata(), **(func_to_metadata_mapping or {})}
        return [self._tool(getattr(self, sync), getattr(self, twin), metadata[sync]) for sync, twin in wanted]

    def _metadata(self) -> dict[str, ToolMetadata]:
        model = self._kit.setup.model
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
        """Return what the calling model gets; the picture itself stays the tool's raw output."""
        if not self._image_blocks or not isinstance(outcome, GeneratedImage):
            return told(outcome)
        blocks: list[ContentBlock] = [TextBlock(text=told(outcome)), *map(self._block, outcome.images)]
        return ToolOutput(name, blocks=blocks, raw_input={}, raw_output=outcome)

    def _block(self, picture: GeneratedImage) -> ImageBlock:
        if self._image_blocks == "base64":
            return ImageBlock(image=picture.content, image_mimetype=picture["mime_type"])
        return ImageBlock(url=picture["url"], image_mimetype=picture["mime_type"])

    def _wanted(
        self, prompt: str, references: Sequence[Any] | None, ctx: Context | None, options: Mapping[str, Any]
    ) -> Plan[Outcome]:
        """Return the plan of a call; whoever makes it, texts among its references are not trusted."""
        arguments = {**options, "reference_images": references}
        order = self._kit.order(prompt, arguments, trusted=False)
        plan: Plan[Outcome] = self._kit.generate(order, listener_for(ctx)) if self._wait else self._kit.start(order)
        return with_image_cost_tracking(plan)
