"""The body of a response: how large it may be, how long it may take, how it is decompressed, and its text."""

from __future__ import annotations

import codecs
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rivya_core.errors import APITimeoutError, InvalidResponseError
from rivya_core.http.library import httpx

MEGABYTE = 1024 * 1024
LARGEST_ERROR_BODY = MEGABYTE
"""Bytes of an error's body that are read; its status says the rest."""
ERROR_BODY_SECONDS = 30.0
MOST_HEADERS = 1000
"""Headers that a response may have. Their size is limited by the transport."""
LARGEST_PIECE = 256 * 1024
"""Bytes that are decompressed at a time."""
GZIP, ZLIB_CHECK, EITHER_HEADER = 0x1F, 31, 32
"""First byte of gzip, what the first two bytes of zlib can be divided by, and what lets zlib tell them apart."""
COMPRESSED = ("gzip", "deflate")
ENCODINGS = (*COMPRESSED, "identity")
"""What is understood. A server that compresses several times, or otherwise, is not followed."""
EXTENSION = "rivya_limits"
"""Under which a request's extensions hold its limits."""
CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})")
TEXT_CODECS = re.compile(
    r"ascii|utf-(8|16|32)(-[lb]e)?|iso8859-\d+|cp12\d\d|cp437|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)"
)
"""Decoders that always return text. Others of Python raise, decompress or return bytes."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a response may take.

    Attributes:
        max_response_bytes: Bytes of a response's body, decompressed.
        stream_idle_timeout: Seconds that a stream may continue without a piece of the reply, for example with pings
            only. For a response that is not a stream: seconds that its body may take.
    """

    max_response_bytes: int = 64 * MEGABYTE
    stream_idle_timeout: float = 600.0


DEFAULT_LIMITS = Limits()


def limits_of(response: httpx.Response) -> Limits:
    """Return the limits that the request of *response* was sent with."""
    limits: Limits = response.request.extensions.get(EXTENSION, DEFAULT_LIMITS)
    return limits


def limit_body(response: httpx.Response, *, streamed: bool) -> None:
    """Let the body of *response* be read only within its limits.

    What is too large or takes too long raises one of our errors while it is read; of an error's body the first part
    is enough, so that ends early.
    """
    reader = BodyReader(response, streamed=streamed)
    if response.is_stream_consumed:  # a transport that is not a network gave it whole
        reader.count(len(response.content))
        return
    if reader.encoding:
        del response.headers["content-encoding"]  # httpx decompresses without a limit
    response.stream = _LimitedBody(response.stream, reader)


