"""Parts of a written zone: the names at and beneath some, for who uses a few Services and does not want all.

A question for a zone or for a difference says in an EDNS option which parts are wanted (RFC 6891 section 6.1.2; the
code is one for local use), as names without the zone's own.  The answer is that of a zone with the same serials and
nothing but these names; a change that is none of theirs is there, and empty.  Who does not know the option sends all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from discovery.registry.content import Content, Node
from discovery.registry.messages import TO_QUESTION, rendered
from discovery.registry.outline import options
from discovery.registry.transfer import Apex, Step
from discovery.registry.wire import SOA, Malformed, Message

OPTION: Final = 65_310
MOST_BYTES: Final = 32_768
"""Of all names in one question."""

Parts = frozenset[bytes]
"""Names in wire form and lower case, without that of the zone and the root."""

_SOA: Final = TO_QUESTION + SOA.to_bytes(2, "big")


def option(parts: Parts) -> bytes:
    """The EDNS option that asks for `parts`.  Raises ValueError if they are too many."""
    names = b"".join(each + b"\0" for each in sorted(parts))
    if len(names) > MOST_BYTES:
        raise ValueError("these are too many parts of a zone for one question")
    return OPTION.to_bytes(2, "big") + len(names).to_bytes(2, "big") + names


def read_parts(message: Message) -> Parts | None:
    """The parts that are wanted; None: all is.  Raises `Malformed`."""
    data = options(message).get(OPTION)
    if data is None:
        return None
    if len(data) > MOST_BYTES:
        raise Malformed("it asks for too many parts of the zone")
    return frozenset(_names(data.lower()))


def _names(data: bytes) -> Iterator[bytes]:
    start = at = 0
    while at < len(data):
        length = data[at]
        if length > 63:
            raise Malformed("the name of a part is none")
        if length == 0:
            yield data[start:at]
            start = at + 1
        at += length + 1
    if at != start:
        raise Malformed("the name of a part ends early")


def covers(parts: Parts, name: bytes) -> bool:
    """Whether `name`, without that of the zone and the root, is of one of the parts."""
    while name:
        if name in parts:
            return True
        name = name[name[0] + 1 :]
    return False


def nodes_of(content: Content, parts: Parts) -> dict[bytes, Node]:
    """What the parts have."""
    return {name: node for part in parts for name, node in content.part(part + content.origin)}


def narrowed(apex: Apex, before: int, serial: int, steps: Iterable[Step], parts: Parts) -> Sequence[Step]:
    """Of what led from `before` to `serial`, what happened to the parts, in steps that lead there as well."""
    found: list[Step] = []
    for step in steps:
        chunks = [chunk for chunk in step.chunks[1:] if chunk.startswith(_SOA) or covers(parts, _owner(chunk))]
        if len(chunks) > 1:
            found.append(_step(apex, before, step.serial, chunks))
            before = step.serial
    if before != serial:
        found.append(_step(apex, before, serial, [rendered(apex.soa(serial), apex.origin)]))
    return found


def _step(apex: Apex, before: int, serial: int, chunks: Iterable[bytes]) -> Step:
    made = (rendered(apex.soa(before), apex.origin), *chunks)
    return Step(before, serial, made, sum(map(len, made)))


def _owner(chunk: bytes) -> bytes:
    """The name of a rendered record, without that of the zone."""
    at = 0
    while 0 < chunk[at] < 64:
        at += chunk[at] + 1
    return chunk[:at]
