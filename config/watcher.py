"""Which manifests changed: looked for by polling, judged by content.

Polling sees what notifications of the kernel do not: network and shared folders, files behind symbolic links
(as mounted ConfigMaps are), paths that do not exist yet.  Most looks read nothing: a file whose stamp is the same
has the same content, unless it was written so recently that its clock may not have moved since.  So do folders have
the same entries, and where all stamps are the same most looks go no further.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Generator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from config.errors import FaultList
from config.files import MAX_BYTES, MAX_FILES, manifest_files

RECENT_SECONDS: Final = 2.0
"""A file written less than this long ago is read again at the next look, whatever its stamp says."""
FEW: Final = 64
"""Files and folders whose stamps are looked at in one step."""
LOOKS: Final = 20
"""In a row that trust in stamps: what a link leads to may be another folder without any stamp being another one."""
PIECE: Final = 128 * 1024
"""Bytes that are read in one step."""

_Stamp = tuple[int, ...]
_ABSENT: Final[_Stamp] = ()


class _Seen(NamedTuple):
    stamp: _Stamp
    digest: bytes
    """Of the content; empty for what cannot be read."""
    settled: bool
    """Whether an equal stamp means an equal content."""


_Look = Generator[None, None, bool]


class Watcher:
    """Remembers the manifests of `paths` (files and folders) as they were at the last look."""

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix time, as the stamps of files are."""
        self._paths = tuple(paths)
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._still: dict[str, _Stamp] = {}
        """What stamps there were when nothing had changed for a while; empty: that is not known."""
        self._looks = 0

    def __len__(self) -> int:
        """Files that there were at the last look."""
        return len(self._seen)

    def look(self) -> _Look:
        """Whether names or contents differ from the last look, in many short steps.

        What is read after a look is at least as new as what the look saw.
        """
        if self._is_still():
            return False
        before, self._seen = self._seen, {}
        folders = [str(path) for path in self._paths]
        for path in manifest_files(self._paths, FaultList(limit=0), folders.append):
            if len(self._seen) > MAX_FILES:
                break
            name = str(path)
            self._seen[name] = yield from self._see(name, before.get(name))
            yield
        self._still = self._settled(folders)
        self._looks = 0
        contents = {name: seen.digest for name, seen in self._seen.items()}
        return contents != {name: seen.digest for name, seen in before.items()}

    def _is_still(self) -> bool:
        """Whether all is as it was, as far as stamps say."""
        self._looks += 1
        if not self._still or self._looks > LOOKS:
            return False
        return all(_stamp(name) == stamp for name, stamp in self._still.items())

    def _settled(self, folders: Collection[str]) -> dict[str, _Stamp]:
        """All stamps, if they are few and none may stay the same when something changes."""
        if len(folders) + len(self._seen) > FEW or not all(seen.settled for seen in self._seen.values()):
            return {}
        stamps = {name: _stamp(name) for name in folders}
        if any(self._is_recent(max(stamp[3:]) / 1e9) for stamp in stamps.values() if stamp):
            return {}
        return {**stamps, **{name: seen.stamp for name, seen in self._seen.items()}}

    def _is_recent(self, at: float) -> bool:
        return abs(self._clock() - at) <= RECENT_SECONDS

    def _see(self, name: str, before: _Seen | None) -> Generator[None, None, _Seen]:
        try:
            found = os.stat(name)
        except (OSError, ValueError):
            return _Seen(_ABSENT, b"", settled=False)
        stamp = _stamp_of(found)
        if before is not None and before.settled and before.stamp == stamp:
            return before
        settled = not self._is_recent(max(found.st_mtime, found.st_ctime))
        regular = stat.S_ISREG(found.st_mode)  # a pipe could block for ever
        return _Seen(stamp, (yield from _digest(name)) if regular else b"", settled)


def _stamp_of(found: os.stat_result) -> _Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stamp(name: str) -> _Stamp:
    try:
        return _stamp_of(os.stat(name))
    except (OSError, ValueError):
        return _ABSENT


def _digest(name: str) -> Generator[None, None, bytes]:
    content = blake2b(digest_size=16)
    left = MAX_BYTES + 1
    try:
        with open(name, "rb", buffering=0) as file:
            while left > 0 and (piece := file.read(PIECE)):
                content.update(piece)
                left -= len(piece)
                yield
    except OSError:
        return b""
    return content.digest()