class BodyReader:
    """Takes the bytes of a body and returns what they decompress to, within the limits.

    Args:
        response: The open response.
        streamed: Whether its body is a stream, which may take as long as it brings pieces of the reply.
    """

    __slots__ = "_ends _failed _headers _inflater _largest _request _seconds _size _status encoding full".split()

    def __init__(self, response: httpx.Response, *, streamed: bool) -> None:
        limits = limits_of(response)
        self._request, self._status = response.request, response.status_code  # not the response, which holds this
        self._headers = len(response.headers)
        self._failed = not 200 <= self._status < 300  # noqa: PLR2004 - HTTP's own boundaries
        self._largest = LARGEST_ERROR_BODY if self._failed else limits.max_response_bytes
        self._seconds = ERROR_BODY_SECONDS if self._failed else limits.stream_idle_timeout
        self._ends = None if streamed and not self._failed else time.monotonic() + self._seconds
        self._size = 0
        self._inflater: Any = None
        self.encoding = response.headers.get("content-encoding", "")
        """Its `content-encoding`."""
        self.full = False
        """Whether enough of an error's body was read."""

    def begin(self) -> None:
        """Check what is known before the body.

        Raises:
            InvalidResponseError: There are too many headers, or the body is compressed in a way that was not asked for.
        """
        if self._headers > MOST_HEADERS:
            self._refuse("has more headers than are read")
        if self.encoding:
            self.encoding = self.encoding.strip().lower().removeprefix("x-")
            if self.encoding not in ENCODINGS:
                self._refuse(f"is compressed as {self.encoding[:80]!r}, which was not asked for")

    @property
    def only_counts(self) -> bool:
        """Whether a body that has begun is taken as it is: not compressed, with no limit but its size."""
        return self._ends is None and self.encoding not in COMPRESSED

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Return what *data* brings; of compressed data it is made as it is taken.

        Raises:
            APITimeoutError: The body takes too long.
            InvalidResponseError: It is too large.
            httpx.DecodingError: It cannot be decompressed.
        """
        if self._ends is not None and time.monotonic() > self._ends:
            self._overdue()
        if self.encoding in COMPRESSED:
            return self._inflated(data)
        self.count(len(data))
        return () if self.full else (data,)

    def finish(self) -> None:
        """Check that the body is whole, where that can be seen.

        Raises:
            httpx.DecodingError: A compressed body ends early.
        """
        if self._inflater is not None and not self._inflater.eof and not self._failed:
            raise httpx.DecodingError(f"{self.encoding} that ends early", request=self._request)

    def count(self, size: int) -> None:
        """Count *size* further bytes."""
        self._size += size
        if self._size > self._largest:
            self._refuse(f"is larger than the {self._largest:,} bytes of `max_response_bytes`")

    def _refuse(self, what: str) -> None:
        self.full = True
        if not self._failed:
            raise InvalidResponseError(f"The response of {self._host} {what}.", status=self._status)

    def _overdue(self) -> None:
        self.full = True
        if not self._failed:
            raise APITimeoutError(f"{self._host} did not finish its response within {self._seconds:g} s.")

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        try:
            if self._inflater is None:
                self._inflater = _inflater(data)
            while not self._inflater.eof:
                piece = self._inflater.decompress(data, LARGEST_PIECE)
                data = self._inflater.unconsumed_tail
                self.count(len(piece))
                if piece and not self.full:
                    yield piece
                if self.full or (not data and len(piece) < LARGEST_PIECE):
                    break
        except zlib.error as exc:
            raise httpx.DecodingError(f"broken {self.encoding}: {exc}", request=self._request) from None

    @property
    def _host(self) -> str:
        return self._request.url.host


def _inflater(data: bytes) -> Any:
    """What decompresses a body that begins with *data*: gzip, zlib, or the bare deflate that some servers send."""
    bare = len(data) > 1 and data[0] != GZIP and int.from_bytes(data[:2], "big") % ZLIB_CHECK
    return zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | EITHER_HEADER)


class _LimitedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The stream of a response, read within limits."""

    def __init__(self, stream: Any, reader: BodyReader) -> None:
        self._stream, self._reader = stream, reader

    def __iter__(self) -> Iterator[bytes]:
        self._reader.begin()
        if self._reader.only_counts:
            for data in self._stream:
                self._reader.count(len(data))
                yield data
        elif not self._reader.full:
            for data in self._stream:
                yield from self._reader.feed(data)
                if self._reader.full:
                    return
            self._reader.finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._reader.begin()
        if self._reader.only_counts:
            async for data in self._stream:
                self._reader.count(len(data))
                yield data
        elif not self._reader.full:
            async for data in self._stream:
                for piece in self._reader.feed(data):
                    yield piece
                if self._reader.full:
                    return
            self._reader.finish()

    def close(self) -> None:
        """Close the connection or give it back."""
        self._stream.close()

    async def aclose(self) -> None:
        """Close the connection or give it back."""
        await self._stream.aclose()


def body_of(response: httpx.Response) -> Any:
    """Return the body of a response whose body is limited: bytes to iterate over, with or without `async`.

    httpx's own `iter_bytes` and `iter_raw` would add only work for each piece.
    """
    return httpx.ByteStream(response.content) if response.is_stream_consumed else response.stream


def body_text(response: httpx.Response) -> str:
    """Return the body as text, at most a megabyte of it; what cannot be decoded becomes U+FFFD.

    A body that was not read is empty.
    """
    try:
        data = response.content[:LARGEST_ERROR_BODY]
    except (httpx.ResponseNotRead, httpx.DecodingError):
        return ""
    return data.decode(_encoding(data, response.headers.get("content-type", "")), "replace")


def _encoding(data: bytes, content_type: str) -> str:
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith(UTF_16) and b"\0" in data:
        return "utf-16"
    found = CHARSET.search(content_type)
    try:
        name = codecs.lookup(found[1]).name if found else "utf-8"
    except (LookupError, ValueError):
        return "utf-8"
    return name if TEXT_CODECS.fullmatch(name) else "utf-8"
