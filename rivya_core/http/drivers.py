"""The two drivers, which carry out plans and read streams. They do all I/O of the core.

`AsyncDriver` is `Driver` with `async` and `await`, word for word; a test compares the two texts. A driver does not
decide what the failure of a step means: it throws the failure into the plan.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing, suppress
from functools import partial
from inspect import isawaitable
from socket import SHUT_RDWR
from threading import Timer
from typing import Any, TypeVar

from rivya_core.errors import ConfigurationError, RivyaError
from rivya_core.http.concurrency import together
from rivya_core.http.headers import mask_reason
from rivya_core.http.library import httpx
from rivya_core.http.plan import Call, Pause, Plan, Receive, Send, Step, Streaming, Together
from rivya_core.http.request_defaults import apply_client_defaults, apply_timeout
from rivya_core.http.response_body import body_of, limit_body
from rivya_core.http.stream_guard import IdleTimer, forget_stream, translate_stream_errors
from rivya_core.http.transport_errors import forget_locals, is_transport_failure

T = TypeVar("T")
E = TypeVar("E")

DRAIN_SECONDS = 0.25
"""How long to wait for the end of a body after the end of the reply, so that the connection can be used again."""


class Driver:
    """Carries out plans with a blocking client.

    Args:
        client: Returns the client to send with; called for every request.
        sleep: Waits for a number of seconds.
    """

    def __init__(self, client: Callable[[], httpx.Client], sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def run(self, plan: Plan[T]) -> T:
        """Carry out *plan* to its end and return its result."""
        resume: Callable[[], Step] = partial(next, plan)
        try:
            while True:
                step = resume()
                try:
                    outcome = self._take(step)
                except BaseException as exc:  # noqa: BLE001 - cancellation too: the plan cleans up, then lets it pass
                    resume = partial(plan.throw, exc)
                else:
                    resume = partial(plan.send, outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except Exception as exc:
            forget_locals(exc)
            raise
        finally:
            plan.close()

    def stream(self, opening: Plan[Streaming[E]]) -> Generator[E, None, None]:
        """Yield the events of the response that *opening* opens; the closing ones only after it is settled."""
        streaming = self.run(opening)
        settled, event = False, None
        with closing(streaming.response):
            try:
                pieces = iter(body_of(streaming.response))
                idle = IdleTimer(streaming.response, streaming.decoder)
                with translate_stream_errors(streaming.response, streaming.decoder):
                    for piece in pieces:
                        events = streaming.decoder.feed(piece)
                        for event in events:
                            yield event
                        if streaming.decoder.done:
                            break
                        idle.restart() if events else idle.check()
                events = self.run(streaming.settle(streaming.decoder.finish()))
                settled = True
                for event in events:
                    yield event
                drain(streaming.response, pieces)
            except Exception as exc:
                forget_stream(exc, streaming.response)
                raise
            finally:
                piece, event, events = b"", None, ()  # a traceback shows locals, and a server may have repeated the key
                if not settled:
                    self.run(streaming.abandon())

    def _take(self, step: Step) -> Any:
        match step:
            case Pause(seconds):
                return self._sleep(seconds)
            case Call(work):
                return call(work)
            case Together(plans, at_once):
                return together(self.run, plans, at_once)
            case Receive():
                return self._receive(step)
            case Send(request, keep_open):
                client = self._client()
                response = client.send(apply_client_defaults(request, client), stream=True)
                mask_reason(response)
                limit_body(response, streamed=keep_open)
                if not (keep_open and response.is_success):
                    self._read(response)
                return response

    def _read(self, response: httpx.Response) -> None:
        try:
            response.read()
        except BaseException as exc:
            response.close()
            if response.is_success or not is_transport_failure(exc):
                raise  # of an error the status is enough

    def _receive(self, step: Receive) -> httpx.Response:
        client = self._client()
        response = client.send(apply_timeout(step.request, client), stream=True, auth=None, follow_redirects=False)
        with closing(response):
            take = call(partial(step.sink, response))
            if take is not None:
                for piece in response.iter_bytes():
                    call(partial(take, piece))
        return response


class AsyncDriver:
    """Carries out plans with an async client.

    Args:
        client: Returns the client to send with; called for every request.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self, client: Callable[[], httpx.AsyncClient], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._sleep = sleep

    async def run(self, plan: Plan[T]) -> T:
        """Carry out *plan* to its end and return its result."""
        resume: Callable[[], Step] = partial(next, plan)
        try:
            while True:
                step = resume()
                try:
                    outcome = await self._take(step)
                except BaseException as exc:  # noqa: BLE001 - cancellation too: the plan cleans up, then lets it pass
                    resume = partial(plan.throw, exc)
                else:
                    resume = partial(plan.send, outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except Exception as exc:
            forget_locals(exc)
            raise
        finally:
            plan.close()

    async def stream(self, opening: Plan[Streaming[E]]) -> AsyncGenerator[E, None]:
        """Yield the events of the response that *opening* opens; the closing ones only after it is settled."""
        streaming = await self.run(opening)
        settled, event = False, None
        async with aclosing(streaming.response):
            try:
                pieces = aiter(body_of(streaming.response))
                idle = IdleTimer(streaming.response, streaming.decoder)
                with translate_stream_errors(streaming.response, streaming.decoder):
                    async for piece in pieces:
                        events = streaming.decoder.feed(piece)
                        for event in events:
                            yield event
                        if streaming.decoder.done:
                            break
                        idle.restart() if events else idle.check()
                events = await self.run(streaming.settle(streaming.decoder.finish()))
                settled = True
                for event in events:
                    yield event
                await adrain(streaming.response, pieces)
            except Exception as exc:
                forget_stream(exc, streaming.response)
                raise
            finally:
                piece, event, events = b"", None, ()  # a traceback shows locals, and a server may have repeated the key
                if not settled:
                    await self.run(streaming.abandon())

    async def _take(self, step: Step) -> Any:
        match step:
            case Pause(seconds):
                return await self._sleep(seconds)
            case Call(work):
                return await acall(work)
            case Together(plans, at_once):
                return await atogether(self.run, plans, at_once)
            case Receive():
                return await self._receive(step)
            case Send(request, keep_open):
                client = self._client()
                response = await client.send(apply_client_defaults(request, client), stream=True)
                mask_reason(response)
                limit_body(response, streamed=keep_open)
                if not (keep_open and response.is_success):
                    await self._read(response)
                return response

    async def _read(self, response: httpx.Response) -> None:
        try:
            await response.aread()
        except BaseException as exc:
            await response.aclose()
            if response.is_success or not is_transport_failure(exc):
                raise  # of an error the status is enough

    async def _receive(self, step: Receive) -> httpx.Response:
        client = self._client()
        response = await client.send(
            apply_timeout(step.request, client), stream=True, auth=None, follow_redirects=False
        )
        async with aclosing(response):
            take = await acall(partial(step.sink, response))
            if take is not None:
                async for piece in response.aiter_bytes():
                    await acall(partial(take, piece))
        return response


def call(work: Callable[[], Any]) -> Any:
    """Do *work* in this thread.

    Raises:
        ConfigurationError: It has to be awaited.
    """
    result: Any = work()
    if isawaitable(result):
        getattr(result, "close", bool)()
        raise ConfigurationError(
            "`api_key` is an async function, which only async calls can await. Use the async methods, or pass a "
            "function that is not async. Nothing was sent."
        )
    return result


async def acall(work: Callable[[], Any]) -> Any:
    """Do *work* in a thread, to its end even if the caller is cancelled; await its result if it is awaitable."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        result = await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])  # clean-up must not meet work that is still running
        raise
    return await result if isawaitable(result) else result


async def atogether(run: Callable[[Plan[Any]], Awaitable[Any]], plans: Sequence[Plan[Any]], at_once: int) -> list[Any]:
    """Carry out *plans* as tasks; no task is left running when one fails or the caller is cancelled."""
    results: list[Any] = [None] * len(plans)
    waiting = deque(enumerate(plans))

    async def work() -> None:
        while waiting:
            index, plan = waiting.popleft()
            results[index] = await run(plan)

    workers = [asyncio.ensure_future(work()) for _ in plans[:at_once]]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return results


def drain(response: httpx.Response, pieces: Iterator[bytes]) -> None:
    """Read the rest of a complete response, so that its connection can be used again.

    The socket's own timeout cannot be changed while a body is being read, so a timer ends a wait that is too long.
    """
    stream = response.extensions.get("network_stream")
    socket = stream.get_extra_info("socket") if stream else None
    if socket is None:
        return
    timer = Timer(DRAIN_SECONDS, partial(_shut, socket))
    timer.daemon = True
    timer.start()
    with suppress(httpx.RequestError, RivyaError):  # the reply was whole; only the connection is lost
        deque(pieces, maxlen=0)
    timer.cancel()


async def adrain(_response: httpx.Response, pieces: AsyncIterator[bytes]) -> None:
    """Read the rest of a complete response, so that its connection can be used again."""
    with suppress(httpx.RequestError, RivyaError, asyncio.TimeoutError):  # only the connection is lost
        await asyncio.wait_for(_exhaust(pieces), DRAIN_SECONDS)


async def _exhaust(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


def _shut(socket: Any) -> None:
    with suppress(OSError):  # closed meanwhile
        socket.shutdown(SHUT_RDWR)
