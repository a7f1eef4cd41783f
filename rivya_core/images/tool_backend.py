"""The backend of the image tools of both frameworks, built from the arguments of their constructors.

A framework's class has the fields and the hooks; this module connects them to the plans.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from typing_extensions import Self

from rivya_core.errors import ConfigurationError, InvalidInputError
from rivya_core.http.endpoint import Endpoint, endpoint
from rivya_core.http.headers import check_idempotency_key
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.http.secrets import KeySource
from rivya_core.images.api import ImageTask
from rivya_core.images.batch import generate_many
from rivya_core.images.catalogue import DEFAULT_MODEL, fetch_models, image_model
from rivya_core.images.contact_sheet import ImageBatch
from rivya_core.images.downloads import download
from rivya_core.images.generator import ImageGenerator, ImageRequest
from rivya_core.images.models import ImageModel
from rivya_core.images.polling import PollingPolicy
from rivya_core.images.progress import Bar, ImageProgress, Listener, bar_wanted, combine_listeners
from rivya_core.images.references import ReferenceRegistry
from rivya_core.images.result import GeneratedImage
from rivya_core.images.task_runner import ImageConfig
from rivya_core.images.task_store import MemoryTaskStore, TaskRecord, TaskStore
from rivya_core.images.uploads import UploadCache
from rivya_core.media.fetch_url import FetchRules
from rivya_core.providers import Provider
from rivya_core.rivya.credits import Budget, BudgetLike, read_credits

STORE_VARIABLE = "RIVYA_TASK_STORE"
_shared_bar: ContextVar[Listener | None] = ContextVar("rivya_image_bar", default=None)
Outcome = GeneratedImage | ImageTask | TaskRecord
"""Result of a tool call: an image, the state of a task, or the record of a submitted task."""
Progress = bool | Callable[[ImageProgress], object] | None


class ImageToolBackend:
    """The backend of an image tool.

    Args:
        where: Endpoint and credentials.
        model: Image model id.
        max_retries: Extra requests after a retryable failure.
        deadline: Seconds after which waiting for an image ends.
        output_dir: Directory for the images, or None to keep them in memory.
        progress: True for a bar, False for none, None for a bar in terminals and notebooks only, or a listener.
        task_store: Store of the task records: None for the default, a path, or a store.
        allowed_dir: Directory whose files an agent may name as references.
        images: Images that an agent may name from the start, by name.
        fetch_image_urls: Whether references may be named by URL, or the rules for them.
        max_credits: Limit on the credits that this tool spends.

    Raises:
        ConfigurationError: An argument is invalid.
    """

    def __init__(
        self,
        where: Endpoint,
        *,
        model: str = DEFAULT_MODEL,
        max_retries: int = 2,
        deadline: float = 600.0,
        output_dir: str | os.PathLike[str] | None = None,
        progress: Progress = None,
        task_store: object = None,
        allowed_dir: str | os.PathLike[str] | None = None,
        images: Mapping[str, Any] | None = None,
        fetch_image_urls: bool | FetchRules = False,
        max_credits: float | None = None,
    ) -> None:
        self._store: TaskStore = task_store_from(task_store)
        self._progress = progress
        bar_wanted(progress)
        self._budgets = () if max_credits is None else (Budget(max_credits),)
        rules = fetch_image_urls
        if not isinstance(rules, FetchRules):
            rules = FetchRules(allowed=rules)
        registry = ReferenceRegistry(_directory(allowed_dir), rules, self._recall, self._refetch)
        if not isinstance(images or {}, Mapping):
            raise ConfigurationError(f"`images` must be a mapping of names to images, not {type(images).__name__}.")
        for name, image in (images or {}).items():
            registry.put(image, name, listed=True)
        retry = RetryPolicy(max_retries)
        directory = _path("output_dir", output_dir)
        polling = PollingPolicy(deadline)
        config = ImageConfig(where, image_model(model), self._store, registry, retry, polling, directory, rules)
        self._generator = ImageGenerator(config, UploadCache(where, model if config.model.known else None))

    @classmethod
    def from_arguments(cls, provider: Provider, given: Mapping[str, Any]) -> Self:
        """Return the backend for the arguments of a tool, of which it takes those that its own constructor names."""
        account = {name: given[name] for name in ("api_key", "base_url", "timeout")}
        where = endpoint(provider, headers=given["default_headers"], **account)
        return cls(where, **{name: given[name] for name in signature(cls).parameters if name in given})

    @property
    def api_key(self) -> SecretStr | KeySource | None:
        """The key in use."""
        return self._config.endpoint.key

    @property
    def model(self) -> ImageModel:
        """The image model, with its options, limits and price."""
        return self._config.model

    @property
    def _config(self) -> ImageConfig:
        return self._generator.config

    def request(
        self,
        prompt: Any,
        arguments: Mapping[str, Any],
        *,
        trusted: bool,
        call_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> ImageRequest:
        """Return the request for a tool's arguments.

        Raises:
            InvalidInputError: An argument has the wrong type.
        """
        options = dict(arguments)
        key = options.pop("idempotency_key", None) if trusted and idempotency_key is None else idempotency_key
        if key is not None:
            check_idempotency_key(key)
        if not isinstance(prompt, str):
            raise InvalidInputError(f"`prompt` must be text, not {type(prompt).__name__}; nothing was sent.")
        references = _references(options.pop("reference_images", None), trusted=trusted)
        params = options.pop("params", None)
        if params is not None and not isinstance(params, Mapping):
            raise InvalidInputError("`params` must be an object; nothing was sent.")
        return ImageRequest(
            prompt, {**options, **(params or {})}, references, trusted, call_id, self._budgets, idempotency_key=key
        )

    def generate(self, request: ImageRequest, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Generate an image; see `ImageGenerator.generate`."""
        with self._bar() as bar:
            return (yield from self._generator.generate(request, combine_listeners(bar, listener)))

    def resume(self, task_id: str, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Continue a task; see `ImageGenerator.resume`."""
        if not isinstance(task_id, str) or not task_id:
            raise InvalidInputError(f"`resume` takes the id of a task, which is text, not {type(task_id).__name__}.")
        with self._bar() as bar:
            return (yield from self._generator.resume(task_id, combine_listeners(bar, listener)))

    def start(self, request: ImageRequest) -> Plan[TaskRecord]:
        """Submit a request and return the record of its task, without waiting."""
        return (yield from self._generator.submit(request)).leave()

    def generate_many(
        self,
        prompts: Sequence[str | Mapping[str, Any]],
        arguments: Mapping[str, Any],
        max_concurrency: int,
        max_credits: float | None,
        budgets: Sequence[BudgetLike] = (),
    ) -> Plan[ImageBatch]:
        """Generate an image for each of *prompts*; a prompt that is a mapping has its own arguments."""
        if isinstance(prompts, (str, bytes, Mapping)) or not isinstance(prompts, Iterable):
            raise InvalidInputError("`generate_many` takes a list of prompts, not one prompt. Nothing was sent.")
        requests = []
        for place, prompt in enumerate(prompts):
            own = dict(prompt) if isinstance(prompt, Mapping) else {"prompt": prompt}
            if arguments.get("idempotency_key") is not None:
                own.setdefault("idempotency_key", f"{arguments['idempotency_key']}-{place}")
            if "prompt" not in own:
                raise InvalidInputError(
                    f"Item {place} has no `prompt`. Its keys are: {', '.join(map(str, own))}. Nothing was sent."
                )
            request = self.request(own.pop("prompt"), {**arguments, **own}, trusted=True)
            requests.append(request.within(budgets))
        with self._bar(len(requests)) as bar:
            outcomes = yield from generate_many(
                self._generator, requests, at_once=max_concurrency, max_credits=max_credits, listener=bar
            )
        return ImageBatch(outcomes, [request.prompt for request in requests])

    def status_for_agent(self, task_id: str) -> Plan[ImageTask | GeneratedImage]:
        """Poll a task that an agent names; it must be a task of this tool."""
        record = yield from self._known(task_id)
        return (yield from self._generator.status(record.id))

    def wait_for_agent(self, task_id: str, listener: Listener | None = None) -> Plan[GeneratedImage]:
        """Wait for a task that an agent names; it must be a task of this tool."""
        record = yield from self._known(task_id)
        return (yield from self.resume(record.id, listener))

    def refresh(self) -> Plan[None]:
        """Read the model's data from the service.

        Raises:
            ConfigurationError: The service does not list this image model; the message names the listed ones.
        """
        models = yield from fetch_models(self._config.endpoint, self._config.retry)
        found = models.get(self._config.model.id)
        if found is None:
            names = ", ".join(sorted(models)) or "none"
            raise ConfigurationError(
                f"The service does not list the image model `{self._config.model.id}`. It lists: {names}."
            )
        self._generator = replace(self._generator, config=replace(self._config, model=found))

    def pending(self) -> Plan[list[TaskRecord]]:
        """Return this account's tasks whose images are not downloaded yet, oldest first."""
        return self._generator.pending()

    def add_image(self, image: Any, name: str | None = None) -> str:
        """Let agents use an image, and return the id by which they can name it."""
        return self._config.registry.put(image, name)

    def credits(self) -> Plan[float]:
        """Return the credits that the account can still spend."""
        return read_credits(self._config.endpoint, self._config.retry)

    @contextmanager
    def one_bar(self, total: int) -> Iterator[None]:
        """Show one bar for all images that are generated in this context, if bars are enabled."""
        if total < 2 or _shared_bar.get() is not None or not bar_wanted(self._progress):  # noqa: PLR2004
            yield
            return
        bar = Bar(total)
        token = _shared_bar.set(bar)
        try:
            yield
        finally:
            _shared_bar.reset(token)
            bar.close()

    @contextmanager
    def no_bars(self) -> Iterator[None]:
        """Show no bars for images that are generated in this context; the application's listener is still called."""
        token = _shared_bar.set(self._progress if callable(self._progress) else _no_bar)
        try:
            yield
        finally:
            _shared_bar.reset(token)

    @contextmanager
    def _bar(self, total: int = 1) -> Iterator[Listener | None]:
        shared = _shared_bar.get()
        if callable(self._progress) or shared is not None or not bar_wanted(self._progress):
            yield shared or (self._progress if callable(self._progress) else None)
            return
        bar = Bar(total)
        try:
            yield bar
        finally:
            bar.close()

    def _known(self, task_id: str) -> Plan[TaskRecord]:
        record = yield from self._generator.find(task_id)
        if record is None:  # other tasks are not named: they may belong to other conversations
            raise InvalidInputError(
                f"There is no image task {task_id[:100]!r}. Use the task id that generate_image returned."
            )
        return record

    def _recall(self, image_id: str) -> GeneratedImage | None:
        """Return an image of another process from the task store, or None."""
        record = self._store.with_image(image_id)
        if record is None or record.origin != self._config.origin:
            return None
        images = [one for kept in record.images for one in GeneratedImage(kept).images]
        return next((one for one in images if one.get("id") == image_id), None)

    def _refetch(self, image: GeneratedImage) -> Plan[bytes]:
        """Download a result that was not saved."""
        where, rules = self._config.endpoint.base_url, self._config.fetching
        found = yield from download(str(image.get("url")), "again", None, where, rules=rules)
        return found.data or b""


def _no_bar(progress: ImageProgress) -> None:
    """A listener that shows nothing."""


def outcome_text(outcome: Outcome) -> str:
    """Return the short text for the calling model."""
    if isinstance(outcome, TaskRecord):
        return f"Image task {outcome.id} was submitted. Use wait_for_image or get_image_status."
    if isinstance(outcome, ImageTask):
        return f"Image task {outcome.id} is {outcome.status}."
    return str(outcome)


def _references(value: Any, *, trusted: bool) -> tuple[Any, ...]:
    """Return the reference images as a tuple; a single image is accepted too.

    Values that JSON can carry may come from a model, and of those only names are accepted: text, and the id of an
    earlier result. Bytes, paths, results and PIL images can only come from the application.
    """
    if value is None:
        return ()
    listed = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return tuple(one if trusted or isinstance(one, GeneratedImage) else _id_of(one) for one in map(_checked, listed))


def _checked(reference: Any) -> Any:
    """Return a reference, unless it is a JSON value that names no image."""
    if isinstance(reference, (list, int, float, type(None))):
        raise _no_reference()
    return reference


def _id_of(reference: Any) -> Any:
    """Return the id of a result that a model may have written; nothing else in it is trusted."""
    if not isinstance(reference, Mapping):
        return reference
    found = reference.get("id")
    if not isinstance(found, str):
        raise _no_reference()
    return found


def _no_reference() -> InvalidInputError:
    return InvalidInputError(
        "`reference_images` must be a list of image ids, names or earlier results; nothing was sent."
    )


def _path(name: str, given: str | os.PathLike[str] | None) -> Path | None:
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigurationError(f"`{name}` must be a path, not {type(given).__name__}.")
    return Path(given)


def _directory(path: str | os.PathLike[str] | None) -> Path | None:
    found = _path("allowed_dir", path)
    if found is not None and not found.is_dir():
        raise ConfigurationError(f"`allowed_dir` {str(found)!r} is not a directory.")
    return found


def task_store_from(store: object) -> TaskStore:
    """Return the store for an argument: a SQLite file for a path, the store itself, or the default store for None.

    The default is what `RIVYA_TASK_STORE` names, `memory` or a path, else this process's memory.

    Raises:
        ConfigurationError: The argument is neither None, nor a path, nor a store.
    """
    if store is None:
        store = _default_store()
    if isinstance(store, (str, os.PathLike)):
        if "://" in str(store):
            raise ConfigurationError("A task store is `memory` or the path of a SQLite file, not a URL.")
        from rivya_core.images.sqlite_task_store import SQLiteTaskStore

        return SQLiteTaskStore(store)
    if all(hasattr(store, name) for name in ("put", "get", "drop", "unfinished", "with_image")):
        return cast("TaskStore", store)
    raise ConfigurationError(f"`task_store` must be the path of a SQLite file or a store, not {type(store).__name__}.")


def _default_store() -> MemoryTaskStore | str:
    value = os.environ.get(STORE_VARIABLE, "").strip()
    return MemoryTaskStore() if value.lower() in ("", "memory") else value
