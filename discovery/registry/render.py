"""DNS messages as they are on the wire: what is written (RFC 1035 section 4, RFC 6891, RFC 8914).

An answer is made once and sent often.  `Finished` is a message without its id, cut into a head, the records of
the answer, and the rest, so that each time another record can be the first one: owner names in the answer are
written in full or as pointers into the question, which makes records independent of their place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from discovery.registry.wire import (
    AA,
    BADVERS,
    CD,
    CNAME,
    HEADER,
    LONGEST_NAME,
    NS,
    OPT,
    PTR,
    QR,
    RA,
    RD,
    SOA,
    TC,
    Query,
    Record,
)

LARGEST_UDP: Final = 1232
"""Bytes that get through everywhere without fragments (DNS flag day 2020); fewer if the client says so."""
SMALLEST_UDP: Final = 512
LARGEST_TCP: Final = 65535
_EDE: Final = 15
_COMPRESSED_DATA: Final = {NS: 1, CNAME: 1, PTR: 1, SOA: 2}
"""How many names data begins with that may be compressed; those of SRV may not (RFC 2782)."""


class Reason(NamedTuple):
    """Why an answer is empty or an error: an Extended DNS Error (RFC 8914)."""

    code: int
    text: str = ""
    lasts: bool = True
    """Whether it is so until names differ; else it may be another one at any time."""


class Answer(NamedTuple):
    """What is to be said."""

    rcode: int = 0
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = True
    reason: Reason | None = None
    depends: tuple[bytes, ...] = ()
    """Names, as wire bytes, that it says nothing of but was decided by."""


class Serial:
    """Of a zone, as it is by now, in wire bytes: shared by all messages that say it."""

    __slots__ = ("bytes",)

    def __init__(self, serial: bytes) -> None:
        self.bytes = serial


class Finished:
    """A message that lacks nothing but its id."""

    __slots__ = ("_body", "_cuts", "_head", "_length", "_serial", "_tail", "_turn", "tally")

    def __init__(self, head: bytes, body: bytes, tail: bytes, cuts: tuple[int, ...] = (0,), turn: int = 0) -> None:
        """`cuts`: where in `body` each of the records begins that take turns in being first."""
        if len(cuts) < 2:
            head, body, tail, cuts = head + body + tail, b"", b"", (0,)
        self._head = head
        self._body = body + body
        self._length = len(body)
        self._tail = tail
        self._cuts = cuts
        self._turn = turn % len(cuts)
        self._serial: Serial | None = None
        self.tally = [0]
        """How often this question was asked: shared by all that count as one."""

    def __len__(self) -> int:
        """Bytes of memory, about."""
        return len(self._head) + len(self._body) + len(self._tail)

    def next(self) -> bytes:
        """The message without its id, with the next of its records first."""
        if self._serial is not None:
            return self._head + self._serial.bytes + self._tail
        if not self._length:
            return self._head
        turn = self._turn
        cut = self._cuts[turn]
        self._turn = turn + 1 if turn + 1 < len(self._cuts) else 0
        return self._head + self._body[cut : cut + self._length] + self._tail

    def follow(self, numbers: bytes, serial: Serial) -> bool:
        """Say `serial` where the `numbers` are that end the data of a SOA record; False: they are not there."""
        at = -1 if self._length else self._head.find(numbers)
        if at >= 0:
            self._head, self._tail, self._serial = self._head[:at], self._head[at + len(serial.bytes) :], serial
        return at >= 0


class _Section:
    """Records being written at a known place of a message."""

    def __init__(self, at: int, known: dict[bytes, int]) -> None:
        self.bytes = bytearray()
        self.cuts: list[int] = []
        self._at = at
        self._known = known

    def add(self, records: Iterable[Record], remember: bool) -> None:
        """`remember`: later names may point to those of these records."""
        for record in records:
            self.cuts.append(len(self.bytes))
            self._name(record.name, remember)
            self.bytes += (record.type << 48 | record.klass << 32 | record.ttl).to_bytes(8, "big")
            place = len(self.bytes)
            self.bytes += b"\0\0"
            at = 0
            for _ in range(_COMPRESSED_DATA.get(record.type, 0)):
                at = self._name(record.data, remember, at)
            self.bytes += record.data[at:]
            self.bytes[place : place + 2] = (len(self.bytes) - place - 2).to_bytes(2, "big")

    def _name(self, name: bytes, remember: bool, at: int = 0) -> int:
        """Write the name that begins at `at`; returns where it ends."""
        end = _end(name, at)
        while length := name[at]:
            suffix = name[at:end].lower()
            pointer = self._known.get(suffix)
            if pointer is not None:
                self.bytes += (0xC000 | pointer).to_bytes(2, "big")
                return end
            here = self._at + len(self.bytes)
            if remember and here < 0x4000:
                self._known[suffix] = here
            self.bytes += name[at : at + 1 + length]
            at += length + 1
        self.bytes.append(0)
        return end


def _end(name: bytes, at: int) -> int:
    """Where a name without compression ends."""
    while length := name[at]:
        at += length + 1
    return at + 1


def render(query: Query, answer: Answer, limit: int, recursion: bool = False, turn: int = 0) -> Finished:
    """The message for `answer`, of at most `limit` bytes.

    What does not fit loses its additional records first; then it is truncated, with no records at all, since a
    client must not use a part (RFC 2181 section 9).  `recursion`: whether other names are looked up elsewhere.
    """
    known = _suffixes(query.question)
    rotates = len(answer.records) > 1 and len({record.name for record in answer.records}) == 1
    body = _Section(HEADER + len(query.question), known)
    body.add(answer.records, remember=not rotates)
    tail = _Section(HEADER + len(query.question) + len(body.bytes), known)
    tail.add(answer.authority, remember=True)
    without = len(tail.bytes)
    tail.add(answer.additional, remember=True)
    opt = _opt(query, answer)
    room = limit - HEADER - len(query.question) - len(opt)
    counts = (len(answer.records), len(answer.authority), len(answer.additional))
    if len(body.bytes) + len(tail.bytes) > room:
        del tail.bytes[without:]
        counts = (*counts[:2], 0)
    flags = _flags(query, answer, recursion)
    if len(body.bytes) + len(tail.bytes) > room:
        return Finished(_head(query, flags | TC, (0, 0, bool(opt))), b"", opt)
    cuts = tuple(body.cuts) if rotates else (0,)
    head = _head(query, flags, (*counts[:2], counts[2] + bool(opt)))
    return Finished(head, bytes(body.bytes), bytes(tail.bytes) + opt, cuts, turn)


def udp_limit(query: Query) -> int:
    """Bytes that an answer by UDP may have."""
    return SMALLEST_UDP if query.edns is None else min(max(query.edns.size, SMALLEST_UDP), LARGEST_UDP)


def _suffixes(question: bytes) -> dict[bytes, int]:
    """Where the name of the question, and each part of it that is a name too, can be pointed to."""
    known = {}
    name = question[:-4].lower()
    at = 0
    while length := name[at]:
        known[name[at:]] = HEADER + at
        at += length + 1
    return known


def _flags(query: Query, answer: Answer, recursion: bool) -> int:
    flags = QR | (query.flags & (RD | CD)) | (answer.rcode & 0xF)
    return flags | (AA if answer.authoritative else 0) | (RA if recursion else 0)


def _head(query: Query, flags: int, counts: tuple[int, int, int]) -> bytes:
    return b"".join(
        (flags.to_bytes(2, "big"), b"\0\1", *(count.to_bytes(2, "big") for count in counts), query.question)
    )


def _opt(query: Query, answer: Answer) -> bytes:
    """The OPT record, only for who sent one."""
    if query.edns is None:
        return b""
    data = b""
    if answer.reason is not None and answer.rcode != BADVERS:
        text = answer.reason.text.encode()[:LONGEST_NAME]
        data = (_EDE << 32 | len(text) + 2 << 16 | answer.reason.code).to_bytes(6, "big") + text
    extended = answer.rcode >> 4 << 24 | query.edns.dnssec_ok << 15
    return b"\0" + (OPT << 64 | LARGEST_UDP << 48 | extended << 16 | len(data)).to_bytes(10, "big") + data
