"""The results of a batch as JSON Lines: one line per item and attempt, on the disk before the next item begins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from rivya_core.errors import ConfigurationError

Record = Mapping[str, Any]


class ResultsFile:
    """A file to which results are appended.

    A process that is killed while it writes leaves half a line; that is cut off before the next line is written.

    Args:
        path: The file; its directory must exist. It is created readable for its owner alone.

    Raises:
        ConfigurationError: There is no such directory, or the path is one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        if not self.path.parent.is_dir() or self.path.is_dir():
            raise ConfigurationError(
                f"The results of a batch cannot be written to {str(self.path)!r}: it must be a file in a directory "
                "that exists. Nothing was sent."
            )
        self._lock = Lock()

    def read(self) -> Iterator[Record]:
        """Return the lines, oldest first; half a line at the end is left out.

        Raises:
            ConfigurationError: A line is not a result.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield self._record(number, line)

    def append(self, record: Record) -> None:
        """Write a line; it is on the disk when this returns.

        Raises:
            OSError: The file cannot be written.
        """
        line = json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                file.write(line)
                os.fsync(file.fileno())

    def cut_off_half_a_line(self) -> None:
        """Remove what follows the last whole line."""
        if not self.path.exists():
            return
        with self.path.open("r+b") as file:
            end = whole = file.seek(0, os.SEEK_END)
            while whole:
                start = max(0, whole - 65_536)
                file.seek(start)
                found = file.read(whole - start).rfind(b"\n")
                if found >= 0:
                    whole = start + found + 1
                    break
                whole = start
            if whole < end:
                file.truncate(whole)

    def _record(self, number: int, line: bytes) -> Record:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise ConfigurationError(
                f"Line {number} of {str(self.path)!r} is not a result of a batch; nothing was sent. Name another file."
            )
        return record
