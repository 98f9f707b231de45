"""Paths to texts: manifest files, alone or in folders, read with bounds.

A folder stands for all its ``.yaml``, ``.yml`` and ``.json`` files, those of its folders included, in the order of
their names.  Names that begin with a dot are left out: editors and mounted ConfigMaps keep second copies there.  A
pipe is read if this process was handed it open, as standard input and a shell's ``<(command)`` are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from config.errors import Fault, FaultList
from config.meta import Source

MAX_BYTES = 16 * 1024 * 1024
MAX_FILES = 10_000
MAX_FOLDERS = 50_000
SUFFIXES = (".yaml", ".yml", ".json")
STDIN = Path("/dev/stdin")
_HANDED_OVER = (Path("/dev/fd"), Path("/proc/self/fd"))

_OTHER_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def read_texts(paths: Sequence[Path], faults: FaultList) -> Iterator[tuple[str, str]]:
    """Name and text of every file of `paths`; each file once, even if several paths lead to it."""
    seen: set[str] = set()
    for path in manifest_files(paths, faults):
        real = os.path.realpath(path)
        if real in seen:
            continue
        if len(seen) == MAX_FILES:
            _fault(faults, path, f"more than {MAX_FILES} manifest files: the rest is not read")
            return
        seen.add(real)
        text = _read(path, faults)
        if text is not None:
            yield _name(path), text


def is_open(path: Path) -> bool:
    """Whether it is something that this process was handed open, which may be read but once."""
    return path == STDIN or path.parent in _HANDED_OVER


def manifest_files(paths: Sequence[Path], faults: FaultList, entered: Callable[[str], object] = str) -> Iterator[Path]:
    """The files that `paths` stand for, one by one, without reading them; `entered` is told of each folder."""
    for path in paths:
        try:
            folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL byte, which no path has
            _fault(faults, path, "no such file or folder")
        except OSError as error:
            _fault(faults, path, f"cannot be read: {error.strerror}")
        else:
            yield from _walk(path, faults, entered) if folder else (path,)


def _walk(folder: Path, faults: FaultList, entered: Callable[[str], object]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        _fault(faults, Path(str(error.filename)), f"cannot be read: {error.strerror}")

    empty = True
    for count, (here, folders, names) in enumerate(os.walk(folder, onerror=unreadable)):
        if count == MAX_FOLDERS:
            _fault(faults, Path(here), f"more than {MAX_FOLDERS} folders: the rest is not read")
            return
        entered(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                empty = False
                yield Path(here, name)
    if empty:
        where = Source(str(folder), 1, 1)
        faults.add(Fault("warning", where, f"no manifest in this folder: no file ends in {', '.join(SUFFIXES)}"))


def _read(path: Path, faults: FaultList) -> str | None:
    try:
        # Any other pipe, or a device, could block for ever.
        readable = is_open(path) or stat.S_ISREG(path.stat().st_mode)
        data = _read_bytes(path) if readable else b""
    except OSError as error:
        _fault(faults, path, f"cannot be read: {error.strerror}")
        return None
    if not readable:
        _fault(faults, path, "not a regular file")
    elif len(data) > MAX_BYTES:
        _fault(faults, path, f"larger than {MAX_BYTES // (1024 * 1024)} MiB")
    else:
        return decode_text(data, path, faults)
    return None


def _read_bytes(path: Path) -> bytes:
    # Standard input may be a socket, which has no path that opens it.
    with open(0, "rb", closefd=False) if path == STDIN else path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def decode_text(data: bytes, path: Path, faults: FaultList) -> str | None:
    """`data` as UTF-8, with or without a byte order mark; None and a fault for all else."""
    for mark, name in _OTHER_ENCODINGS:
        if data.startswith(mark):
            _fault(faults, path, f"the encoding is {name}: save it as UTF-8")
            return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
        message = f"byte 0x{error.object[at]:02x} is not valid UTF-8: save the file as UTF-8"
        _fault(faults, path, message, data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at))
    return None


def _fault(faults: FaultList, path: Path, message: str, line: int = 1, column: int = 1) -> None:
    faults.add(Fault("error", Source(_name(path), line, column), message))


def _name(path: Path) -> str:
    return "<stdin>" if path == STDIN else str(path)
