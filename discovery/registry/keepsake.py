"""A copy of a zone in a file: what a secondary starts with while no primary answers.

The names in slices, each behind its length, then a checksum over all: a file that was cut off, or is of another
zone, is as good as none.  It is written beside the old one, a slice at a time, and then takes its place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from discovery.registry.content import Content, Node

MAGIC: Final = b"weft zone 2\n"
SLICE: Final = 500
"""Names that are written at a time."""
_HEAD: Final = Struct("!12sIH")
"""The magic, the serial and the length of the zone's name, which follows."""
_LENGTH: Final = Struct("!I")
_DIGEST_BYTES: Final = 16

_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.Decoder(list[tuple[bytes, Node]]).decode


async def keep(content: Content, path: Path) -> int:
    """Write what `content` has now; the serial that it had.  Raises OSError."""
    serial, nodes = content.serial, content.nodes.copy()
    beside = path.with_name(f"{path.name}.new")
    digest = blake2b(digest_size=_DIGEST_BYTES)
    with beside.open("wb") as file:
        for piece in _pieces(content.origin, serial, nodes):
            digest.update(piece)
            file.write(piece)
            await asyncio.sleep(0)
        file.write(digest.digest())
    os.replace(beside, path)
    return serial


def kept(origin: bytes, path: Path) -> tuple[int, dict[bytes, Node]] | None:
    """The serial and the names that were kept; None: there is no copy of this zone, or none that is whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    magic, serial, length = _HEAD.unpack_from(body)
    start = _HEAD.size + length
    if magic != MAGIC or body[_HEAD.size : start] != origin:
        return None
    return serial, dict(_read(body, start))


def _pieces(origin: bytes, serial: int, nodes: Mapping[bytes, Node]) -> Iterator[bytes]:
    yield _HEAD.pack(MAGIC, serial, len(origin)) + origin
    rest = iter(nodes.items())
    while some := list(islice(rest, SLICE)):
        piece = _encode(some)
        yield _LENGTH.pack(len(piece)) + piece


def _read(body: bytes, at: int) -> Iterator[tuple[bytes, Node]]:
    while at < len(body):
        start = at + _LENGTH.size
        at = start + _LENGTH.unpack_from(body, at)[0]
        yield from _decode(body[start:at])
