"""Progress of an image as LangChain and LangGraph pass it on: custom events and the graph's stream writer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun, dispatch_custom_event
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context

from rivya_core.images.progress import ImageProgress, Listener

EVENT = "rivya_image_progress"
"""Name of the custom event, and `type` of the stream writer's values."""


RunManager = CallbackManagerForToolRun | AsyncCallbackManagerForToolRun | None


def listener_for(run_manager: RunManager, config: RunnableConfig | None) -> Listener | None:
    """Return a listener for one run of a tool, or None if no handler or stream receives events.

    It is called from any thread, so the receivers are looked up now.
    """
    sync = run_manager.get_sync() if isinstance(run_manager, AsyncCallbackManagerForToolRun) else run_manager
    child = sync.get_child() if sync is not None and sync.handlers else None
    writer = _stream_writer(config)
    if child is None and writer is None:
        return None

    def listen(progress: ImageProgress) -> None:
        facts = progress.to_json()
        if writer is not None:
            writer({"type": EVENT, **facts})
        if child is not None:
            dispatch_custom_event(EVENT, facts, config={"callbacks": child})

    return listen


def _stream_writer(config: RunnableConfig | None) -> Callable[[Any], None] | None:
    """Return the writer of the graph that runs the tool, if there is one; LangGraph is never imported for this."""
    module = sys.modules.get("langgraph.config")
    if module is None:
        return None
    with set_config_context(ensure_config(config)) as context:
        try:
            writer: Callable[[Any], None] = context.run(module.get_stream_writer)
        except (KeyError, RuntimeError):
            return None
    return writer
