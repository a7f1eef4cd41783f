"""The endpoints for files and generations of Rivya's API.

https://rivya.ai/docs/api/files and https://rivya.ai/docs/api/generations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse
from starlette.routing import Route

from rivya_sandbox.errors import ApiError
from rivya_sandbox.ids import iso
from rivya_sandbox.rivya.bodies import ClientRequestId, RivyaBody, Text, parse_body
from rivya_sandbox.rivya.catalogue import IMAGE, MEGABYTE, ImageModel
from rivya_sandbox.rivya.files import LIMITS, StoredFile, Upload
from rivya_sandbox.rivya.generations import GenerationRequest, parse_generation
from rivya_sandbox.rivya.images import ImageSpec, render
from rivya_sandbox.rivya.tasks import Task
from rivya_sandbox.validation import json_object

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.state import SandboxState

RATIO_KEYS = ("aspect_ratio", "aspectRatio", "size", "imageSize", "image_size")


class _UploadForm(RivyaBody):
    file: UploadFile
    kind: Text
    model: Text | None = None
    client_request_id: ClientRequestId = None


class RivyaMedia:
    """The endpoints, bound to a sandbox's state."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes below the API's base."""
        return [
            Route("/files", self.upload, methods=["POST"]),
            Route("/files/{file_id}", self.file, methods=["GET"]),
            Route("/generations", self.create, methods=["POST"]),
            Route("/generations/{task_id}", self.task, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> JSONResponse:
        """`POST /files`."""
        account = self._state.account(request, "files:create")
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise ApiError("validation_failed", "Files are uploaded as multipart/form-data.")
        async with request.form() as form:
            upload = await parse_upload(form)
        stored = self._state.files.add(upload, account, self._state.clock())
        return JSONResponse(self._file_row(stored, request))

    async def file(self, request: Request) -> JSONResponse:
        """`GET /files/{file_id}`."""
        account = self._state.account(request, "files:read")
        return JSONResponse(self._file_row(self._state.files.find(request.path_params["file_id"], account), request))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /generations`."""
        account = self._state.account(request, "generations:create")
        body = await json_object(request)
        generation = parse_generation(body)
        base = self._state.media_base(request)
        key = request.headers.get("idempotency-key")

        async def begin() -> dict[str, Any]:
            return task_row(self._begin(generation, account, base, request.state.fault))

        created = await self._state.idempotency.once(account, key, [request.url.path, body], begin)
        return JSONResponse(created)

    async def task(self, request: Request) -> JSONResponse:
        """`GET /generations/{task_id}`."""
        account = self._state.account(request, "generations:read")
        task = self._state.tasks.poll(request.path_params["task_id"], account, self._state.clock())
        return JSONResponse(task_row(task))

    def _file_row(self, stored: StoredFile, request: Request) -> dict[str, Any]:
        return {
            self._state.file_id_key: stored.id,
            "object": "file",
            "kind": stored.kind,
            "name": stored.name,
            "mime_type": stored.mime,
            "size_bytes": len(stored.content),
            "url": f"{self._state.media_base(request)}/media/{stored.media_name}",
            "duration_seconds": None,
            "duration_token": None,
            "client_request_id": stored.client_request_id,
            "created_at": iso(stored.at),
        }

    def _begin(self, generation: GenerationRequest, account: str, base: str, fault: Fault | None) -> Task:
        """Check the references, reserve the credits and queue the task."""
        references = [self._reference(url, account, base) for url in generation.references]
        task_id, now = self._state.tasks.new_id(), self._state.clock()
        entry = self._state.accounts.reserve(account, "generation", task_id, generation.model.credits)
        task = Task(
            task_id,
            account,
            generation.model.id,
            image_spec(generation, next((one for one in references if one), None)),
            entry,
            now,
            now,
            base,
            fault=fault.task if fault else None,
            client_request_id=generation.client_request_id,
            references=generation.references,
            params=dict(generation.params),
        )
        self._state.tasks.add(task)
        return task

    def _reference(self, url: str, account: str, base: str) -> bytes | None:
        """Return the image of a URL: an upload or an earlier task's result; `None` for another https URL."""
        name = url.removeprefix(f"{base}/media/")
        if name == url:
            if url.startswith("https://"):
                return None
            raise ApiError("validation_failed", "A reference url must come from the Files API or be an https URL.")
        stored, task = self._state.files.by_media_name(name), self._state.tasks.by_media_name(name)
        if stored is not None and stored.account == account:
            return stored.content
        if task is not None and task.account == account:
            return render(task.image)
        raise ApiError("validation_failed", f"The reference file {url} was not found.")


async def parse_upload(form: FormData) -> Upload:
    """Read the form of an upload.

    Raises:
        ApiError: `validation_failed`.
    """
    asked = parse_body(_UploadForm, dict(form))
    declared = (asked.file.content_type or "").partition(";")[0].strip().lower()
    limit = limit_for(asked.kind, asked.model)
    return Upload(
        await asked.file.read(), asked.file.filename or "", declared, asked.kind, limit, asked.client_request_id
    )


def limit_for(kind: str, model_id: str | None) -> int:
    """Return the most bytes of a file: the model's limit if it takes such references, else the API's."""
    default = LIMITS.get(kind, (0, ()))[0]
    if model_id is None:
        return default
    model = IMAGE.get(model_id)
    if model is None or model.references is None or kind not in model.references.kinds:
        raise ApiError("validation_failed", f"The model {model_id} does not take {kind} files.")
    return model.references.max_megabytes * MEGABYTE


def image_spec(generation: GenerationRequest, reference: bytes | None) -> ImageSpec:
    """Return the image that a request describes."""
    values = {**defaults(generation.model), **generation.params}
    ratio = next((str(values[key]) for key in RATIO_KEYS if values.get(key)), "1:1")
    return ImageSpec(
        generation.prompt,
        ratio,
        str(values.get("resolution", "1K")),
        str(values.get("output_format", "png")),
        f"{generation.model.id} {values.get('seed', '')}",
        reference,
    )


def defaults(model: ImageModel) -> dict[str, Any]:
    """Return the defaults of a model's params."""
    return {param.key: param.default for param in model.params if param.default is not None}


def task_row(task: Task) -> dict[str, Any]:
    """Return a task as the API writes it."""
    url = f"{task.media_base}/media/{task.media_name}"
    failed, succeeded = task.status == "failed", task.status == "succeeded"
    error = {"code": "generation_failed", "message": "The generation failed."}
    return {
        "id": task.id,
        "status": task.status,
        "model": task.model,
        "reserved_credits": task.entry.reserved,
        "final_credits": task.entry.final or 0,
        "created_at": iso(task.created),
        "updated_at": iso(task.updated),
        "result": {"primary_url": url, "urls": [url]} if succeeded else None,
        "error": error if failed and task.fault != "fail_null" else None,
    }
