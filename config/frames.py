"""Frames: how a helper process that read manifests hands their objects to its parent (`config.aside`).

One byte for what it is, four for its length, and msgpack; faults first, then the objects one by one, then the
end.  Here is what both sides know, and the helper's side.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from config.configset import KINDS, Loaded

HEADER: Final = struct.Struct("!BI")
NAMES: Final = tuple(KINDS)
"""Of the kinds of objects: what is less than their number is an object of that kind."""
END, FAULT, CRASH, KEPT = 255, 254, 253, 252


def main(arguments: Sequence[str]) -> None:
    """The helper: load the paths given, write frames to standard output, end."""

    def load() -> Loaded:
        from config.loader import load

        return load([Path(argument) for argument in arguments])

    answer(load)


def answer(load: Callable[[], Loaded | bytes]) -> None:
    """Write what `load` returns, or that it failed, as frames to standard output; bytes are frames already."""
    out = sys.stdout.buffer
    try:
        loaded = load()
        if isinstance(loaded, bytes):
            out.write(loaded)
        else:
            _send_all(out, loaded)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must learn of it
        _send(out, CRASH, f"{type(error).__name__}: {error}")
    out.flush()


def frames(loaded: Loaded) -> bytes:
    """What `answer` would write."""
    out = BytesIO()
    _send_all(out, loaded)
    return out.getvalue()


def _send_all(out: BinaryIO, loaded: Loaded) -> None:
    for fault in loaded.faults:
        _send(out, FAULT, fault)
    for kept in loaded.kept:
        _send(out, KEPT, kept)
    for key, source in loaded.config_set.sources.items():
        _send(out, NAMES.index(key.kind), (key, source, loaded.config_set.get(key)))
    _send(out, END, None)


def _send(out: BinaryIO, what: int, value: Any) -> None:
    body = msgspec.msgpack.encode(value)
    out.write(HEADER.pack(what, len(body)))
    out.write(body)


if __name__ == "__main__":
    main(sys.argv[1:])
