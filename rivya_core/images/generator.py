"""Image generation as a product needs it; the tools of both frameworks are thin over what is here.

What may be ordered is checked here, before anything is sent or paid; references are brought to the provider; and
tasks are found again by their ids. `task_runner.py` runs a task; `references.py` decides which images may be named.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rivya_core.errors import InvalidInputError, RivyaError
from rivya_core.http.plan import Plan, call
from rivya_core.images.api import ImageTask
from rivya_core.images.downloads import make_usable
from rivya_core.images.models import REFERENCES_KEY
from rivya_core.images.progress import ImageProgress, Listener, tell
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_runner import ImageConfig, TaskRun
from rivya_core.images.task_store import TaskRecord, ask
from rivya_core.images.uploads import UploadCache
from rivya_core.media.image_file import OpenImage
from rivya_core.rivya.credits import Budget, price_key


@dataclass(frozen=True)
class ImageRequest:
    """What is wanted.

    Attributes:
        prompt: What the picture shows.
        arguments: Options by friendly names; None means not given.
        references: Reference images: whatever `ReferenceRegistry.given` takes.
        trusted: Whether texts among the references are the application's own paths and URLs; else a model made them up.
        call_id: Id of the tool call that wants it; repeating that call after a crash goes on with its task.
        budgets: Credit budgets that must allow it.
        index: Which of a batch, from 0.
        total: How many the batch has.
    """

    prompt: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    references: Sequence[Any] = ()
    trusted: bool = False
    call_id: str | None = None
    budgets: tuple[Budget, ...] = ()
    index: int = 0
    total: int = 1


@dataclass(frozen=True)
class ImageGenerator:
    """Makes images.

    Attributes:
        setup: How they are made.
        uploads: Brings references to the provider.
    """

    setup: ImageConfig
    uploads: UploadCache

    def generate(self, order: ImageRequest, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Make a picture and bring it home.

        Raises:
            InvalidInputError: It cannot be made as wanted; nothing was sent and nothing was paid.
            TaskError: The task failed, took too long, or the waiting broke off; `task_id` resumes it.
            APIError: The provider refused it.
        """
        try:
            job = yield from self.submit(order, listener)
            return (yield from job.collect())
        except RivyaError as error:
            yield from self.tell_failed(order, listener, error)
            raise

    def submit(self, order: ImageRequest, listener: Listener | None = None) -> Plan[TaskRun]:
        """Order a picture and return without waiting for it.

        Raises:
            InvalidInputError: It cannot be made as wanted; nothing was sent and nothing was paid.
            APIError: The provider refused it.
        """
        started = self.setup.patience.clock()
        job = TaskRun(
            self.setup, TaskRecord("", self.setup.origin, {}), listener, started, (), order.index, order.total
        )
        if order.references:
            yield from job.tell("uploading")
        body = yield from self.body(order)
        where = self.setup.output_dir
        if where is not None:
            yield from call(lambda: make_usable(where))
        job = replace(job, record=(yield from self._record(body, order.call_id)))
        if job.record.task_id is not None:
            return job
        return (yield from replace(job, held=self._hold(order.budgets, body)).create())

    def tell_failed(self, order: ImageRequest, listener: Listener | None, error: RivyaError) -> Plan[None]:
        """Tell *listener* that nothing will come of *order*, for now."""
        yield from tell(
            listener,
            ImageProgress(
                "failed",
                self.setup.model.id,
                task_id=getattr(error, "task_id", None),
                index=order.index,
                total=order.total,
                message=str(error),
            ),
        )

    def resume(self, record_id: str, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Go on with a task by its id, from this process or another, until its picture is in hand.

        Raises:
            TaskError: As in `generate`.
        """
        job = yield from self._job(record_id, listener)
        return (yield from job.collect())

    def status(self, record_id: str) -> Plan[ImageTask | GeneratedImage]:
        """Look at a task once; if it has succeeded, bring its picture home.

        Raises:
            TaskFailedError: It failed.
        """
        job = yield from self._job(record_id, None)
        return (yield from job.look())

    def pending(self) -> Plan[list[TaskRecord]]:
        """Return this account's tasks that may still bring something, oldest first."""
        records = yield from ask(self.setup.store, self.setup.store.unfinished)
        return [record for record in records if record.origin == self.setup.origin]

    def find(self, record_id: str) -> Plan[TaskRecord | None]:
        """Return what is remembered of a task of this account."""
        record = yield from ask(self.setup.store, lambda: self.setup.store.get(record_id))
        return record if record is not None and record.origin == self.setup.origin else None

    def body(self, order: ImageRequest) -> Plan[dict[str, Any]]:
        """Return the request's body, after every check and every upload.

        Raises:
            InvalidInputError: It cannot be made as wanted; nothing was paid.
        """
        model = self.setup.model
        model.check_prompt(order.prompt)
        model.check_references(len(order.references))
        if REFERENCES_KEY in order.arguments:
            raise InvalidInputError(f"Name reference images in `reference_images`, not in `{REFERENCES_KEY}`.")
        params = model.wire_params(order.arguments)
        if order.references:
            params[REFERENCES_KEY] = yield from self._references(order)
        body: dict[str, Any] = {"model": model.id, "prompt": order.prompt}
        return {**body, "params": params} if params else body

    def _hold(self, budgets: Sequence[Budget], body: Mapping[str, Any]) -> tuple[tuple[Budget, float], ...]:
        """Hold the price back in every budget, or in none."""
        held: list[tuple[Budget, float]] = []
        try:
            for budget in budgets:
                held.append((budget, budget.hold(price_key(body), self.setup.model.credits)))
        except InvalidInputError:
            for budget, amount in held:
                budget.settle(amount, 0)
            raise
        return tuple(held)

    def _references(self, order: ImageRequest) -> Plan[list[dict[str, str]]]:
        opened: list[OpenImage] = []
        shelf, largest, retry = self.setup.shelf, self.setup.model.largest_reference, self.setup.retry
        try:
            for source in order.references:
                find = shelf.named if isinstance(source, str) and not order.trusted else shelf.given
                opened.append((yield from find(source, largest, retry)))
            return (yield from self.uploads.items(opened))
        finally:
            for image in opened:
                image.file.close()

    def _record(self, body: Mapping[str, Any], call_id: str | None) -> Plan[TaskRecord]:
        """Return a new record, or the one that an earlier run of the same tool call left unfinished."""
        store, origin = self.setup.store, self.setup.origin
        if call_id is not None and store.durable:
            same = json.dumps([origin, call_id, body], sort_keys=True)
            key = hashlib.sha256(same.encode()).hexdigest()[:32]
            before = yield from ask(store, lambda: store.get(key))
            if before is None or before.unfinished:
                return before or TaskRecord(key, origin, body)
        return TaskRecord(uuid.uuid4().hex, origin, body)

    def _job(self, record_id: str, listener: Listener | None) -> Plan[TaskRun]:
        """Return the job of a task; one that may not exist yet is sent again under its key."""
        record = yield from self.find(record_id)
        if record is None:  # another process's, or older than the store: the provider knows it
            record = TaskRecord(record_id, self.setup.origin, {}, "running", record_id)
        job = TaskRun(self.setup, record, listener, self.setup.patience.clock())
        return job if record.task_id is not None else (yield from job.create())
