"""The two frameworks seen from the sessions' side: the same verbs for messages, calls and forms of messages.

A world makes its framework's messages, asks its model in every way, gives a message back in every form in which the
framework may hand it back later, and says what a model is to see of a list of messages; that without using the
conversion that is under test.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from transcript_reader import Seen

from rivya_sandbox import Sandbox

WAYS = ("invoke", "ainvoke", "stream", "astream")


class World(ABC):
    """One framework."""

    name: ClassVar[str]
    forms: ClassVar[dict[str, Callable[[list[Any]], list[Any]]]]
    """Forms in which messages come back that a model sees as the same, by name."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        """Close the loop that calls run on, with everything that belongs to it."""
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    # what there is

    @abstractmethod
    def model(self, sandbox: Sandbox, **fields: Any) -> Any: ...
    @abstractmethod
    def system(self, text: str) -> Any: ...
    @abstractmethod
    def human(self, text: str, image: bytes | None = None, name: str | None = None) -> Any: ...
    @abstractmethod
    def assistant(self, text: str) -> Any: ...
    @abstractmethod
    def tool_use(self, number: int) -> list[Any]: ...
    @abstractmethod
    def seen(self, message: Any) -> Seen: ...

    # metadata

    @abstractmethod
    def facts(self, message: Any) -> dict[str, Any]: ...
    @abstractmethod
    def edited(self, message: Any, text: str) -> Any: ...
    @abstractmethod
    def named(self, message: Any, name: str) -> Any: ...
    @abstractmethod
    def with_pointer(self, message: Any, pointer: Any) -> Any: ...

    # calls

    @abstractmethod
    def whole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any: ...
    @abstractmethod
    async def awhole(self, model: Any, messages: Sequence[Any], **options: Any) -> Any: ...
    @abstractmethod
    def chunks(self, model: Any, messages: Sequence[Any], **options: Any) -> Iterator[Any]: ...
    @abstractmethod
    def achunks(self, model: Any, messages: Sequence[Any], **options: Any) -> AsyncIterator[Any]: ...
    @abstractmethod
    def merged(self, chunks: Sequence[Any]) -> Any: ...

    def pointer(self, message: Any) -> Any:
        return self.facts(message).get("rivya_session")

    def route(self, message: Any) -> str:
        return self.facts(message)["session_route"]

    def transcript(self, messages: Sequence[Any]) -> list[Seen]:
        """What a model is to see of *messages*."""
        return [self.seen(message) for message in messages]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def ask(self, model: Any, messages: Sequence[Any], way: str = "invoke", **options: Any) -> Any:
        """Carry out one turn in one of `WAYS` and return the reply."""
        if way == "invoke":
            return self.whole(model, messages, **options)
        if way == "ainvoke":
            return self.run(self.awhole(model, messages, **options))
        if way == "stream":
            return self.merged(list(self.chunks(model, messages, **options)))
        return self.run(self.acollected(model, messages, **options))

    async def acollected(self, model: Any, messages: Sequence[Any], **options: Any) -> Any:
        """Carry out one streamed turn and return the reply."""
        return self.merged([chunk async for chunk in self.achunks(model, messages, **options)])

    crowds: ClassVar[tuple[str, ...]] = ("threads", "tasks", "streaming threads", "streaming tasks")

    def crowd(self, model: Any, messages: Sequence[Any], count: int, how: str, **options: Any) -> list[Any]:
        """Carry out the same turn *count* times at once."""
        streamed = how.startswith("streaming")
        if how.endswith("threads"):
            way = "stream" if streamed else "invoke"
            with ThreadPoolExecutor(count) as threads:
                return list(threads.map(lambda _: self.ask(model, messages, way, **options), range(count)))
        one = self.acollected if streamed else self.awhole

        async def gather() -> list[Any]:
            return list(await asyncio.gather(*(one(model, messages, **options) for _ in range(count))))

        return self.run(gather())

    leavings: ClassVar[tuple[str, ...]] = ("close", "raise", "aclose", "abreak", "cancel stream", "cancel whole")

    def leave(self, model: Any, messages: Sequence[Any], after: int, how: str, **options: Any) -> bool:
        """Begin a turn and leave it after some chunks (for `cancel whole`, milliseconds); whether it was left early."""
        if how == "cancel whole":
            return bool(self.run(self._cancelled(self.awhole(model, messages, **options), after / 1000)))
        if how in ("close", "raise"):
            return self._leave(self.chunks(model, messages, **options), after, how)
        return bool(self.run(self._aleave(self.achunks(model, messages, **options), after, how)))

    def _leave(self, chunks: Iterator[Any], after: int, how: str) -> bool:
        left = True
        try:
            for _ in range(after):
                next(chunks)
            if how == "raise":
                raise Left
            chunks.close()  # type: ignore[attr-defined]
        except StopIteration:
            left = False
        except Left:
            del chunks
        return left

    async def _aleave(self, chunks: Any, after: int, how: str) -> bool:
        if how == "cancel stream":
            return await self._cancelled(self._exhaust(chunks, after), 1.0)
        try:
            for _ in range(after):
                await anext(chunks)
        except StopAsyncIteration:
            return False
        if how == "aclose":
            await chunks.aclose()
        return True  # "abreak" leaves closing to the event loop

    async def _exhaust(self, chunks: Any, after: int) -> None:
        task = asyncio.current_task()
        async for _ in chunks:
            after -= 1
            if after == 0 and task:
                task.cancel()

    async def _cancelled(self, work: Coroutine[Any, Any, Any], seconds: float) -> bool:
        task = asyncio.ensure_future(work)
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
            return False
        return True


class Left(Exception):  # noqa: N818 - not an error, the consumer leaves
    """The consumer of a stream goes away."""
