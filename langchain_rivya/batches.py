"""Batches of prompts and image requests that survive the end of their process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from langchain_core.messages import message_to_dict
from langchain_core.runnables import RunnableBinding

from langchain_rivya.chat_models.base import HTTPChatModel
from langchain_rivya.errors import as_model_errors
from langchain_rivya.tools.image_tool import RivyaImageTool
from rivya_core.adapters.batch_items import image_result, order_of, settings_of
from rivya_core.adapters.batches.progress import BatchReport
from rivya_core.adapters.batches.resumable import Batch, Items
from rivya_core.errors import ConfigurationError
from rivya_core.reporting.costs import Cost, cost_of


class ResumableBatch(Batch):
    """Prompts or image requests, each with an id, whose results are stored in a file and charged once.

    Every result is a line of JSON in *path*, on the disk before the next item begins. After a crash or `kill -9` run
    the same items again: what has a result is left out, what failed is tried again, and what was under way is sent
    under the same idempotency key, so that Rivya does not charge it a second time. Other providers may.

    Args:
        target: A chat model of this package, also with `bind` or `bind_tools`, or a `RivyaImageTool`.
        path: File of the results; one process at a time writes to it.
        max_concurrency: Number of items in progress at a time.
        progress: Whether a bar is shown; by default in a terminal or notebook, if `tqdm` is installed.
        name: Begins the idempotency keys; by default the file's name without its ending.

    Raises:
        ConfigurationError: The target cannot be used, or `max_concurrency` is invalid.

    Example:
        ```python
        from langchain_rivya import ChatRivya, ResumableBatch

        batch = ResumableBatch(ChatRivya(), "replies.jsonl")
        report = batch.run({"q1": "Name a river.", "q2": "Name a lake."})
        texts = {record["id"]: record["text"] for record in batch.results()}
        ```

    A record of a reply has `id`, `status`, `text`, `message` (in the framework's own form), `usage` and `credits`; one
    of an image has `image`; one that failed has `error`.
    """

    def __init__(
        self,
        target: HTTPChatModel | RunnableBinding[Any, Any] | RivyaImageTool,
        path: str | os.PathLike[str],
        *,
        max_concurrency: int = 8,
        progress: bool | None = None,
        name: str | None = None,
    ) -> None:
        with as_model_errors():
            super().__init__(path, max_concurrency=max_concurrency, progress=progress, name=name)
            self._target: Any = target
            self._bound: Any = target.bound if isinstance(target, RunnableBinding) else target
            if not isinstance(self._bound, (HTTPChatModel, RivyaImageTool)):
                raise ConfigurationError(
                    f"A batch takes a chat model or the image tool of this package, not {type(target).__name__}."
                )

    def run(self, items: Items, **options: Any) -> BatchReport:
        """Carry out the items that have no result yet; see `Batch.run`."""
        with as_model_errors():
            return super().run(items, **options)

    def _facts(self) -> Mapping[str, Any]:
        if isinstance(self._bound, RivyaImageTool):
            return {"model": self._bound._backend.model.id}  # noqa: SLF001 - this package's own
        bound = self._target.kwargs if isinstance(self._target, RunnableBinding) else {}
        return {**settings_of(self._bound), "bound": bound}

    def _input(self, given: Any) -> Any:
        if isinstance(self._bound, RivyaImageTool):
            return order_of(given)
        messages = self._bound._convert_input(given).to_messages()  # noqa: SLF001 - LangChain has no public name for it
        return [
            [message.type, message.content, getattr(message, "tool_calls", ()), getattr(message, "tool_call_id", "")]
            for message in messages
        ]

    def _carry_out(self, given: Any, key: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Cost]:
        if isinstance(self._bound, RivyaImageTool):
            return image_result(self._bound.generate(**{**options, **order_of(given)}, idempotency_key=key))
        reply = self._target.invoke(given, **options, idempotency_key=key)
        usage, spent = reply.usage_metadata, reply.response_metadata.get("credits")
        result = {"text": reply.text, "message": message_to_dict(reply), "usage": usage, "credits": spent}
        return result, cost_of(spent, usage)

    def _quiet(self) -> AbstractContextManager[None]:
        tool = isinstance(self._bound, RivyaImageTool)
        return self._bound._backend.no_bars() if tool else super()._quiet()  # noqa: SLF001 - this package's own
