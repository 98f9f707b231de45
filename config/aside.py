"""Loading in a helper process that ends, so that parsing never holds the loop that serves traffic.

The helper writes frames to its standard output (`config.frames`).  The parent decodes object by object, and lets
the loop run in between; it imports neither the YAML parser nor the vocabulary, and the helper no event loop.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from config.configset import KINDS, ConfigSet, ConfigSetBuilder, Loaded
from config.errors import Fault
from config.frames import CRASH, END, FAULT, HEADER, KEPT, NAMES
from config.meta import ObjectKey, Source

DEADLINE_SECONDS = 60.0
MAX_FRAME_BYTES = 64 * 1024 * 1024
SLICE_SECONDS = 0.001
"""How long decoding may hold the loop before others run."""
NICENESS = 10
"""Of a helper that reads beside the traffic."""

_OBJECTS: tuple[Any, ...] = tuple(tuple.__class_getitem__((ObjectKey, Source, kind)) for kind in KINDS.values())

# The helper must find this package whatever its own folder and environment are, and import nothing from them.
_BOOTSTRAP = (
    "import os, sys; os.nice(int(sys.argv.pop(1))); sys.path.insert(0, sys.argv.pop(1)); "
    "from importlib import import_module; "
    "import_module(sys.argv.pop(1)).main(sys.argv[1:])"
)


class _Gone(Exception):
    """The helper ended, or said something that no helper says."""


async def load_aside(
    paths: Sequence[Path],
    previous: ConfigSet | None = None,
    deadline: float = DEADLINE_SECONDS,
    *,
    reader: str = "config.frames",
    arguments: Sequence[str] = (),
) -> Loaded:
    """What `config.loader.load` says of `paths`; `deadline` in seconds.

    `reader`: a module whose ``main`` does more than to load, and answers with `frames.answer`; `arguments` are given
    to it before the paths.  Objects that equal theirs in `previous` are those.  When the helper fails, the answer is
    not `read`, and has no objects and one error.
    """
    program = (sys.executable, "-I", "-c", _BOOTSTRAP, str(NICENESS if previous else 0), str(Path(__file__).parents[1]))
    process, ours = _start((*program, reader, *arguments, *map(str, paths)))
    try:
        async with asyncio.timeout(deadline), _reading(ours) as stream:
            return await _receive(stream, previous or ConfigSet())
    except _Gone as gone:
        problem = str(gone)
    except TimeoutError:
        problem = f"took longer than {deadline:g} s"
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
    where = Source(str(paths[0]) if paths else "", 1, 1)
    fault = Fault("error", where, f"manifests could not be read: the reader {problem}")
    return Loaded(ConfigSet(), (fault,), read=False)


def _start(program: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the helper; raises OSError.  The loop's own way would hold the loop until the program is under way."""
    with ExitStack() as stack:
        ours, theirs = map(stack.enter_context, socket.socketpair())
        process = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which ends the helper
        )
        return process, ours.dup()


@asynccontextmanager
async def _reading(ours: socket.socket) -> AsyncIterator[asyncio.StreamReader]:
    stream, writer = await asyncio.open_connection(sock=ours, limit=64 * 1024)
    try:
        yield stream
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _receive(stream: asyncio.StreamReader, previous: ConfigSet) -> Loaded:
    builder = ConfigSetBuilder(previous)
    faults: list[Fault] = []
    kept: list[ObjectKey] = []
    resumed = perf_counter()
    while True:
        what, body = await _frame(stream)
        if what == END:
            break
        if what == FAULT:
            faults.append(_decoded(body, Fault))
        elif what == KEPT:
            kept.append(_decoded(body, ObjectKey))
        elif what == CRASH:
            raise _Gone(f"failed: {_decoded(body, str)}")
        elif what < len(NAMES):
            builder.add(*_decoded(body, _OBJECTS[what]))
        else:
            raise _Gone("sent something that is no object")
        if perf_counter() - resumed > SLICE_SECONDS:
            await asyncio.sleep(0)
            resumed = perf_counter()
    return Loaded(builder.finish(), tuple(faults), tuple(kept))


async def _frame(stream: asyncio.StreamReader) -> tuple[int, bytes]:
    try:
        what, length = HEADER.unpack(await stream.readexactly(HEADER.size))
        if length > MAX_FRAME_BYTES:
            raise _Gone("sent something that is too large")
        return what, await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        raise _Gone("ended before it was done") from None


def _decoded(body: bytes, wanted: Any) -> Any:
    try:
        return _decoder(wanted).decode(body)
    except msgspec.DecodeError as error:
        raise _Gone(f"sent something that is no object ({error})") from None


@cache
def _decoder(wanted: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(wanted)
