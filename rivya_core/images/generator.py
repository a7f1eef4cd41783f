"""Image generation for both frameworks; their tools only call this module.

It checks a request before anything is sent or charged, uploads the references and finds earlier tasks by their ids.
`task_runner.py` runs a task; `references.py` decides which images may be named.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from rivya_core.errors import InvalidInputError, RivyaError
from rivya_core.http.plan import Plan, call
from rivya_core.images.api import ImageTask
from rivya_core.images.downloads import make_usable
from rivya_core.images.models import REFERENCES_KEY
from rivya_core.images.progress import ImageProgress, Listener, report
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_runner import ImageConfig, TaskRun
from rivya_core.images.task_store import TaskRecord, ask
from rivya_core.images.uploads import UploadCache
from rivya_core.media.image_file import OpenImage
from rivya_core.reporting.tracing import ImageTrace, tracing, until_failure
from rivya_core.rivya.credits import BudgetLike, price_key

T = TypeVar("T")
Digests = tuple[str, ...]


@dataclass(frozen=True)
class ImageRequest:
    """A request for one image.

    Attributes:
        prompt: Description of the image.
        arguments: Options by friendly names; None means not given.
        references: Reference images, as `ReferenceRegistry.given` takes them.
        trusted: Whether strings among the references come from the application; otherwise a model wrote them.
        call_id: Id of the tool call. If the same call is repeated after a crash, it continues the same task.
        budgets: Credit budgets that the image counts against.
        index: Position in a batch, from 0.
        total: Number of images in the batch.
        idempotency_key: Key given by the application. The same key and arguments give the same image, charged once.
    """

    prompt: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    references: Sequence[Any] = ()
    trusted: bool = False
    call_id: str | None = None
    budgets: tuple[BudgetLike, ...] = ()
    index: int = 0
    total: int = 1
    idempotency_key: str | None = None

    def within(self, budgets: Sequence[BudgetLike]) -> ImageRequest:
        """Return the request with further budgets that must allow it."""
        return replace(self, budgets=(*self.budgets, *budgets))


@dataclass(frozen=True)
class ImageGenerator:
    """Generates images.

    Attributes:
        config: Model, endpoint, stores and policies.
        uploads: Uploads references.
    """

    config: ImageConfig
    uploads: UploadCache

    def generate(self, request: ImageRequest, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Generate an image and download it.

        Raises:
            InvalidInputError: The request is invalid; nothing was sent and nothing was charged.
            TaskError: The task failed, took too long, or contact was lost; `task_id` resumes it.
            APIError: The provider refused the request.
        """
        try:
            run = yield from self.submit(request, listener)
            return (yield from run.collect())
        except RivyaError as error:
            yield from self.report_failure(request, listener, error)
            raise

    def submit(self, request: ImageRequest, listener: Listener | None = None) -> Plan[TaskRun]:
        """Submit a request and return without waiting for the image.

        Raises:
            InvalidInputError: The request is invalid; nothing was sent and nothing was charged.
            APIError: The provider refused the request.
        """
        config, trace = self._traced()
        with until_failure(trace):
            started = config.polling.clock()
            record = yield from self._record(request)
            run = TaskRun(config, record, listener, started, (), request.index, request.total, trace)
            return run if record.task_id is not None else (yield from self._create(run, request))

    def _create(self, run: TaskRun, request: ImageRequest) -> Plan[TaskRun]:
        """Return the run with its task, within the budgets and with the references uploaded."""
        where = self.config.output_dir
        if where is not None:
            yield from call(lambda: make_usable(where))
        run = replace(run, held=self._hold(request.budgets, run.record.body))
        return (yield from (yield from self._with_references(run, request)).create())

    def report_failure(self, request: ImageRequest, listener: Listener | None, error: RivyaError) -> Plan[None]:
        """Report to *listener* that the image of *request* failed."""
        yield from report(
            listener,
            ImageProgress(
                "failed",
                self.config.model.id,
                task_id=getattr(error, "task_id", None),
                index=request.index,
                total=request.total,
                message=str(error),
            ),
        )

    def resume(self, record_id: str, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Continue a task of this or another process by its id, until its image is downloaded.

        Raises:
            TaskError: As in `generate`.
        """
        config, trace = self._traced()
        with until_failure(trace):
            run = yield from self._run(record_id, config, listener, trace)
        return (yield from run.collect())

    def status(self, record_id: str) -> Plan[ImageTask | GeneratedImage]:
        """Poll a task once; if it has succeeded, download its image.

        Raises:
            TaskFailedError: The task failed.
        """
        run = yield from self._run(record_id, self.config)
        return (yield from run.poll())

    def pending(self) -> Plan[list[TaskRecord]]:
        """Return the records of this account's tasks whose images are not downloaded yet, oldest first."""
        records = yield from ask(self.config.store, self.config.store.unfinished)
        return [record for record in records if record.origin == self.config.origin]

    def find(self, record_id: str) -> Plan[TaskRecord | None]:
        """Return the record of a task of this account."""
        record = yield from ask(self.config.store, lambda: self.config.store.get(record_id))
        return record if record is not None and record.origin == self.config.origin else None

    def body(self, request: ImageRequest) -> dict[str, Any]:
        """Check the request and return its body; the references are still to be uploaded.

        Raises:
            InvalidInputError: The request is invalid; nothing was sent.
        """
        model = self.config.model
        model.check_prompt(request.prompt)
        model.check_references(len(request.references))
        if REFERENCES_KEY in request.arguments:
            raise InvalidInputError(
                f"Pass reference images in `reference_images`, not in `{REFERENCES_KEY}`; nothing was sent."
            )
        params = model.wire_params(request.arguments)
        if request.references:
            params[REFERENCES_KEY] = []
        body: dict[str, Any] = {"model": model.id, "prompt": request.prompt}
        return {**body, "params": params} if params else body

    def _hold(self, budgets: Sequence[BudgetLike], body: Mapping[str, Any]) -> tuple[tuple[BudgetLike, float], ...]:
        """Reserve the price in every budget, or in none."""
        held: list[tuple[BudgetLike, float]] = []
        try:
            for budget in budgets:
                held.append((budget, budget.hold(price_key(body), self.config.model.credits)))
        except RivyaError:
            for budget, amount in held:
                budget.settle(amount, 0)
            raise
        return tuple(held)

    def _with_references(self, run: TaskRun, request: ImageRequest) -> Plan[TaskRun]:
        """Return the run with its references uploaded; an earlier run of the request has done that already."""
        body = run.record.body
        params = body.get("params") or {}
        if params.get(REFERENCES_KEY) != []:
            return run
        try:
            yield from run.report("uploading")
            items, digests = yield from self._opened(
                request, lambda images: self.uploads.items(images, run.config.retry)
            )
        except BaseException:
            run.release()
            raise
        body = {**body, "params": {**params, REFERENCES_KEY: items}}
        record = replace(run.record, body=body, references=digests, created_at=time.time())
        return replace(run, record=record)

    def _opened(self, request: ImageRequest, use: Callable[[list[OpenImage]], Plan[T]]) -> Plan[tuple[T, Digests]]:
        """Open the references of a request and return what *use* makes of them, with their digests."""
        opened: list[OpenImage] = []
        registry, largest, retry = self.config.registry, self.config.model.largest_reference, self.config.retry
        try:
            for source in request.references:
                find = registry.named if isinstance(source, str) and not request.trusted else registry.given
                opened.append((yield from find(source, largest, retry)))
            made = yield from use(opened)
            return made, tuple(image.digest for image in opened)
        finally:
            for image in opened:
                image.file.close()

    def _record(self, request: ImageRequest) -> Plan[TaskRecord]:
        """Return a new record, or the record of an earlier run with the same key or tool call."""
        store, origin, body = self.config.store, self.config.origin, self.body(request)
        if request.idempotency_key is not None:
            return (yield from self._keyed_record(request, body, request.idempotency_key))
        if request.call_id is not None and store.durable:
            key = _hashed([origin, request.call_id, body, [_name_of(one) for one in request.references]])
            before = yield from ask(store, lambda: store.get(key))
            if before is None or before.unfinished:
                return before or TaskRecord(key, origin, body)
        return TaskRecord(uuid.uuid4().hex, origin, body)

    def _keyed_record(self, request: ImageRequest, body: Mapping[str, Any], given: str) -> Plan[TaskRecord]:
        """Return the record under the application's idempotency key."""
        store, origin = self.config.store, self.config.origin
        key = _hashed([origin, given])
        before = yield from ask(store, lambda: store.get(key))
        if before is None or before.state == "failed":
            return TaskRecord(key, origin, body)
        is_same = _without_references(before.body) == _without_references(body)
        if is_same and (before.references or request.references):
            _, digests = yield from self._opened(request, _nothing)
            is_same = digests == before.references
        if not is_same:
            raise InvalidInputError(
                f"The idempotency key {given!r} was used for a different image; nothing was sent. Use one key per "
                "image."
            )
        return before

    def _traced(self) -> tuple[ImageConfig, ImageTrace | None]:
        """Return the configuration for one image, and its span if traces are taken."""
        if not tracing():
            return self.config, None
        where, retry = self.config.endpoint, self.config.retry
        trace = ImageTrace(where.provider.name, self.config.model.id, where.base_url)
        trace.begins()
        return replace(self.config, retry=replace(retry, observers=(*retry.observers, trace))), trace

    def _run(
        self,
        record_id: str,
        config: ImageConfig,
        listener: Listener | None = None,
        trace: ImageTrace | None = None,
    ) -> Plan[TaskRun]:
        """Return the run of a task. If the task may not exist yet, send its request again under its key."""
        record = yield from self.find(record_id)
        if record is None:  # a task of another process, or older than the store
            record = TaskRecord(record_id, self.config.origin, {}, "running", record_id)
        run = TaskRun(config, record, listener, config.polling.clock(), trace=trace)
        return run if record.task_id is not None else (yield from run.create())


def _nothing(_: object) -> Plan[None]:
    yield from ()


def _hashed(facts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _name_of(reference: Any) -> str:
    """Return what stays the same about a reference when the same tool call is repeated."""
    return str(reference.get("id")) if isinstance(reference, Mapping) else repr(reference)


def _without_references(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's body without its uploaded references: each upload has a new URL."""
    params = {key: value for key, value in (body.get("params") or {}).items() if key != REFERENCES_KEY}
    return {**body, "params": params}
