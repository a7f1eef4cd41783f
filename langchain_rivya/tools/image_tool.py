"""The image tool for LangChain: its hooks, and what people call. What it does is in `tool_backend.py` of the core."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from langchain_rivya.errors import as_model_errors
from langchain_rivya.tools.base import ImageToolBase
from langchain_rivya.tools.events import listener_for
from rivya_core.errors import RivyaError
from rivya_core.http.plan import Plan
from rivya_core.images.api import ImageTask
from rivya_core.images.progress import Listener
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_store import TaskRecord
from rivya_core.images.tool_backend import Outcome, told


class RivyaImageTool(ImageToolBase):
    """Makes pictures with Rivya's image models, for agents and people.

    The model that calls it sees exactly the options of `model` and gets back a short text with a stable image id, by
    which it can ask for changes (`reference_images`). The application gets the picture as the artifact.

    Source: https://rivya.ai/docs/api-generations

    Setup:
        Install `rivya-integrations[langchain]` and set the environment variable `RIVYA_API_KEY`.

    Instantiate:
        ```python
        from langchain_rivya import RivyaImageTool

        tool = RivyaImageTool(model="gpt-image-2", output_dir="out")
        ```

    Invoke with arguments:
        ```python
        tool.invoke({"prompt": "A lighthouse at dawn", "aspect_ratio": "16:9"})
        ```

    Invoke with a tool call:
        ```python
        message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": {"prompt": "A lighthouse"}})
        message.artifact["path"]
        ```

    People call `generate`, `generate_many` and `resume`, which return the picture or raise.
    """

    def generate(self, prompt: str, *, reference_images: Sequence[Any] | None = None, **options: Any) -> GeneratedImage:
        """Make a picture and return it.

        Args:
            prompt: What it shows.
            reference_images: Bytes, paths, PIL images, `data:` URLs, https URLs, earlier results or their ids.
            options: The model's options by friendly names, for example `aspect_ratio` and `resolution`.

        Raises:
            InvalidInputError: It cannot be made as wanted; nothing was sent.
            TaskError: The task failed, took too long or broke off; `task_id` resumes it.
        """
        with as_model_errors():
            return self._clients.driver.run(self._wanted(prompt, reference_images, options))

    async def agenerate(
        self, prompt: str, *, reference_images: Sequence[Any] | None = None, **options: Any
    ) -> GeneratedImage:
        """Make a picture and return it; see `generate`."""
        with as_model_errors():
            return await self._clients.async_driver.run(self._wanted(prompt, reference_images, options))

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
        with as_model_errors():
            return self._clients.driver.run(self._kit.generate_many(prompts, options, max_concurrency, max_credits))

    async def agenerate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        *,
        max_concurrency: int = 8,
        max_credits: float | None = None,
        **options: Any,
    ) -> list[GeneratedImage | RivyaError]:
        """Make a picture of each prompt; see `generate_many`."""
        plan = self._kit.generate_many(prompts, options, max_concurrency, max_credits)
        with as_model_errors():
            return await self._clients.async_driver.run(plan)

    def resume(self, task_id: str) -> GeneratedImage:
        """Go on with a task, of this process or another, until its picture is in hand; nothing is charged again."""
        with as_model_errors():
            return self._clients.driver.run(self._kit.resume(task_id))

    async def aresume(self, task_id: str) -> GeneratedImage:
        """Go on with a task; see `resume`."""
        with as_model_errors():
            return await self._clients.async_driver.run(self._kit.resume(task_id))

    def pending(self) -> list[TaskRecord]:
        """Return the tasks that may still bring something; the `id` of each is what `resume` takes."""
        return self._clients.driver.run(self._kit.studio.pending())

    async def apending(self) -> list[TaskRecord]:
        """Return the tasks that may still bring something; see `pending`."""
        return await self._clients.async_driver.run(self._kit.studio.pending())

    def credits(self) -> float:
        """Return the credits that the account can still spend."""
        with as_model_errors():
            return self._clients.driver.run(self._kit.credits())

    async def acredits(self) -> float:
        """Return the credits that the account can still spend."""
        with as_model_errors():
            return await self._clients.async_driver.run(self._kit.credits())

    def refresh(self) -> None:
        """Read the image model's options, limits and price from the service instead of the built-in table."""
        with as_model_errors():
            self._clients.driver.run(self._kit.refresh())
        self._show_model()

    async def arefresh(self) -> None:
        """Read the image model's data from the service; see `refresh`."""
        with as_model_errors():
            await self._clients.async_driver.run(self._kit.refresh())
        self._show_model()

    def add_image(self, image: Any, name: str | None = None) -> str:
        """Put an image within the calling model's reach and return the id under which it may ask for it."""
        with as_model_errors():
            return self._kit.setup.shelf.put(image, name)

    def companions(self) -> list[BaseTool]:
        """Return the tools `get_image_status` and `wait_for_image`, which go on with this tool's tasks."""
        from langchain_rivya.tools.task_tools import RivyaImageStatusTool, RivyaWaitForImageTool

        return [RivyaImageStatusTool(image_tool=self), RivyaWaitForImageTool(image_tool=self)]

    def batch(
        self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Make several pictures, with one progress bar for all."""
        with self._kit.one_bar(len(inputs)):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Make several pictures, with one progress bar for all."""
        with self._kit.one_bar(len(inputs)):
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _run(
        self,
        prompt: Any,
        config: RunnableConfig,
        run_manager: CallbackManagerForToolRun | None = None,
        **arguments: Any,
    ) -> tuple[Any, Any]:
        with self._explaining_errors():
            plan = self._called(prompt, arguments, listener_for(run_manager, config))
            return self._answer(self._clients.driver.run(plan))

    async def _arun(
        self,
        prompt: Any,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
        **arguments: Any,
    ) -> tuple[Any, Any]:
        with self._explaining_errors():
            plan = self._called(prompt, arguments, listener_for(run_manager, config))
            return self._answer(await self._clients.async_driver.run(plan))

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        args, kwargs = super()._to_args_and_kwargs(tool_input, tool_call_id)
        return args, {**kwargs, "call_id": tool_call_id}

    def _called(self, prompt: Any, arguments: dict[str, Any], listener: Listener | None) -> Plan[Outcome]:
        """Return the plan of a model's call; what it names is not trusted."""
        call_id = arguments.pop("call_id", None)
        order = self._kit.order(prompt, arguments, trusted=False, call_id=call_id)
        return self._kit.generate(order, listener) if self.wait else self._kit.start(order)

    def _wanted(self, prompt: str, references: Any, options: Mapping[str, Any]) -> Plan[GeneratedImage]:
        """Return the plan of the application's own call."""
        arguments = {**options, "reference_images": references}
        return self._kit.generate(self._kit.order(prompt, arguments, trusted=True))

    def _answer(self, outcome: Outcome) -> tuple[Any, Any]:
        """Return what the calling model gets, and what the application gets."""
        if isinstance(outcome, TaskRecord):
            return told(outcome), {"task_id": outcome.id, "status": "queued"}
        if isinstance(outcome, ImageTask):
            return told(outcome), {"task_id": outcome.id, "status": outcome.status}
        if not self.image_blocks:
            return str(outcome), outcome
        return [{"type": "text", "text": told(outcome)}, *map(self._block, outcome.images)], outcome

    def _block(self, picture: GeneratedImage) -> dict[str, Any]:
        if self.image_blocks == "base64":
            return {"type": "image", "base64": picture.base64, "mime_type": picture["mime_type"]}
        return {"type": "image", "url": picture["url"], "mime_type": picture["mime_type"]}
