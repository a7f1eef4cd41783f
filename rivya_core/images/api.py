"""Image tasks on the wire: create a task, poll it, wait for it.

https://rivya.ai/docs/api-generations and https://rivya.ai/docs/api-generation-status. Creating a task is charged. The
request carries an idempotency key, so it can be repeated after a lost response and is charged once. `downloads.py`
handles the results, `task_store.py` the records, and `references.py` what an agent may name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

from rivya_core.errors import (
    RivyaError,
    TaskFailedError,
    TaskTimeoutError,
)
from rivya_core.http.endpoint import Endpoint
from rivya_core.http.error_responses import invalid_response, parse_json
from rivya_core.http.headers import retry_after
from rivya_core.http.json_codec import finite_number, loads
from rivya_core.http.library import httpx
from rivya_core.http.observers import RequestObserver, report_repetition
from rivya_core.http.plan import Plan, pause
from rivya_core.http.retry import RetryPolicy, send_with_retries
from rivya_core.images.polling import PollingPolicy

PATH = "/generations"
Status = Literal["queued", "processing", "succeeded", "failed"]
STATUSES: Mapping[str, Status] = {
    "queued": "queued",
    "waiting": "queued",
    "succeeded": "succeeded",
    "success": "succeeded",
    "failed": "failed",
}
"""Public states, and the names that the product uses internally. Any other value means `processing`."""
ONCE = RetryPolicy(max_retries=0)
LONGEST_ID = 512
MOST_URLS = 64


@dataclass(frozen=True, slots=True)
class ImageTask:
    """The state of a task at one poll.

    Attributes:
        id: The provider's id.
        status: `queued`, `processing`, `succeeded` or `failed`.
        model: Model id.
        urls: URLs of the results, the primary one first; empty until the task has succeeded.
        reserved_credits: Credits reserved when the task was created.
        final_credits: Credits charged; 0 or None until the task has ended.
        created_at: The provider's time, ISO 8601.
        updated_at: The provider's time, ISO 8601.
        error_code: Error code of a failed task, if the provider gives one.
        error_message: Error message of a failed task, if the provider gives one.
        retry_after: Seconds that the provider asks to wait before the next poll.
    """

    id: str
    status: Status
    model: str = ""
    urls: tuple[str, ...] = ()
    reserved_credits: float | None = None
    final_credits: float | None = None
    created_at: str | None = None
    updated_at: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_after: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the task has succeeded or failed."""
        return self.status in {"succeeded", "failed"}

    def failure(self) -> TaskFailedError:
        """Return the error of a failed task, even if the provider gave no reason (`error: null`)."""
        words = self.error_message or "the provider gave no reason"
        code = self.error_code or "generation_failed"
        cost = " Nothing was charged." if self.final_credits == 0 else ""
        message = f"Image task {self.id} failed: {words.rstrip('.')} [{code}].{cost} Change the prompt or try again."
        return TaskFailedError(message, task_id=self.id, code=code)


def create_task(endpoint: Endpoint, body: Mapping[str, Any], key: str, retry: RetryPolicy) -> Plan[ImageTask]:
    """Create a task under the idempotency key *key*.

    Raises:
        APIError: The provider refused the request; nothing was charged.
        ResponseLostError: No response arrived. The task may exist; the same *key* finds it.
    """
    request = endpoint.request("POST", PATH, body=body, headers={"idempotency-key": key})
    response = yield from send_with_retries(request, retry, idempotent=endpoint.idempotent(PATH))
    return read_task(response)


def get_task(endpoint: Endpoint, task_id: str, retry: RetryPolicy) -> Plan[ImageTask]:
    """Return the current state of the task.

    Raises:
        NotFoundError: The account has no such task.
    """
    request = endpoint.request("GET", f"{PATH}/{quote(task_id[:LONGEST_ID], safe='')}")
    response = yield from send_with_retries(request, retry)
    return read_task(response, task_id)


