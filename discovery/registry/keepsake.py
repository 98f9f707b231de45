"""A copy of a zone in a file: what a secondary starts with while no primary answers.

The records in wire form, each behind its lengths, then a checksum over all: a file that was cut off, or is of another
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

from discovery.registry.content import Content, Node, records
from discovery.registry.wire import IN, Record

MAGIC: Final = b"weft zone 1\n"
SLICE: Final = 500
"""Names that are written at a time."""
_HEAD: Final = Struct("!12sIH")
"""The magic, the serial and the length of the zone's name, which follows."""
_RECORD: Final = Struct("!HHIH")
"""The length of the name, type, TTL and the length of the data; name and data follow."""
_DIGEST_BYTES: Final = 16


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


def kept(origin: bytes, path: Path) -> tuple[int, list[Record]] | None:
    """The serial and the records that were kept; None: there is no copy of this zone, or none that is whole."""
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
    return serial, list(_read(body, start))


def _pieces(origin: bytes, serial: int, nodes: Mapping[bytes, Node]) -> Iterator[bytes]:
    yield _HEAD.pack(MAGIC, serial, len(origin)) + origin
    rest = iter(nodes.items())
    while some := tuple(islice(rest, SLICE)):
        yield b"".join(_written(record) for name, node in some for record in records(name, node))


def _written(record: Record) -> bytes:
    name, kind, _, ttl, data = record
    return _RECORD.pack(len(name), kind, ttl, len(data)) + name + data


def _read(body: bytes, at: int) -> Iterator[Record]:
    while at < len(body):
        name_length, kind, ttl, data_length = _RECORD.unpack_from(body, at)
        at += _RECORD.size
        middle, end = at + name_length, at + name_length + data_length
        yield Record(body[at:middle], kind, IN, ttl, body[middle:end])
        at = end
