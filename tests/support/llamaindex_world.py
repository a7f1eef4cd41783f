"""LlamaIndex seen from the sessions' side."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.memory import ChatMemoryBuffer
from transcript_reader import Seen
from worlds import World

from llamaindex_rivya import Rivya
from rivya_sandbox import Sandbox


def with_reasoning(message: ChatMessage) -> ChatMessage:
    """A reply with the reasoning that its model may have returned."""
    if message.role != MessageRole.ASSISTANT:
        return message
    reasoning = ThinkingBlock(content="I wonder.")
    return message.model_copy(update={"blocks": [reasoning, *message.blocks]})


def remembered(messages: list[Any]) -> list[Any]:
    """Messages as a memory buffer gives them back."""
    memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
    memory.put_messages(messages)
    return list(memory.get_all())


class LlamaIndexWorld(World):
    name = "llamaindex"
    forms: ClassVar[dict[str, Any]] = {
        "pickle": lambda messages: pickle.loads(pickle.dumps(messages)),
        "deepcopy": copy.deepcopy,
        "json": lambda messages: [
            ChatMessage.model_validate(json.loads(json.dumps(m.model_dump(mode="json")))) for m in messages
        ],
        "model json": lambda messages: [ChatMessage.model_validate_json(m.model_dump_json()) for m in messages],
        "memory": remembered,
        "thoughts": lambda messages: [with_reasoning(m) for m in messages],
    }

    def model(self, sandbox: Sandbox, **fields: Any) -> Rivya:
        fields.setdefault("api_key", sandbox.api_key)
        return Rivya(base_url=sandbox.rivya_url, **fields)

    def system(self, text: str) -> ChatMessage:
        return ChatMessage(role="system", content=text)

    def human(self, text: str, image: bytes | None = None, name: str | None = None) -> ChatMessage:
        blocks = [TextBlock(text=text), *([ImageBlock(image=image, image_mimetype="image/png")] if image else [])]
        return ChatMessage(role="user", blocks=blocks, additional_kwargs={"name": name} if name else {})

    def assistant(self, text: str) -> ChatMessage:
        return ChatMessage(role="assistant", content=text)

    def tool_use(self, number: int) -> list[Any]:
        call = ToolCallBlock(tool_call_id=f"call_{number}", tool_name="look", tool_kwargs={"at": number})
        answer = ChatMessage(role="tool", content=f"found {number}")
        answer.additional_kwargs["tool_call_id"] = f"call_{number}"
        return [ChatMessage(role="assistant", blocks=[call]), answer]

    def seen(self, message: Any) -> Seen:
        texts = [block.text for block in message.blocks if isinstance(block, TextBlock)]
        images = [block.resolve_image().read() for block in message.blocks if isinstance(block, ImageBlock)]
        calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
        return Seen(
            message.role.value,
            "\n".join(texts),
            name=message.additional_kwargs.get("name"),
            tool_call_id=message.additional_kwargs.get("tool_call_id"),
            calls=tuple((call.tool_call_id, call.tool_name, json.dumps(call.tool_kwargs)) for call in calls),
            attachments=tuple(hashlib.sha256(image).hexdigest() for image in images),
        )

    def facts(self, message: Any) -> dict[str, Any]:
        return dict(message.additional_kwargs)

    def edited(self, message: Any, text: str) -> Any:
        return message.model_copy(update={"blocks": [TextBlock(text=text)]})

    def named(self, message: Any, name: str) -> Any:
        return message.model_copy(update={"additional_kwargs": {**message.additional_kwargs, "name": name}})

    def with_pointer(self, message: Any, pointer: Any) -> Any:
        facts = {key: value for key, value in message.additional_kwargs.items() if key != "rivya_session"}
        facts |= {} if pointer is None else {"rivya_session": pointer}
        return message.model_copy(update={"additional_kwargs": facts})

    def whole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any:
        return model.chat(list(messages), **options).message

    async def awhole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any:
        return (await model.achat(list(messages), **options)).message

    def chunks(self, model: Any, messages: Sequence[Any], **options: Any) -> Iterator[Any]:
        return model.stream_chat(list(messages), **options)

    async def achunks(self, model: Any, messages: Sequence[Any], **options: Any) -> AsyncIterator[Any]:
        from contextlib import aclosing

        async with aclosing(await model.astream_chat(list(messages), **options)) as stream:
            async for chunk in stream:
                yield chunk

    def merged(self, chunks: Sequence[Any]) -> Any:
        return chunks[-1].message
