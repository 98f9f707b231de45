"""Zone transfers, the giving side: AXFR (RFC 5936) and IXFR (RFC 1995) as messages.

A record is rendered once: the zone's name, which is also the question's, becomes a pointer to the question, so its
bytes mean the same at any place of any message.  `History` keeps the latest changes in that form, for all nodes ask
for the same few at the same moment.  Nothing here does I/O; signing, message by message, is the caller's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Final, NamedTuple, Protocol

from discovery.registry.content import Change, Content, Node
from discovery.registry.messages import TO_QUESTION, rendered
from discovery.registry.store import Past
from discovery.registry.wire import AA, HEADER, IN, NS, QR, SOA, Record

REFRESH_SECONDS: Final = 1
RETRY_SECONDS: Final = 1
EXPIRE_SECONDS: Final = 7 * 24 * 3600
MINIMUM_SECONDS: Final = 1
APEX_TTL: Final = 1

LARGEST: Final = 16 * 1024
"""Bytes of one message of a transfer by TCP: a pointer reaches no further, and more would hold the loop."""
MOST_BYTES: Final = 4 << 20
"""Of changes that are kept rendered."""


class Apex(NamedTuple):
    """What stands at the name of the zone itself; all names as wire bytes."""

    origin: bytes
    server: bytes
    mailbox: bytes

    def soa(self, serial: int) -> Record:
        """The SOA record with this serial."""
        times = (serial, REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, MINIMUM_SECONDS)
        data = self.server + self.mailbox + b"".join(number.to_bytes(4, "big") for number in times)
        return Record(self.origin, SOA, IN, APEX_TTL, data)

    def ns(self) -> Record:
        """The NS record."""
        return Record(self.origin, NS, IN, EXPIRE_SECONDS, self.server)


class Step(NamedTuple):
    """One change, rendered, with the SOA records around its two halves (RFC 1995 section 4)."""

    before: int
    serial: int
    chunks: tuple[bytes, ...]
    size: int


def step_of(past: Past, apex: Apex) -> Step:
    """Render what happened."""
    change = past.change
    parts = chain([apex.soa(past.before)], change.removed, [apex.soa(past.serial)], change.added)
    chunks = tuple(rendered(record, apex.origin) for record in parts)
    return Step(past.before, past.serial, chunks, sum(map(len, chunks)))


class Served(Protocol):
    """A zone that is sent to others: by its primary, or as a copy of it."""

    @property
    def apex(self) -> Apex: ...
    @property
    def content(self) -> Content: ...
    @property
    def history(self) -> History: ...

    async def since(self, serial: int) -> Sequence[Step] | None:
        """What happened after `serial`; None: that is not known any more."""

    def overtaken(self, serial: int) -> None:
        """Somebody who may be believed has this later serial."""


class History:
    """The latest changes of a zone, rendered, up to a bound."""

    def __init__(self, apex: Apex, most: int = MOST_BYTES) -> None:
        """`most`: bytes of changes that are kept."""
        self._apex = apex
        self._most = most
        self._steps: deque[Step] = deque()
        self._size = 0

    def add(self, past: Past) -> None:
        """This happened after all others; a gap before it forgets them."""
        if self._steps and self._steps[-1].serial != past.before:
            self.clear()
        step = step_of(past, self._apex)
        self._steps.append(step)
        self._size += step.size
        while self._size > self._most:
            self._size -= self._steps.popleft().size

    def extend(self, before: int, changes: Iterable[tuple[int, Change]]) -> None:
        """These happened one after the other, from the serial `before` on, each to its own serial."""
        for serial, change in changes:
            self.add(Past(before, serial, change))
            before = serial

    def clear(self) -> None:
        """Nothing is known of what happened."""
        self._steps.clear()
        self._size = 0

    def since(self, serial: int) -> Sequence[Step] | None:
        """What happened after `serial`, the oldest first; None: that is not known here."""
        found: list[Step] = []
        for step in reversed(self._steps):
            found.append(step)
            if step.before == serial:
                return found[::-1]
        return None


def incremental(apex: Apex, serial: int, steps: Sequence[Step]) -> Iterator[bytes]:
    """The records of an IXFR answer that leads to `serial`; without steps: that there is nothing newer."""
    soa = rendered(apex.soa(serial), apex.origin)
    yield soa
    for step in steps:
        yield from step.chunks
    if steps:
        yield soa


def whole(apex: Apex, serial: int, nodes: Mapping[bytes, Node]) -> Iterator[bytes]:
    """The records of an AXFR answer; `nodes` must not change meanwhile."""
    soa = rendered(apex.soa(serial), apex.origin)
    yield soa
    yield rendered(apex.ns(), apex.origin)
    yield from chain.from_iterable(map(_of_name, nodes.items(), repeat(apex.origin)))
    yield soa


def _of_name(item: tuple[bytes, Node], zone: bytes) -> list[bytes]:
    """The records of one name: what they have in common is put together once."""
    name, node = item
    start = name[: -len(zone)] + TO_QUESTION
    chunks: list[bytes] = []
    for kind, ttl, datas in node:
        head = start + (kind << 48 | IN << 32 | ttl).to_bytes(8, "big")
        chunks += [head + len(data).to_bytes(2, "big") + data for data in datas]
    return chunks


def messages(
    query_id: bytes, question: bytes, chunks: Iterable[bytes], limit: int = LARGEST, opt: bytes = b""
) -> Iterator[bytes]:
    """`chunks` in messages of at most `limit` bytes, each with the question, as the pointers in them need.

    `opt`: the OPT record that each of them ends with; empty: none (RFC 6891 section 6.1.1).
    """
    head = len(question) + HEADER + len(opt)
    held: list[bytes] = []
    size = head
    for chunk in chunks:
        if size + len(chunk) > limit and held:
            yield _message(query_id, question, held, opt)
            held, size = [], head
        held.append(chunk)
        size += len(chunk)
    yield _message(query_id, question, held, opt)


def _message(query_id: bytes, question: bytes, chunks: Sequence[bytes], opt: bytes) -> bytes:
    counts = (1 << 48 | len(chunks) << 32 | bool(opt)).to_bytes(8, "big")
    return b"".join((query_id, (QR | AA).to_bytes(2, "big"), counts, question, *chunks, opt))
