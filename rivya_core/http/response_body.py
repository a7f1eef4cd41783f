"""The body of a response: how large it may be, how it is decompressed, and its text."""

from __future__ import annotations

import codecs
import re

import httpx

CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})")
TEXT_CODECS = re.compile(
    r"ascii|utf-(8|16|32)(-[lb]e)?|iso8859-\d+|cp12\d\d|cp437|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)"
)
"""Decoders that always return text. Python has others, which raise, decompress or return bytes."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def body_text(response: httpx.Response) -> str:
    """Return the body as text; what cannot be decoded becomes U+FFFD, and a body that was not read is empty."""
    try:
        data = response.content
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
