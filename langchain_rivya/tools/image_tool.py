"""The image tool for LangChain: its hooks and the methods for applications, over the core's `tool_backend.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from langchain_rivya.tools.base import ImageToolBase
from rivya_core.http.plan import Plan
from rivya_core.images.result import GeneratedImage


class RivyaImageTool(ImageToolBase):
    """Generates images with Rivya's image models, for agents and applications.

    The model that calls it sees exactly the options of `model` and gets back a short text with a stable image id, by
    which it can ask for changes (`reference_images`). The application gets the image as the artifact.

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

    Applications call `generate`, `generate_many` and `resume`, which return the image or raise.
    """

    def generate(
        self,
        prompt: str,
        *,
        reference_images: Sequence[Any] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> GeneratedImage:
        """Generate an image and return it.

        Args:
            prompt: Description of the image.
            reference_images: Bytes, paths, PIL images, `data:` URLs, https URLs, earlier results or their ids.
            idempotency_key: Your own key for this image. A second call with the same key and arguments returns the same
                image and is not charged again.
            options: The model's options by their common names, for example `aspect_ratio` and `resolution`.

        Raises:
            InvalidInputError: The request is invalid; nothing was sent.
            TaskError: The task failed, took too long, or contact with it was lost; `task_id` resumes it.
        """
        return self._execute(self._plan_for(prompt, reference_images, idempotency_key, options))

    async def agenerate(
        self,
        prompt: str,
        *,
        reference_images: Sequence[Any] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> GeneratedImage:
        """Generate an image and return it; see `generate`."""
        return await self._aexecute(self._plan_for(prompt, reference_images, idempotency_key, options))

    def companions(self) -> list[BaseTool]:
        """Return the tools `get_image_status` and `wait_for_image`, which continue this tool's tasks."""
        from langchain_rivya.tools.task_tools import RivyaImageStatusTool, RivyaWaitForImageTool

        return [RivyaImageStatusTool(image_tool=self), RivyaWaitForImageTool(image_tool=self)]

    def batch(
        self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Generate several images, with one progress bar for all."""
        with self._backend.one_bar(len(inputs)):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Generate several images, with one progress bar for all."""
        with self._backend.one_bar(len(inputs)):
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _run(
        self,
        prompt: Any,
        config: RunnableConfig,
        run_manager: CallbackManagerForToolRun | None = None,
        **arguments: Any,
    ) -> tuple[Any, Any]:
        with self._explaining_errors():
            plan = self._agent_plan(prompt, arguments, config, run_manager)
            return self._outcome(self._clients.driver.run(plan))

    async def _arun(
        self,
        prompt: Any,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
        **arguments: Any,
    ) -> tuple[Any, Any]:
        with self._explaining_errors():
            plan = self._agent_plan(prompt, arguments, config, run_manager)
            return self._outcome(await self._clients.async_driver.run(plan))

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        args, kwargs = super()._to_args_and_kwargs(tool_input, tool_call_id)
        return args, {**kwargs, "call_id": tool_call_id}

    def _plan_for(
        self, prompt: str, references: Any, idempotency_key: str | None, options: Mapping[str, Any]
    ) -> Plan[GeneratedImage]:
        """Return the plan of the application's own call."""
        arguments = {**options, "reference_images": references}
        request = self._backend.request(prompt, arguments, trusted=True, idempotency_key=idempotency_key)
        return self._generate_image(request)
