"""Opening local files, by trusted and by untrusted names.

A name that a model has made up may leave the allowed directory (`..`, an absolute path, a symbolic link), name a device
or an endless pipe, or be replaced between check and opening. So the path is resolved first and then opened part by part
from the allowed directory, without following links, and the opened file is checked rather than its name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from rivya_core.errors import InvalidInputError

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_WALKS = os.open in os.supports_dir_fd


def open_below(root: Path, name: str) -> BinaryIO:
    """Open the regular file *name* inside *root*, for reading.

    Raises:
        InvalidInputError: It is not inside, does not exist or is not a regular file. The message does not reveal
            whether something outside exists.
    """
    try:
        base = root.resolve(strict=True)
        parts = (base / name).resolve().relative_to(base).parts
    except (ValueError, OSError, RuntimeError):
        raise InvalidInputError(f"{name[:200]!r} is not inside the allowed directory.") from None
    try:
        return _regular(_walk(base, parts), name)
    except (ValueError, OSError):
        raise InvalidInputError(f"There is no readable file {name[:200]!r} in the allowed directory.") from None


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open the regular file at a *path* that the application itself named.

    Raises:
        InvalidInputError: It does not exist or is not a regular file.
    """
    try:
        return _regular(os.open(path, _FLAGS), os.fspath(path))
    except (ValueError, OSError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise InvalidInputError(f"The image file {os.fspath(path)!r} cannot be read: {why}.") from None


def _walk(base: Path, parts: tuple[str, ...]) -> int:
    """Open a path part by part; fails if a part has become a link since the path was resolved."""
    if not parts:
        raise IsADirectoryError
    if not _WALKS:
        return os.open(base.joinpath(*parts), _FLAGS | _NO_LINK)
    here = os.open(base, _FLAGS | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FLAGS | os.O_DIRECTORY | _NO_LINK, dir_fd=here)
            os.close(here)
            here = below
        return os.open(parts[-1], _FLAGS | _NO_LINK, dir_fd=here)
    finally:
        os.close(here)


def _regular(descriptor: int, name: str) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInputError(f"{name[:200]!r} is not a regular file.")
    return os.fdopen(descriptor, "rb")
