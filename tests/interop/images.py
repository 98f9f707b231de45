"""Images for containers of tests, put together from what this machine has: its busybox, and this Python.

Nothing is pulled or built: a root file system as a tar is what ``docker import`` takes.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    "sh", "sleep", "cat", "kill", "ls", "test", "touch", "rm", "wget", "nc", "ip", "httpd", "true", "false",
    "mkdir", "chown",
)  # fmt: skip
_LEFT_OUT = {
    "test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "_tkinter", "turtledemo", "ensurepip",
    "lib2to3", "pydoc_data",
}  # fmt: skip
"""Of the library: what a base without a screen, or without tests, does not have either."""
_LIST = """
import __future__, asyncio, concurrent.futures.thread, encodings.idna, encodings.latin_1, encodings.utf_8_sig
import hashlib, http.server, json, os, random, runpy, sys, urllib.parse
print(json.dumps([sys.executable, os.__file__,
    *(m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None))]))
"""


def busybox(target: Path, files: Mapping[str, str] | None = None) -> Path:
    """A root file system of a static busybox, and of `files` (path to text)."""
    with tarfile.open(target, "w") as tar:
        _add_busybox(tar)
        _add_texts(tar, files or {})
    return target


def python(target: Path, files: Mapping[str, str]) -> Path:
    """The same with this Python, at `interpreter`, and as much of its library as scenarios' programs import."""
    with tarfile.open(target, "w") as tar:
        _add_busybox(tar)
        _add_texts(tar, files)
        for path in sorted(set(_python_files())):
            tar.add(path.resolve(), str(path), recursive=False)
    return target


def base(target: Path) -> Path:
    """A base to install Python packages on, like Debian's with Python: a shell, a few commands, the whole library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    with tarfile.open(target, "w") as tar:
        _add_busybox(tar)
        for path in sorted({*_python_files(), *_libraries_of(library / "lib-dynload")}):
            if not path.is_relative_to(library):
                tar.add(path.resolve(), str(path), recursive=False)
        tar.add(library, str(library), filter=_of_the_library)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, interpreter()
        tar.addfile(link)
    return target


def interpreter() -> str:
    """Where the image of `python` has it."""
    return str(Path(sys.executable).resolve())


def _python_files() -> Iterator[Path]:
    listed = subprocess.run([interpreter(), "-S", "-c", _LIST], check=True, capture_output=True, text=True).stdout
    paths = [Path(name) for name in json.loads(listed)]
    sources = [path for path in paths if path.suffix == ".py"]
    yield from paths
    yield from _libraries(*(path for path in paths if path.suffix != ".py"))
    for path in sources:
        yield from (path.parent / "__pycache__").glob(f"{path.stem}.{sys.implementation.cache_tag}.pyc")


def _libraries_of(folder: Path) -> Iterator[Path]:
    """Those that a folder of modules needs, and what glibc keeps for programs that were made for older ones."""
    yield from _libraries(*(path for path in folder.glob("*.so") if path.name.partition(".")[0] not in _LEFT_OUT))
    for place in (path.parent for path in _libraries(Path(interpreter())) if path.name == "libc.so.6"):
        yield from (place / name for name in ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"))


def _of_the_library(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = set(Path(entry.name).parts)
    parts.add(entry.name.rpartition("/")[2].partition(".")[0])
    return None if parts & _LEFT_OUT or entry.name.endswith((".a", ".opt-1.pyc", ".opt-2.pyc")) else entry


def _libraries(*programs: Path) -> Iterator[Path]:
    for line in subprocess.run(
        ["ldd", *map(str, programs)], check=True, capture_output=True, text=True
    ).stdout.splitlines():
        found = [Path(word) for word in line.split() if word.startswith("/") and not word.endswith(":")]
        yield from found[:1]


def _add_busybox(tar: tarfile.TarFile) -> None:
    tar.add(BUSYBOX, "bin/busybox", recursive=False)
    for applet in APPLETS:
        link = tarfile.TarInfo(f"bin/{applet}")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    temporary = tarfile.TarInfo("tmp")
    temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
    tar.addfile(temporary)


def _add_texts(tar: tarfile.TarFile, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        data = text.encode()
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
