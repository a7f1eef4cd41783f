"""Claims on the heads of a ledger in memory, as files that all processes of the host see.

A ledger in memory knows only what its own process did. So that no two processes continue the same reply, a claim is
also an empty file in a folder of that ledger, below the directory for temporary files. The process that creates the
file has the claim. A process that continues a session of another one leaves its file there, so the other one never
continues from that reply again. A process that does not find the folder, for example on another host, gets no claim.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from itertools import islice

MEMORY = "memory:"
"""Begins the name of every ledger in memory."""
KEPT = 30 * 86_400.0
"""Seconds after which an unused folder is removed. Sessions of a process that ended before that are replayed."""
LOOKED_AT = 1_000
"""Folders whose age a new process looks at, so that its start does not depend on their number."""


class ClaimFiles:
    """The claims on the heads that one ledger in memory remembers.

    Args:
        ledger: Name of the ledger.

    Raises:
        ValueError: It is not a ledger in memory.
    """

    def __init__(self, ledger: str) -> None:
        word = ledger.removeprefix(MEMORY)
        if not (ledger.startswith(MEMORY) and word.isascii() and word.isalnum()):
            raise ValueError(f"{ledger!r} is not a ledger in memory.")
        self._word = word

    def create(self) -> None:
        """Create the folder, for its owner alone.

        Raises:
            OSError: There is no place for it.
        """
        os.makedirs(_root(), mode=0o700, exist_ok=True)  # noqa: PTH103 - one way of writing paths in this file
        _check_owner()
        os.makedirs(f"{_root()}{os.sep}{self._word}", mode=0o700, exist_ok=True)  # noqa: PTH103
        _remove_old_folders()

    def claim(self, session: str, turn: int, by: str = "") -> bool:
        """Return whether the caller, and no one else, has the claim on a turn of *session* now.

        Args:
            session: The session.
            turn: Number of the turn.
            by: Name of the caller's ledger, for `claimed_by`; by default it is the ledger of this folder.

        Raises:
            OSError: There is no folder, so no process can have the claim.
        """
        try:
            descriptor = os.open(self._file(session, turn), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, by.encode())
        finally:
            os.close(descriptor)
        return True

    def claimed_by(self, session: str, turn: int) -> str | None:
        """Return the name of the ledger that has the claim on a turn of *session*, or None if there is no claim."""
        try:
            with open(self._file(session, turn), encoding="utf-8") as file:  # noqa: PTH123
                return file.read() or f"{MEMORY}{self._word}"
        except FileNotFoundError:
            return None

    def end(self, session: str, turn: int) -> None:
        """End the claim on a turn of *session*, if there is one."""
        with suppress(OSError):
            os.unlink(self._file(session, turn))  # noqa: PTH108

    def _file(self, session: str, turn: int) -> str:
        name = hashlib.blake2b(f"{turn} {session}".encode(), digest_size=16).hexdigest()
        return f"{_root()}{os.sep}{self._word}{os.sep}{name}"


def claim_elsewhere(ledger: str, session: str, turn: int, by: str = "") -> bool:
    """Claim a turn that another process's ledger remembers as the newest of its session; see `ClaimFiles.claim`.

    Returns:
        Whether the caller has the claim. If not, it must not continue the session.
    """
    try:
        files = ClaimFiles(ledger)
        _check_owner()
        return files.claim(session, turn, by)
    except (OSError, ValueError):
        return False


def end_elsewhere(ledger: str, session: str, turn: int) -> None:
    """End a claim that `claim_elsewhere` gave."""
    ClaimFiles(ledger).end(session, turn)


def claimed_by(ledger: str, session: str, turn: int) -> str | None:
    """Return the name of the ledger that has the claim on a turn that *ledger* remembers, or None."""
    try:
        _check_owner()
        return ClaimFiles(ledger).claimed_by(session, turn)
    except (OSError, ValueError):
        return None


def _root() -> str:
    import tempfile  # it finds the directory by writing to it, so not before it is needed

    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return f"{tempfile.gettempdir()}{os.sep}rivya-sessions-{owner}"


def _check_owner() -> None:
    """Anyone may write to the directory for temporary files, so the folder in it may belong to another user."""
    found = os.lstat(_root())
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise PermissionError(_root())


def _remove_old_folders() -> None:
    import shutil

    with os.scandir(_root()) as entries:
        for entry in islice(entries, LOOKED_AT):
            with suppress(OSError):  # another process removes it, too
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > KEPT:
                    shutil.rmtree(entry.path, ignore_errors=True)
