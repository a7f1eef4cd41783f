"""Progress of an image as LlamaIndex's workflows and agents stream it."""

import asyncio
from contextvars import copy_context

from llama_index.core.workflow import Context, Event

from rivya_core.images.progress import ImageProgress, Listener


class RivyaImageProgressEvent(Event):
    """Where an image stands; comes out of `handler.stream_events()` between `ToolCall` and `ToolCallResult`.

    Attributes:
        stage: `uploading`, `submitting`, `queued`, `processing`, `downloading`, `done` or `failed`.
        model: Image model id.
        task_id: The provider's id of the task, once known.
        image_id: Short id of the image, once it is in hand.
        polls: How often the task has been polled.
        seconds: Since the order.
        credits: Charged, once known.
        message: What went wrong.
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
    """Return a listener that writes into the stream of the workflow that *ctx* belongs to, or None without one.

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
