"""Files and generations of the Rivya half.

https://rivya.ai/docs/api/files and https://rivya.ai/docs/api/generations; the checks of an order are `generations.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse
from starlette.routing import Route

from rivya_sandbox import checks
from rivya_sandbox.refusals import Refusal
from rivya_sandbox.rivya.catalogue import IMAGE, MEGABYTE, ImageModel
from rivya_sandbox.rivya.files import LIMITS, StoredFile, Upload
from rivya_sandbox.rivya.generations import Wish, parse_wish
from rivya_sandbox.rivya.pictures import Order, paint
from rivya_sandbox.rivya.tasks import Task
from rivya_sandbox.values import iso

if TYPE_CHECKING:
    from starlette.requests import Request

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.sandbox import Sandbox

FILE_KEYS = frozenset({"file", "kind", "model", "client_request_id"})


class RivyaMedia:
    """The endpoints, bound to a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._box = sandbox

    def routes(self) -> list[Route]:
        """Paths below the API's base."""
        return [
            Route("/files", self.upload, methods=["POST"]),
            Route("/files/{file_id}", self.file, methods=["GET"]),
            Route("/generations", self.create, methods=["POST"]),
            Route("/generations/{task_id}", self.task, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> JSONResponse:
        """`POST /files`."""
        account = self._account(request, "files:create")
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal("validation_failed", "Files are uploaded as multipart/form-data.")
        async with request.form() as form:
            upload = await parse_upload(form)
        stored = self._box.files.add(upload, account, self._box.clock())
        return JSONResponse(self._file_row(stored, request))

    async def file(self, request: Request) -> JSONResponse:
        """`GET /files/{file_id}`."""
        account = self._account(request, "files:read")
        return JSONResponse(self._file_row(self._box.files.find(request.path_params["file_id"], account), request))

    async def create(self, request: Request) -> JSONResponse:
        """`POST /generations`."""
        account = self._account(request, "generations:create")
        body = await checks.json_object(request)
        wish = parse_wish(body)
        base = self._box.media_base(request)
        key = request.headers.get("idempotency-key")

        async def begin() -> dict[str, Any]:
            return task_row(self._begin(wish, account, base, request.state.fault))

        created = await self._box.idempotency.once(account, key, [request.url.path, body], begin)
        return JSONResponse(created)

    async def task(self, request: Request) -> JSONResponse:
        """`GET /generations/{task_id}`."""
        account = self._account(request, "generations:read")
        task = self._box.tasks.look(request.path_params["task_id"], account, self._box.clock())
        return JSONResponse(task_row(task))

    def _account(self, request: Request, scope: str) -> str:
        return self._box.accounts.authorize(request.headers.get("authorization"), scope).account

    def _file_row(self, stored: StoredFile, request: Request) -> dict[str, Any]:
        return {
            self._box.file_id_key: stored.id,
            "object": "file",
            "kind": stored.kind,
            "name": stored.name,
            "mime_type": stored.mime,
            "size_bytes": len(stored.content),
            "url": f"{self._box.media_base(request)}/media/{stored.media_name}",
            "duration_seconds": None,
            "duration_token": None,
            "client_request_id": stored.client_request_id,
            "created_at": iso(stored.at),
        }

    def _begin(self, wish: Wish, account: str, base: str, fault: Fault | None) -> Task:
        """Check the references, reserve the credits and queue the task."""
        references = [self._reference(url, account, base) for url in wish.references]
        task_id, now = self._box.tasks.new_id(), self._box.clock()
        entry = self._box.accounts.reserve(account, "generation", task_id, wish.model.credits)
        task = Task(
            task_id,
            account,
            wish.model.id,
            order_for(wish, next((one for one in references if one), None)),
            entry,
            now,
            now,
            base,
            fate=fault.task if fault else None,
            client_request_id=wish.client_request_id,
            references=wish.references,
            params=dict(wish.params),
        )
        self._box.tasks.add(task)
        return task

    def _reference(self, url: str, account: str, base: str) -> bytes | None:
        """The image behind a URL: an upload, or the result of an earlier task; `None` for a foreign https URL."""
        name = url.removeprefix(f"{base}/media/")
        if name == url:
            if url.startswith("https://"):
                return None
            raise Refusal("validation_failed", "A reference url must come from the Files API or be an https URL.")
        stored, task = self._box.files.by_media_name(name), self._box.tasks.by_media_name(name)
        if stored is not None and stored.account == account:
            return stored.content
        if task is not None and task.account == account:
            return paint(task.order)
        raise Refusal("validation_failed", f"The reference file {url} was not found.")


async def parse_upload(form: FormData) -> Upload:
    """The upload in a form.

    Raises:
        Refusal: `validation_failed`.
    """
    checks.only(dict(form), FILE_KEYS, "The form")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Refusal("validation_failed", "file is required and must be a file.")
    kind = checks.text(dict(form), "kind")
    return Upload(
        await file.read(),
        file.filename or "",
        (file.content_type or "").partition(";")[0].strip().lower(),
        kind,
        limit_for(kind, checks.optional_text(dict(form), "model")),
        checks.client_request_id(dict(form)),
    )


def limit_for(kind: str, model_id: str | None) -> int:
    """Most bytes for a file: the model's limit if it takes such references, else the API's."""
    default = LIMITS.get(kind, (0, ()))[0]
    if model_id is None:
        return default
    model = IMAGE.get(model_id)
    if model is None or model.references is None or kind not in model.references.kinds:
        raise Refusal("validation_failed", f"The model {model_id} does not take {kind} files.")
    return model.references.max_megabytes * MEGABYTE


def order_for(wish: Wish, reference: bytes | None) -> Order:
    """The picture that a wish describes."""
    values = {**defaults(wish.model), **wish.params}
    ratio = next((str(values[key]) for key in RATIO_KEYS if values.get(key)), "1:1")
    return Order(
        wish.prompt,
        ratio,
        str(values.get("resolution", "1K")),
        str(values.get("output_format", "png")),
        f"{wish.model.id} {values.get('seed', '')}",
        reference,
    )


RATIO_KEYS = ("aspect_ratio", "aspectRatio", "size", "imageSize", "image_size")


def defaults(model: ImageModel) -> dict[str, Any]:
    """The defaults of a model's params."""
    return {param.key: param.default for param in model.params if param.default is not None}


def task_row(task: Task) -> dict[str, Any]:
    """A task as the API writes it."""
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
        "error": error if failed and task.fate != "fail_null" else None,
    }
