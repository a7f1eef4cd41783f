"""The tools with which an agent continues a task of the image tool: get its status, or wait for it."""

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools.base import ArgsSchema

from langchain_rivya.tools.base import ImageToolBase, RivyaTool
from rivya_core.images.schema import STATUS, WAIT, TaskArguments


class RivyaImageStatusTool(RivyaTool):
    """Polls a task of an image tool once; a finished image is downloaded.

    `RivyaImageTool(wait=False).companions()` creates it. An agent calls it with the `task_id` that `generate_image`
    returned, and gets the task's status, or the image as the artifact.
    """

    name: str = "get_image_status"
    description: str = STATUS
    args_schema: ArgsSchema | None = TaskArguments
    image_tool: ImageToolBase
    """The tool whose tasks may be polled."""

    def _run(self, task_id: str, run_manager: CallbackManagerForToolRun | None = None) -> tuple[Any, Any]:
        tool = self.image_tool
        with self._explaining_errors():
            return tool._outcome(tool._clients.driver.run(tool._status_plan(task_id, run_manager)))  # noqa: SLF001

    async def _arun(self, task_id: str, run_manager: AsyncCallbackManagerForToolRun | None = None) -> tuple[Any, Any]:
        tool = self.image_tool
        with self._explaining_errors():
            return tool._outcome(await tool._clients.async_driver.run(tool._status_plan(task_id, run_manager)))  # noqa: SLF001


class RivyaWaitForImageTool(RivyaTool):
    """Waits for a task of an image tool until its image is ready.

    `RivyaImageTool(wait=False).companions()` creates it. An agent calls it with the `task_id` that `generate_image`
    returned, and gets the image as the artifact.
    """

    name: str = "wait_for_image"
    description: str = WAIT
    args_schema: ArgsSchema | None = TaskArguments
    image_tool: ImageToolBase
    """The tool whose tasks may be waited for."""

    def _run(
        self, task_id: str, config: RunnableConfig, run_manager: CallbackManagerForToolRun | None = None
    ) -> tuple[Any, Any]:
        tool = self.image_tool
        plan = tool._wait_plan(task_id, config, run_manager)  # noqa: SLF001
        with self._explaining_errors():
            return tool._outcome(tool._clients.driver.run(plan))  # noqa: SLF001

    async def _arun(
        self, task_id: str, config: RunnableConfig, run_manager: AsyncCallbackManagerForToolRun | None = None
    ) -> tuple[Any, Any]:
        tool = self.image_tool
        plan = tool._wait_plan(task_id, config, run_manager)  # noqa: SLF001
        with self._explaining_errors():
            return tool._outcome(await tool._clients.async_driver.run(plan))  # noqa: SLF001
