"""Manifests that are as they were when they were last read: then what was made of them is handed on as it is.

To read and to judge 5,000 objects takes seconds, most of the time that a large registry needs for a restart.  What they
depend on is the text of the manifests, what the state folder has besides, and the program; a digest of all of that
stands before what is kept.  Where anything was wrong, nothing is kept.  Imported by the helper only, which for this
needs neither the YAML parser nor the vocabulary.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from config.errors import FaultList
from config.files import read_texts
from config.frames import answer, frames
from discovery.assignments import replace_whole

NAME: Final = "read.frames"
MANY_OBJECTS: Final = 500
"""Fewer are read as fast as it is found out that they need not be."""
LARGEST_FILE: Final = 256 * 1024 * 1024
OWN: Final = ("assignments.json", "last-good.msgpack")
"""Files of the state folder on which reading depends, and which it writes."""
PACKAGES: Final = ("config", "discovery", "sidecar")
_DIGEST_BYTES: Final = 32


def main(arguments: Sequence[str]) -> None:
    """The helper; its arguments are the state folder and the paths."""
    state, *paths = map(Path, arguments)
    answer(lambda: load_kept(state, paths) or read_and_keep(paths, state))


def read_and_keep(paths: Sequence[Path], state: Path) -> bytes:
    """Read the manifests, and keep what is made of them if they are many, and nothing is wrong."""
    from sidecar.reader import read

    before = _texts(paths)
    loaded = read(paths, state)
    made = frames(loaded)
    is_well = before is not None and not loaded.failed and not loaded.kept
    if is_well and len(loaded.config_set.sources) >= MANY_OBJECTS and before == _texts(paths):
        _keep(state, paths, made)
    return made


def load_kept(state: Path, paths: Sequence[Path]) -> bytes | None:
    """The frames that were kept of these `paths`, if nothing differs since then."""
    try:
        if (state / NAME).stat().st_size > LARGEST_FILE:
            return None
        content = (state / NAME).read_bytes()
    except OSError:
        return None
    digest, check, made = (
        content[:_DIGEST_BYTES],
        content[_DIGEST_BYTES : 2 * _DIGEST_BYTES],
        content[2 * _DIGEST_BYTES :],
    )
    return made if check == _digest([made]) and digest == _of_all(state, paths) else None


def _keep(state: Path, paths: Sequence[Path], made: bytes) -> None:
    """Without it the next start takes longer; that is no reason for this one to fail."""
    digest = _of_all(state, paths)
    if digest is not None:
        try:
            replace_whole(state / NAME, digest + _digest([made]) + made)
        except OSError as error:
            sys.stderr.write(f"{state / NAME}: {error.strerror}\n")


def _of_all(state: Path, paths: Sequence[Path]) -> bytes | None:
    texts = _texts(paths)
    return None if texts is None else _digest([texts, *_program(), *_own(state, paths)])


def _texts(paths: Sequence[Path]) -> bytes | None:
    """Stands for all that is written; None: that cannot be read as a whole."""
    faults = FaultList()
    digest = _digest(part.encode() for text in read_texts(paths, faults) for part in text)
    return None if faults.all() else digest


def _own(state: Path, paths: Sequence[Path]) -> Iterator[bytes]:
    yield os.path.abspath(state).encode()
    yield from (os.path.abspath(path).encode() for path in paths)
    for name in OWN:
        try:
            yield (state / name).read_bytes()
        except OSError:
            yield b""


def _program() -> Iterator[bytes]:
    """The files of this program, by what shows that they are others."""
    yield sys.version.encode()
    root = Path(__file__).parents[1]
    for package in PACKAGES:
        for folder, folders, names in os.walk(root / package):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                found = os.stat(os.path.join(folder, name))
                yield f"{name} {found.st_size} {found.st_mtime_ns}".encode()


def _digest(parts: Iterator[bytes] | Sequence[bytes]) -> bytes:
    made = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.digest()
