"""The methods that applications call on the image tools of both frameworks; agents do not call them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from rivya_core.adapters.account import PlanRunner
from rivya_core.adapters.image_costs import count_images, submit_counted
from rivya_core.http.plan import Plan
from rivya_core.images.contact_sheet import ImageBatch
from rivya_core.images.generator import ImageRequest
from rivya_core.images.progress import Listener
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_store import TaskRecord
from rivya_core.images.tool_backend import ImageToolBackend
from rivya_core.reporting.credits import CreditsReportMixin

T = TypeVar("T")
Reports = Sequence[CreditsReportMixin] | None


class ImageOperations(PlanRunner):
    """Batches, resuming and account methods for a class with a backend and clients."""

    @property
    @abstractmethod
    def _backend(self) -> ImageToolBackend: ...

    @abstractmethod
    def _credit_reports(self) -> Sequence[CreditsReportMixin]:
        """Return the credit handlers that count a call made now."""

    def _generate_image(
        self, request: ImageRequest, listener: Listener | None = None, reports: Reports = None
    ) -> Plan[GeneratedImage]:
        """Return the plan that makes an image, counted by the credit handlers."""
        return submit_counted(
            lambda held: self._backend.generate(request.within(held), listener), self._reports(reports)
        )

    def _start_image(self, request: ImageRequest, reports: Reports = None) -> Plan[TaskRecord]:
        """Return the plan that submits an image, counted by the credit handlers once it is ready."""
        return submit_counted(lambda held: self._backend.start(request.within(held)), self._reports(reports))

    def _counted(self, plan: Plan[T], reports: Reports = None) -> Plan[T]:
        """Return *plan*, which submits nothing, with its images counted by the credit handlers."""
        return count_images(plan, self._reports(reports))

    def _reports(self, given: Reports) -> Sequence[CreditsReportMixin]:
        return self._credit_reports() if given is None else given

    def _show_model(self) -> None:
        """Update the copy of the image model's options that the framework keeps for agents."""

    def generate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        *,
        max_concurrency: int = 8,
        max_credits: float | None = None,
        **options: Any,
    ) -> ImageBatch:
        """Generate an image for each prompt, several at a time; return for each the image or the error it ended with.

        A notebook shows the returned list as a contact sheet.

        Args:
            prompts: Strings, or mappings with a `prompt` and their own options.
            max_concurrency: Number of images in progress at a time.
            max_credits: Limit on the credits of the whole batch.
            options: Options of all images. With an `idempotency_key`, each image gets a key made from it and its
                position.
        """
        return self._execute(self._many(prompts, options, max_concurrency, max_credits))

    async def agenerate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        *,
        max_concurrency: int = 8,
        max_credits: float | None = None,
        **options: Any,
    ) -> ImageBatch:
        """Generate an image for each prompt; see `generate_many`."""
        return await self._aexecute(self._many(prompts, options, max_concurrency, max_credits))

    def resume(self, task_id: str) -> GeneratedImage:
        """Wait for a task of this or another process and return its image; nothing is charged again."""
        return self._execute(self._counted(self._backend.resume(task_id)))

    async def aresume(self, task_id: str) -> GeneratedImage:
        """Wait for a task and return its image; see `resume`."""
        return await self._aexecute(self._counted(self._backend.resume(task_id)))

    def pending(self) -> list[TaskRecord]:
        """Return the tasks whose images are not downloaded yet; pass the `id` of a task to `resume`."""
        return self._execute(self._backend.pending())

    async def apending(self) -> list[TaskRecord]:
        """Return the tasks whose images are not downloaded yet; see `pending`."""
        return await self._aexecute(self._backend.pending())

    def credits(self) -> float:
        """Return the credits that the account can still spend."""
        return self._execute(self._backend.credits())

    async def acredits(self) -> float:
        """Return the credits that the account can still spend."""
        return await self._aexecute(self._backend.credits())

    def refresh(self) -> None:
        """Read the image model's options, limits and price from the service instead of the built-in table."""
        self._execute(self._backend.refresh())
        self._show_model()

    async def arefresh(self) -> None:
        """Read the image model's data from the service; see `refresh`."""
        await self._aexecute(self._backend.refresh())
        self._show_model()

    def add_image(self, image: Any, name: str | None = None) -> str:
        """Let agents use an image, and return the id by which they can name it."""
        return self._backend.add_image(image, name)

    def _many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        options: Mapping[str, Any],
        max_concurrency: int,
        max_credits: float | None,
    ) -> Plan[ImageBatch]:
        reports = self._credit_reports()
        if options.get("idempotency_key") is None:  # an earlier run may have paid the images of a key
            for report in reports:
                report.check()
        return submit_counted(
            lambda held: self._backend.generate_many(prompts, options, max_concurrency, max_credits, held), reports
        )
