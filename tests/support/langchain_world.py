"""LangChain seen from the sessions' side."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar

from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)
from transcript_reader import Seen
from worlds import World

from langchain_rivya import ChatRivya
from rivya_sandbox import Sandbox

ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool"}


def as_blocks(message: BaseMessage) -> BaseMessage:
    """The text cut into blocks, as stores and the v1 form keep it."""
    text = message.content
    if not isinstance(text, str) or not text:
        return message
    half = len(text) // 2
    pieces = [{"type": "text", "text": piece} for piece in (text[:half], text[half:]) if piece]
    return message.model_copy(update={"content": pieces})


def as_v1(message: BaseMessage) -> BaseMessage:
    """An AI message in the form of `output_version="v1"`."""
    if type(message) is not AIMessage or message.tool_calls:
        return message
    return message.model_copy(update={"content": message.content_blocks})


def as_chunk(message: BaseMessage) -> BaseMessage:
    """An AI message as the chunk that a stream was merged into."""
    if type(message) is not AIMessage or message.tool_calls:
        return message
    facts = {key: getattr(message, key) for key in ("content", "response_metadata", "additional_kwargs", "name", "id")}
    return AIMessageChunk(**facts)


def checkpointed(messages: list[Any]) -> list[Any]:
    """Messages as LangGraph's checkpointers write and read them."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    form = JsonPlusSerializer()
    return list(form.loads_typed(form.dumps_typed(messages)))


class LangChainWorld(World):
    name = "langchain"
    crowds: ClassVar[tuple[str, ...]] = (*World.crowds, "batch", "abatch")
    forms: ClassVar[dict[str, Any]] = {
        "pickle": lambda messages: pickle.loads(pickle.dumps(messages)),
        "dumpd": lambda messages: [
            load(json.loads(json.dumps(dumpd(m))), allowed_objects="messages") for m in messages
        ],
        "dicts": lambda messages: messages_from_dict(json.loads(json.dumps([message_to_dict(m) for m in messages]))),
        "model json": lambda messages: [type(m).model_validate_json(m.model_dump_json()) for m in messages],
        "checkpoint": checkpointed,
        "blocks": lambda messages: [as_blocks(m) for m in messages],
        "v1 blocks": lambda messages: [as_v1(m) for m in messages],
        "chunks": lambda messages: [as_chunk(m) for m in messages],
        "new ids": lambda messages: [m.model_copy(update={"id": f"id-{i}"}) for i, m in enumerate(messages)],
    }

    def model(self, sandbox: Sandbox, **fields: Any) -> ChatRivya:
        fields.setdefault("api_key", sandbox.api_key)
        return ChatRivya(base_url=sandbox.rivya_url, **fields)

    def system(self, text: str) -> SystemMessage:
        return SystemMessage(text)

    def human(self, text: str, image: bytes | None = None, name: str | None = None) -> HumanMessage:
        if image is None:
            return HumanMessage(text, name=name)
        block = {"type": "image", "base64": base64.b64encode(image).decode(), "mime_type": "image/png"}
        return HumanMessage([{"type": "text", "text": text}, block], name=name)

    def assistant(self, text: str) -> AIMessage:
        return AIMessage(text)

    def tool_use(self, number: int) -> list[Any]:
        call = {"id": f"call_{number}", "name": "look", "args": {"at": number}, "type": "tool_call"}
        return [AIMessage("", tool_calls=[call]), ToolMessage(f"found {number}", tool_call_id=f"call_{number}")]

    def seen(self, message: Any) -> Seen:
        blocks = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
        images = [block["base64"] for block in blocks if block["type"] == "image"]
        calls = [(call["id"], call["name"], json.dumps(call["args"])) for call in getattr(message, "tool_calls", [])]
        return Seen(
            ROLES[message.type],
            "".join(block["text"] for block in blocks if block["type"] == "text"),
            name=message.name,
            tool_call_id=getattr(message, "tool_call_id", None),
            calls=tuple(calls),
            attachments=tuple(hashlib.sha256(base64.b64decode(image)).hexdigest() for image in images),
        )

    def facts(self, message: Any) -> dict[str, Any]:
        return dict(message.response_metadata)

    def edited(self, message: Any, text: str) -> Any:
        return message.model_copy(update={"content": text})

    def named(self, message: Any, name: str) -> Any:
        return message.model_copy(update={"name": name})

    def with_pointer(self, message: Any, pointer: Any) -> Any:
        facts = {key: value for key, value in message.response_metadata.items() if key != "rivya_session"}
        facts |= {} if pointer is None else {"rivya_session": pointer}
        return message.model_copy(update={"response_metadata": facts})

    def whole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any:
        return model.invoke(list(messages), **options)

    async def awhole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any:
        return await model.ainvoke(list(messages), **options)

    def chunks(self, model: Any, messages: Sequence[Any], **options: Any) -> Iterator[Any]:
        return model.stream(list(messages), **options)

    def achunks(self, model: Any, messages: Sequence[Any], **options: Any) -> AsyncIterator[Any]:
        return model.astream(list(messages), **options)

    def merged(self, chunks: Sequence[Any]) -> Any:
        total = chunks[0]
        for chunk in chunks[1:]:
            total += chunk
        return total

    def crowd(self, model: Any, messages: Sequence[Any], count: int, how: str, **options: Any) -> list[Any]:
        if how == "batch":
            return list(model.batch([list(messages)] * count, **options))
        if how == "abatch":
            return list(self.run(model.abatch([list(messages)] * count, **options)))
        return super().crowd(model, messages, count, how, **options)