def wait_for_task(
    endpoint: Endpoint,
    task_id: str,
    polling: PollingPolicy,
    on_poll: Callable[[ImageTask], Plan[None]],
    observers: Sequence[RequestObserver] = (),
) -> Plan[ImageTask]:
    """Poll a task until it has succeeded. A poll that fails is repeated until the deadline.

    Args:
        endpoint: Endpoint and credentials.
        task_id: The provider's id.
        polling: When to poll and when to give up.
        on_poll: Plan that is run with the result of each poll.
        observers: Follow the requests.

    Raises:
        TaskFailedError: The task failed.
        TaskTimeoutError: The deadline passed; the task is still running.
        APIError: The account may not see the task.
    """
    ends, delays = polling.clock() + polling.deadline, polling.delays()
    asked, apart, trouble, retry = 0.0, 0.0, "", replace(ONCE, observers=tuple(observers))
    wait = next(delays)
    while True:
        left = ends - polling.clock()
        if left <= 0 or asked > left:
            raise _too_late(task_id, polling.deadline, trouble)
        soon = max(wait, asked)
        yield from pause(soon if left - soon >= apart else left)  # the last poll comes at the deadline
        apart = polling.shortest
        try:
            task = yield from get_task(endpoint, task_id, retry)
        except RivyaError as error:
            if error.retryable == "never":  # the error concerns the task, not this one poll
                raise
            wait = next(delays)
            asked, trouble = error.retry_after or 0.0, f" The last poll failed: {error}"
            yield from report_repetition(f"Poll of image task {task_id}", error, max(wait, asked), observers)
            continue
        wait, asked, trouble = next(delays), task.retry_after or 0.0, ""
        yield from on_poll(task)
        if task.status == "failed":
            raise task.failure()
        if task.status == "succeeded":
            return task


def read_task(response: httpx.Response, task_id: str | None = None) -> ImageTask:
    """Return the task in a response.

    Raises:
        InvalidResponseError: The response holds no task, or a task that succeeded without a result.
    """
    layer = next((one for one in _layers(parse_task_json(response)) if "status" in one or "id" in one), {})
    found = _word(layer.get("id")) or task_id
    if not layer or not found or len(found) > LONGEST_ID:
        raise invalid_response(response, "is not an image task")
    status = STATUSES.get(str(layer.get("status")).lower(), "processing")
    error = layer.get("error")
    facts = error if isinstance(error, Mapping) else {"message": error}
    return ImageTask(
        found,
        status,
        _word(layer.get("model")) or "",
        _results(layer, response) if status == "succeeded" else (),
        _amount(layer.get("reserved_credits")),
        _amount(layer.get("final_credits")),
        _word(layer.get("created_at")),
        _word(layer.get("updated_at")),
        _word(facts.get("code")),
        _word(facts.get("message")),
        retry_after(response.headers),
    )


def _results(layer: Mapping[str, Any], response: httpx.Response) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(_urls(layer.get("result"))))[:MOST_URLS]
    if not urls:
        raise invalid_response(response, "reports a task that succeeded but has no result")
    return urls


def parse_task_json(response: httpx.Response) -> Any:
    """Return the JSON of a response. The `error` of a failed task belongs to the task, not to the request."""
    try:
        return parse_json(response)
    except RivyaError:
        value = _json(response)
        if response.is_success and isinstance(value, Mapping) and _word(value.get("status")):
            return value
        raise


def _json(response: httpx.Response) -> Any:
    try:
        return loads(response.content)
    except ValueError:
        return None


def _layers(value: Any) -> Iterator[Mapping[str, Any]]:
    for layer in (value, value.get("data") if isinstance(value, Mapping) else None):
        if isinstance(layer, Mapping):
            yield layer


def _urls(result: Any) -> Iterator[str]:
    if isinstance(result, Mapping):
        listed = result.get("urls")
        for url in [result.get("primary_url"), *(listed if isinstance(listed, list) else ())]:
            if isinstance(url, str) and url:
                yield url


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _amount(value: Any) -> float | None:
    return finite_number(value)


def _too_late(task_id: str, deadline: float, trouble: str) -> TaskTimeoutError:
    return TaskTimeoutError(
        f"Image task {task_id} was not ready after {deadline:g} s. It is still running. Resume it by its id instead of "
        f"submitting it again.{trouble}",
        task_id=task_id,
    )
