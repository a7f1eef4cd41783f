"""The bases of the image tools: fields, construction and error handling."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langchain_core.tools.base import ArgsSchema
from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import Self

from langchain_rivya.callbacks import RivyaCreditsHandler, active_handlers
from langchain_rivya.errors import as_model_errors
from langchain_rivya.tools.events import RunManager, listener_for
from langchain_rivya.tools.stores import as_task_store
from rivya_core.adapters import pickling
from rivya_core.adapters.arguments import configuration_error, unknown_argument
from rivya_core.adapters.image_operations import ImageOperations
from rivya_core.errors import ConfigurationError, RivyaError
from rivya_core.http.clients import Clients
from rivya_core.http.httpx2_clients import check_client
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.images.api import ImageTask
from rivya_core.images.catalogue import DEFAULT_MODEL, image_model
from rivya_core.images.result import GeneratedImage
from rivya_core.images.schema import arguments_schema, describe
from rivya_core.images.task_store import TaskRecord
from rivya_core.images.tool_backend import ImageToolBackend, Outcome, outcome_text
from rivya_core.media.fetch_url import FetchRules
from rivya_core.providers import RIVYA, Provider

T = TypeVar("T")


def explain(error: Any) -> str:
    """Return the error text about a tool call's arguments, for the model that made the call."""
    issues = error.errors() if isinstance(error, ValidationError) else [{"loc": (), "msg": str(error)}]
    said = [f"`{'.'.join(map(str, issue['loc']))}`: {issue['msg']}" for issue in issues]
    return f"Invalid arguments: {'; '.join(said)}. Nothing was sent."


