"""Batches of prompts and image requests that survive the end of their process."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from llamaindex_rivya.llms.base import HTTPLLM
from llamaindex_rivya.llms.messages import check_messages
from llamaindex_rivya.tools.image_tool_spec import RivyaImageToolSpec
from rivya_core.adapters.batch_items import image_result, order_of, settings_of
from rivya_core.adapters.batches.resumable import Batch
from rivya_core.errors import ConfigurationError
from rivya_core.reporting.costs import Cost, cost_of


class ResumableBatch(Batch):
    """Prompts or image requests, each with an id, whose results are stored in a file and charged once.

    Every result is a line of JSON in *path*, on the disk before the next item begins. After a crash or `kill -9` run
    the same items again: what has a result is left out, what failed is tried again, and what was under way is sent
    under the same idempotency key, so that Rivya does not charge it a second time. Other providers may.

    Args:
        target: A model of this package, or a `RivyaImageToolSpec`.
        path: File of the results; one process at a time writes to it.
        max_concurrency: Number of items in progress at a time.
        progress: Whether a bar is shown; by default in a terminal or notebook, if `tqdm` is installed.
        name: Begins the idempotency keys; by default the file's name without its ending.

    Raises:
        ConfigurationError: The target cannot be used, or `max_concurrency` is invalid.

    Example:
        ```python
        from llamaindex_rivya import Rivya, ResumableBatch

        batch = ResumableBatch(Rivya(), "replies.jsonl")
        report = batch.run({"q1": "Name a river.", "q2": "Name a lake."})
        texts = {record["id"]: record["text"] for record in batch.results()}
        ```

    A record of a reply has `id`, `status`, `text`, `message` (in the framework's own form), `usage` and `credits`; one
    of an image has `image`; one that failed has `error`.
    """

    def __init__(
        self,
        target: HTTPLLM | RivyaImageToolSpec,
        path: str | os.PathLike[str],
        *,
        max_concurrency: int = 8,
        progress: bool | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(path, max_concurrency=max_concurrency, progress=progress, name=name)
        if not isinstance(target, (HTTPLLM, RivyaImageToolSpec)):
            raise ConfigurationError(
                f"A batch takes a model or the image tool of this package, not {type(target).__name__}."
            )
        self._target: Any = target

    def _facts(self) -> Mapping[str, Any]:
        if isinstance(self._target, RivyaImageToolSpec):
            return {"model": self._target._backend.model.id}  # noqa: SLF001 - this package's own
        return settings_of(self._target)

    def _input(self, given: Any) -> Any:
        if isinstance(self._target, RivyaImageToolSpec):
            return order_of(given)
        return [message.model_dump(mode="json", exclude_none=True) for message in _messages(given)]

    def _carry_out(self, given: Any, key: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Cost]:
        if isinstance(self._target, RivyaImageToolSpec):
            return image_result(self._target.generate_image(**{**options, **order_of(given)}, idempotency_key=key))
        reply = self._target.chat(_messages(given), **options, idempotency_key=key)
        facts = reply.raw if isinstance(reply.raw, dict) else {}
        usage, spent = reply.additional_kwargs, facts.get("credits")
        message = reply.message.model_dump(mode="json", exclude_none=True)
        result = {"text": reply.message.content or "", "message": message, "usage": usage, "credits": spent}
        return result, cost_of(spent, usage)

    def _quiet(self) -> AbstractContextManager[None]:
        tool = isinstance(self._target, RivyaImageToolSpec)
        return self._target._backend.no_bars() if tool else super()._quiet()  # noqa: SLF001 - this package's own


def _messages(given: Any) -> list[ChatMessage]:
    if isinstance(given, str):
        return [ChatMessage(role=MessageRole.USER, content=given)]
    check_messages(given)
    return list(given)
