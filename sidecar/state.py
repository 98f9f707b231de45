"""The state folder: what one weft keeps over restarts, and the lock that says whose it is.

The lock is advisory (flock), belongs to the open file and so to the process: it is gone when the process is,
however that ended.  The folder is for its owner alone (0700), since secrets may come to lie in it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sidecar.errors import UserError

FOUND = "found.json"
"""Manifests that platforms make of what they find: a node's own stand where these say the same objects."""


class StateFolder:
    """An open, locked state folder; `close` lets the next weft have it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> StateFolder:
        """Make the folder if need be and lock it.

        Raises UserError if another weft has it, if it holds something else, or if it cannot be made or written.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign(path)
            path.chmod(0o700)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _take(lock, path)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise UserError(
                f"the state folder {path} cannot be used ({error.strerror}): give another one with --state DIR"
            ) from None
        return cls(path, lock)

    def announce_admin(self, address: str) -> None:
        """Note where the admin server of this weft listens, for the commands that read from it."""
        (self.path / "admin").write_text(f"{address}\n", encoding="ascii")

    def close(self) -> None:
        """Unlock the folder; what is in it stays."""
        (self.path / "admin").unlink(missing_ok=True)
        os.close(self._lock)


def _refuse_foreign(path: Path) -> None:
    """A folder that others may enter is made private only if it is empty or was a weft's: it may be /tmp."""
    if path.stat().st_mode & 0o077 and not (path / "lock").exists() and any(path.iterdir()):
        raise UserError(
            f"{path} is open to others and holds files that are not weft's, so it is not made the state folder: "
            "give a folder of its own with --state DIR"
        )


def _take(lock: int, path: Path) -> None:
    """Lock the open file and write into it whose it is; raises OSError or UserError."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise UserError(
            f"another weft (process {holder}) uses the state folder {path}: "
            "stop it, or give this one a folder of its own with --state DIR"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def read_admin(path: Path) -> str:
    """Where the weft of this state folder listens for admin requests; empty when none says so."""
    try:
        return (path / "admin").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
