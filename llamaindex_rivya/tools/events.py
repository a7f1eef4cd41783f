"""Progress of an image as LlamaIndex's workflows and agents stream it."""

import asyncio
from contextvars import copy_context

from llama_index.core.workflow import Context, Event

from rivya_core.images.progress import ImageProgress, Listener


class RivyaImageProgressEvent(Event):
    """Progress of an image; `handler.stream_events()` yields it between `ToolCall` and `ToolCallResult`.

    Attributes:
        stage: `uploading`, `submitting`, `queued`, `processing`, `downloading`, `done` or `failed`.
        model: Image model id.
        task_id: The provider's id of the task, once known.
        image_id: Short id of the image, once it is downloaded.
        polls: Number of polls so far.
        seconds: Seconds since the request.
        credits: Credits charged, once known.
        message: Error message of a failed image.
    """

    stage: str
    model: str
    task_id: str | None = None
    image_id: str | None = None
    polls: int = 0
    seconds: float = 0.0
    index: int = 0
    total: int = 1
    credits: float | None = None
    message: str | None = None


def listener_for(ctx: Context | None) -> Listener | None:
    """Return a listener that writes to the stream of the workflow of *ctx*, or None without a workflow.

    It may be called from any thread; the event is written on the workflow's own loop.
    """
    if ctx is None:
        return None
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None  # a sync call has no workflow to write to
    context = copy_context()

    def listen(progress: ImageProgress) -> None:
        event = RivyaImageProgressEvent(**progress.to_json())
        loop.call_soon_threadsafe(ctx.write_event_to_stream, event, context=context)

    return listen
