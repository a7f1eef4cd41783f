"""One image task, from its request to the downloaded image, with its record and progress.

A record is stored before the request is sent and completed when the image is downloaded. After a failure in between,
the record's id resumes the task. `generator.py` checks the request beforehand.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from rivya_core.errors import (
    ConfigurationError,
    IdempotencyConflictError,
    NotFoundError,
    RivyaError,
    TaskError,
    TaskFailedError,
    TaskInterruptedError,
)
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.images.api import ImageTask, create_task, get_task, wait_for_task
from rivya_core.images.downloads import DOWNLOAD_RETRY, download, safe_name
from rivya_core.images.durations import known_durations, note_duration
from rivya_core.images.models import ImageModel
from rivya_core.images.polling import PollingPolicy
from rivya_core.images.progress import ImageProgress, Listener, Stage, report
from rivya_core.images.references import ReferenceRegistry
from rivya_core.images.result import GeneratedImage, generated, image_id
from rivya_core.images.task_store import TaskRecord, TaskStore, ask
from rivya_core.media.fetch_url import FetchRules
from rivya_core.reporting.tracing import ImageTrace, until_failure
from rivya_core.rivya.credits import BudgetLike, price_key

log = logging.getLogger("rivya")

UPLOADED_AGAIN = (
    "References that are uploaded again make a different request. Use a task store that outlives the program "
    "(`task_store=` or `RIVYA_TASK_STORE`): it finds the earlier image by the key. Nothing was charged again."
)


@dataclass(frozen=True)
class ImageConfig:
    """Configuration of image generation.

    Attributes:
        endpoint: Endpoint and credentials.
        model: The image model.
        store: Store of the task records.
        registry: The images that a model may name; new images are added to it.
        retry: When requests are repeated.
        polling: When tasks are polled, and when waiting ends.
        output_dir: Directory for the images, or None to keep them in memory.
        fetching: Hosts that may serve results in addition to public ones, and how host names are resolved.
    """

    endpoint: Endpoint
    model: ImageModel
    store: TaskStore
    registry: ReferenceRegistry
    retry: RetryPolicy = RetryPolicy()
    polling: PollingPolicy = PollingPolicy()
    output_dir: Path | None = None
    fetching: FetchRules = FetchRules()

    @property
    def origin(self) -> str:
        """Fingerprint of the account."""
        return sha256(f"rivya-images\n{self.endpoint.base_url}\n{self.endpoint.account}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class TaskRun:
    """One task while it is processed.

    Attributes:
        config: Configuration of image generation.
        record: Record of the task.
        listener: Receives the progress.
        started: When the task was submitted, by the polling clock.
        held: Credits that each budget reserves for the task.
        index: Position in a batch, from 0.
        total: Number of images in the batch.
        trace: Span of the image, if traces are taken.
    """

    config: ImageConfig
    record: TaskRecord
    listener: Listener | None
    started: float
    held: tuple[tuple[BudgetLike, float], ...] = ()
    index: int = 0
    total: int = 1
    trace: ImageTrace | None = None

    def create(self) -> Plan[TaskRun]:
        """Send the request under its key and return the run with its task.

        Raises:
            APIError: The provider refused the request; the record is deleted.
            TaskInterruptedError: It is unknown whether the task was created; the record's key resumes it.
        """
        yield from self.report("submitting")
        yield from self._announce()
        with _leaving_id(self.record):
            task = yield from self._send()
        record = replace(self.record, state="running", task_id=task.id)
        price = price_key(record.body)
        held = tuple((one, one.learn(price, amount, task.reserved_credits)) for one, amount in self.held)
        run = replace(self, record=record, held=held)
        with _leaving_id(record):
            yield from self._note(record)
            yield from run.report("queued")
        return run

    def _announce(self) -> Plan[None]:
        """Store the record before the request is sent; without a record, nothing is sent."""
        store = self.config.store
        try:
            yield from ask(store, lambda: store.put(self.record))
        except Exception as exc:  # a store may raise anything
            self.release()
            raise ConfigurationError(f"The task store failed, so nothing was sent: {exc}") from exc

    def _send(self) -> Plan[ImageTask]:
        """Send the request; delete the record if the task was certainly not created."""
        store, record = self.config.store, self.record
        try:
            return (yield from create_task(self.config.endpoint, record.body, record.key, self.config.retry))
        except RivyaError as error:
            if error.retryable == "if_idempotent":
                raise _interrupted(record, "It is unknown whether image task {id} was created", error) from error
            self.release()
            yield from ask(store, lambda: store.drop(record.key))
            if isinstance(error, IdempotencyConflictError) and record.references:
                error.args = (f"{error} {UPLOADED_AGAIN}",)
            raise

    def leave(self) -> TaskRecord:
        """Return the record of the task, which nothing waits for now."""
        if self.trace is not None:
            self.trace.submitted(self.record.task_id)
        return self.record

    def collect(self) -> Plan[GeneratedImage]:
        """Wait for the task and download its image.

        Raises:
            TaskError: The task failed, took too long, or contact was lost; `task_id` resumes it.
        """
        with until_failure(self.trace):
            image = yield from self._collect()
        if self.trace is not None:
            self.trace.made(image.task_id, image.credits, image.timings["polls"])
        return image

    def _collect(self) -> Plan[GeneratedImage]:
        polls = 0

        def on_poll(task: ImageTask) -> Plan[None]:
            nonlocal polls
            polls += 1
            if not task.ended:
                yield from self.report("queued" if task.status == "queued" else "processing", polls=polls)

        try:
            with _leaving_id(self.record):
                task = yield from self._wait(on_poll)
                return (yield from self._download_results(task, polls))
        except TaskFailedError:
            self.release()
            yield from self._note(replace(self.record, state="failed"))
            raise
        except (TaskError, NotFoundError) as error:
            if isinstance(error, NotFoundError) and self.record.body:  # a new task may not be visible yet
                raise _interrupted(self.record, "Lost contact with image task {id}", error) from error
            raise
        except (RivyaError, OSError) as error:
            raise _interrupted(
                self.record, "Lost contact with image task {id}, which is still running", error
            ) from error

    def _wait(self, on_poll: Callable[[ImageTask], Plan[None]]) -> Plan[ImageTask]:
        """Poll around the expected moment, if earlier tasks of this kind are known."""
        where, observers = self.config.endpoint, self.config.retry.observers
        durations = yield from known_durations(self.config.store, self.record)
        polling = self.config.polling.expecting(durations, max(0.0, time.time() - self.record.created_at))
        return (yield from wait_for_task(where, self.record.id, polling, on_poll, observers))

    def poll(self) -> Plan[ImageTask | GeneratedImage]:
        """Poll the task once; if it has succeeded, download its image.

        Raises:
            TaskFailedError: The task failed.
        """
        task = yield from get_task(self.config.endpoint, self.record.id, self.config.retry)
        if task.status == "failed":
            yield from self._note(replace(self.record, state="failed"))
            raise task.failure()
        return (yield from self._download_results(task, 1)) if task.status == "succeeded" else task

    def _download_results(self, task: ImageTask, polls: int) -> Plan[GeneratedImage]:
        yield from self.report("downloading", polls=polls)
        files = []
        for number, url in enumerate(task.urls):
            name = safe_name(str(self.record.body.get("model") or task.model), image_id(task.id, number))
            where, rules = self.config.endpoint.base_url, self.config.fetching
            retry = replace(DOWNLOAD_RETRY, observers=self.config.retry.observers)
            files.append((yield from download(url, name, self.config.output_dir, where, rules=rules, retry=retry)))
        seconds = self.config.polling.clock() - self.started
        image = generated(task, self.record.body, files, seconds=seconds, polls=polls)
        for one in image.images:
            self.config.registry.put(one)
        for budget, held in self.held:
            budget.settle(held, task.final_credits)
        yield from self._note(replace(self.record, state="done", task_id=task.id, images=(dict(image),)))
        if self.record.unfinished:
            yield from note_duration(self.config.store, self.record, task)
        yield from self.report("done", polls=polls, image_id=image["id"], credits=task.final_credits, task_id=task.id)
        return image

    def _note(self, record: TaskRecord) -> Plan[None]:
        """Store the state of a task. A store that fails here does not affect the image."""
        try:
            yield from ask(self.config.store, lambda: self.config.store.put(record))
        except Exception:  # noqa: BLE001 - a store may raise anything, and the image must not be lost
            log.warning("The task store failed; the state of image task %s was not stored.", record.id, exc_info=True)

    def report(self, stage: Stage, **facts: Any) -> Plan[None]:
        """Send the progress to the listener."""
        facts.setdefault("task_id", self.record.task_id)
        seconds = round(self.config.polling.clock() - self.started, 3)
        model = self.config.model.id
        progress = ImageProgress(stage, model, seconds=seconds, index=self.index, total=self.total, **facts)
        yield from report(self.listener, progress)

    def release(self) -> None:
        """Release the credits that the budgets reserve for the task."""
        for budget, held in self.held:
            budget.settle(held, 0)


def _interrupted(record: TaskRecord, what: str, error: Exception) -> TaskInterruptedError:
    message = f"{what.format(id=record.id)}: {error} Call `resume({record.id!r})`; the image is not charged again."
    return TaskInterruptedError(message, task_id=record.id, code=getattr(error, "code", None))


@contextmanager
def _leaving_id(record: TaskRecord) -> Iterator[None]:
    """Put the task's id on a cancellation or an interrupt, and in the log, so that the task can be resumed."""
    try:
        yield
    except Exception:
        raise
    except BaseException as exc:
        exc.task_id = record.id  # type: ignore[attr-defined]
        log.warning(
            "Waiting for image task %s was interrupted; the task is still running. Resume it by its id.", record.id
        )
        raise