class RivyaTool(BaseTool):
    """Base of the image tools: error handling, and the results for the model and the application."""

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    """Errors become the tool's result. With False they are raised, with their own classes."""
    handle_validation_error: Any = explain
    """Invalid arguments become the tool's result. With False they are raised."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=()
    )

    def __init__(self, *unnamed: Any, **values: Any) -> None:
        name = type(self).__name__
        if unnamed:
            raise ConfigurationError(f"`{name}` takes its arguments by name, for example `{name}(model=...)`.")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise configuration_error(name, error) from None

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_arguments(cls, values: Any) -> Any:
        """Suggest a name for an unknown argument; pydantic would only say that it is extra."""
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                raise unknown_argument(cls.__name__, str(name), cls.model_fields)
        return values

    def _parse_input(self, tool_input: str | dict[str, Any], tool_call_id: str | None) -> str | dict[str, Any]:
        """Check the arguments; an unknown argument is reported with the known ones, as in a direct call."""
        try:
            return super()._parse_input(tool_input, tool_call_id)
        except ValidationError as error:
            names = [issue["loc"] for issue in error.errors() if issue["type"] == "extra_forbidden"]
            if not names:
                raise
            told = PydanticCustomError("unknown_argument", "{text}", {"text": self._no_such_argument()})
            details = [InitErrorDetails(type=told, loc=name, input=None) for name in names]
            raise ValidationError.from_exception_data(error.title, details, hide_input=True) from None

    def _no_such_argument(self) -> str:
        return f"the tool has no such argument. Its arguments are: {', '.join(self.args)}"

    @contextmanager
    def _explaining_errors(self) -> Iterator[None]:
        """LangChain passes only a `ToolException` to the model; a custom error handler gets the original error."""
        try:
            with as_model_errors():
                yield
        except RivyaError as error:
            if self.handle_tool_error:
                raise ToolException(str(error)) from error
            raise


class ImageToolBase(ImageOperations, RivyaTool):
    """Fields and construction of the image tool; do not use it directly."""

    name: str = "generate_image"
    """Name of the tool, by which the model calls it."""
    description: str = ""
    """Description for the calling model; made from the image model's data if it is not given."""

    model: str = DEFAULT_MODEL
    """Image model id."""
    api_key: Any = Field(default=None, exclude=True, repr=False)
    """Key; default from `RIVYA_API_KEY`."""
    base_url: str | None = None
    """URL of the API; default from `RIVYA_BASE_URL`, else the provider's."""
    timeout: float | httpx.Timeout | Any = Field(default=None, exclude=True)
    """Seconds to wait for a connection and between reads. Default: 10 to connect, 120 between reads; never none."""
    max_retries: int = Field(default=2, ge=0)
    """Extra requests after a retryable failure, exactly."""
    http_client: httpx.Client | Any = Field(default=None, exclude=True)
    """Your own client for sync calls, of httpx or httpx2."""
    http_async_client: httpx.AsyncClient | Any = Field(default=None, exclude=True)
    """Your own client for async calls, of httpx or httpx2; it belongs to one event loop."""
    default_headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Further headers of every request to the API; the media host gets none of them. Dumps hold their names only."""
    deadline: float = 600.0
    """Seconds after which waiting for an image ends; the task continues and can be resumed."""
    output_dir: str | os.PathLike[str] | None = None
    """Directory for the images; None keeps them in memory."""
    progress: Any = None
    """True for a progress bar, False for none, None for a bar in terminals and notebooks only, or a function."""
    wait: bool = True
    """False returns at once with a task id; `companions` has the tools that continue from there."""
    task_store: Any = Field(default=None, exclude=True, repr=False)
    """Where tasks are remembered: a path for a SQLite file, or any LangChain `BaseStore`. Default: what
    `RIVYA_TASK_STORE` names, else this process's memory."""
    allowed_dir: str | os.PathLike[str] | None = None
    """Directory whose files the calling model may name as reference images."""
    images: Mapping[str, Any] | None = Field(default=None, exclude=True, repr=False)
    """Images that the calling model may use, by name."""
    fetch_image_urls: bool | FetchRules = False
    """Whether reference images may be named by https URL; `FetchRules` says which hosts are trusted."""
    max_credits: float | None = None
    """Limit on the credits that this tool spends."""
    image_blocks: bool | Literal["base64"] = False
    """Whether the calling model is shown the image: True by URL, `base64` with its bytes."""

    provider: ClassVar[Provider] = RIVYA
    _made: ImageToolBackend | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _put_together(self) -> Self:
        """Find account and model now, so that a missing value is an error at construction."""
        if getattr(self, "_made", None) is None:  # pydantic asks again when a companion is given this tool
            self._made = self._build()
            self._show_model()
        return self

    @field_validator("http_client", "http_async_client")
    @classmethod
    def _check_client(cls, client: Any, info: ValidationInfo) -> Any:
        return check_client(client, asynchronous=info.field_name == "http_async_client")

    @field_serializer("default_headers")
    def _write_headers(self, headers: Mapping[str, str]) -> dict[str, None]:
        return dict.fromkeys(headers)

    @property
    def _backend(self) -> ImageToolBackend:
        """The backend of the tool; an unpickled tool makes it at its first call."""
        if self._made is None:
            self._made = self._build()
        return self._made

    @property
    def tool_call_schema(self) -> ArgsSchema:
        """The schema for the calling model; LangChain's copy of it would lose the lists of options."""
        return self.get_input_schema()

    @property
    def _clients(self) -> Clients:
        return Clients(self.http_client, self.http_async_client)

    def _execute(self, plan: Plan[T]) -> T:
        with as_model_errors():
            return super()._execute(plan)

    async def _aexecute(self, plan: Plan[T]) -> T:
        with as_model_errors():
            return await super()._aexecute(plan)

    def add_image(self, image: Any, name: str | None = None) -> str:
        """Let the calling model use an image, and return the id by which it can name it."""
        with as_model_errors():
            return super().add_image(image, name)

    def _agent_plan(
        self, prompt: Any, arguments: dict[str, Any], config: RunnableConfig, run_manager: RunManager
    ) -> Plan[Outcome]:
        """Return the plan of a model's call; names in it are not trusted."""
        call_id = arguments.pop("call_id", None)
        request = self._backend.request(prompt, arguments, trusted=False, call_id=call_id)
        reports = active_handlers(self.callbacks, run_manager)
        if not self.wait:
            return self._start_image(request, reports)
        return self._generate_image(request, listener_for(run_manager, config), reports)

    def _status_plan(self, task_id: str, run_manager: RunManager) -> Plan[Outcome]:
        """Return the plan of a model's status call for a task."""
        return self._counted(self._backend.status_for_agent(task_id), active_handlers(self.callbacks, run_manager))

    def _wait_plan(self, task_id: str, config: RunnableConfig, run_manager: RunManager) -> Plan[Outcome]:
        """Return the plan of a model's wait for a task."""
        plan = self._backend.wait_for_agent(task_id, listener_for(run_manager, config))
        return self._counted(plan, active_handlers(self.callbacks, run_manager))

    def _credit_reports(self) -> list[RivyaCreditsHandler]:
        return active_handlers(self.callbacks)

    def _outcome(self, outcome: Outcome) -> tuple[Any, Any]:
        """Return what the calling model gets, and what the application gets: JSON, as a checkpoint gives it back."""
        if isinstance(outcome, TaskRecord):
            return outcome_text(outcome), {"task_id": outcome.id, "status": "queued"}
        if isinstance(outcome, ImageTask):
            return outcome_text(outcome), {"task_id": outcome.id, "status": outcome.status}
        if not self.image_blocks:
            return str(outcome), outcome.to_json()
        shown = [{"type": "text", "text": outcome_text(outcome)}, *map(self._block, outcome.images)]
        return shown, outcome.to_json()

    def _block(self, image: GeneratedImage) -> dict[str, Any]:
        if self.image_blocks == "base64":
            return {"type": "image", "base64": image.base64, "mime_type": image["mime_type"]}
        return {"type": "image", "url": image["url"], "mime_type": image["mime_type"]}

    def _build(self) -> ImageToolBackend:
        given = {**self.__dict__, "task_store": as_task_store(self.task_store)}
        made = ImageToolBackend.from_arguments(self.provider, given)
        self.api_key = made.api_key
        return made

    def _show_model(self) -> None:
        """Describe the image model's options to the calling model, unless the application describes the tool itself."""
        model = image_model(self.model) if self._made is None else self._made.model
        own = set(self.model_fields_set)
        if "args_schema" not in own:
            self.args_schema = arguments_schema(model)
        if "description" not in own:
            self.description = describe(model)
        self.__pydantic_fields_set__.intersection_update(own)

    def __getstate__(self) -> dict[Any, Any]:
        """Leave key, headers and this process's state out of pickles.

        Raises:
            NotPicklableError: The tool has clients of the caller.
        """
        state = super().__getstate__()
        fields = pickling.for_pickle(state["__dict__"])
        if "args_schema" not in self.model_fields_set:
            fields["args_schema"] = None
        return {**state, "__dict__": fields, "__pydantic_private__": None}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Restore the fields; this never raises, and the first call reports a missing value."""
        fields = pickling.from_pickle(state["__dict__"])
        super().__setstate__({**state, "__dict__": fields, "__pydantic_private__": {"_made": None}})
        self._show_model()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copies share clients, images and tasks."""
        return self.model_copy()
