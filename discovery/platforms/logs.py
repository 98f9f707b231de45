"""Log files of replicas: written by the processes themselves, kept within bounds by weft.

A process appends to its file directly, which costs weft nothing and goes on when weft is gone.  A file that
has outgrown its limit is copied aside and truncated in place; since it is open for appending, the process
writes on at the new end.  What is written in the instant between copy and truncation is lost.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("weft.logs")

LIMIT = 10 * 1024 * 1024
KEPT = 50
LONGEST_LINE = 200
"""Characters that are shown of a line."""
_CHUNK = 1024 * 1024
_TAIL = 4096
"""Bytes in which the last line is looked for."""


class LogFolder:
    """One file per replica and container, and one older file beside it; the `kept` last ones of ended replicas."""

    def __init__(self, folder: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
        """`limit`: bytes at which a file is moved aside.  Raises OSError when the folder cannot be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._limit = limit
        self._kept = kept
        self._live: set[Path] = set()
        self._ended = True

    def path(self, namespace: str, replica_id: str, container: str) -> Path:
        return self.folder / f"{namespace}_{replica_id}_{container}.log"

    def open(self, path: Path) -> int:
        """A descriptor that appends to `path`, for the caller to close.  Raises OSError."""
        self._live.add(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def release(self, path: Path) -> None:
        """The container is gone; its file stays among the last ones."""
        self._live.discard(path)
        self._ended = True

    def prune(self) -> None:
        """Delete the oldest files of ended replicas, if there may be too many."""
        if not self._ended:
            return
        self._ended = False
        ended = [path for path in self.folder.glob("*.log") if path not in self._live]
        ended.sort(key=lambda path: path.stat().st_mtime)
        for path in ended[: max(0, len(ended) - self._kept)]:
            path.unlink(missing_ok=True)
            _older(path).unlink(missing_ok=True)

    async def tend(self, interval: float = 1.0) -> None:
        """Keep all files within their limits, looking every `interval` seconds, until cancelled."""
        while True:
            await asyncio.sleep(interval)
            with _told():
                self.prune()
            for path in tuple(self._live):
                with _told():
                    if self._too_long(path):
                        await self._move_aside(path)

    def _too_long(self, path: Path) -> bool:
        try:
            return path.stat().st_size > self._limit
        except FileNotFoundError:  # somebody deleted it; the process writes to what has no name any more
            return False

    async def _move_aside(self, path: Path) -> None:
        aside = _older(path)
        fresh = aside.with_suffix(".new")
        source = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            target = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                await _copy_tail(source, target, self._limit)
            finally:
                os.close(target)
            os.ftruncate(source, 0)
            fresh.replace(aside)
        finally:
            os.close(source)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with one file must not keep the others from being looked at."""
    try:
        yield
    except OSError as error:
        log.warning("log files cannot be kept short", extra={"reason": str(error)})


def last_line(path: Path, since: int) -> str:
    """The last line with something printable, at most LONGEST_LINE characters of it; `since`: of what was written
    from that byte on.  Empty when there is none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            since = since if since <= end else 0  # it was truncated since
            file.seek(max(since, end - _TAIL))
            written = file.read(_TAIL)
    except OSError:
        return ""
    for line in reversed(written.decode(errors="replace").splitlines()):
        text = "".join(char if char.isprintable() else " " for char in line).strip()
        if text:
            return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 3] + "..."
    return ""


async def _copy_tail(source: int, target: int, most: int) -> None:
    """Copy about the last `most` bytes in slices that do not hold the loop, a busy writer not followed for ever."""
    end = os.fstat(source).st_size
    offset = max(0, end - most)
    while offset < end + _CHUNK and (sent := os.sendfile(target, source, offset, _CHUNK)):
        offset += sent
        await asyncio.sleep(0)


def _older(path: Path) -> Path:
    return path.with_suffix(".log.1")
