"""DNS messages as they are on the wire (RFC 1035 section 4, RFC 6891): what is read.

A query is read strictly: whoever sends bytes that are no query gets FORMERR at most, and nothing else happens.
Names are kept in two forms: `Labels`, in lower case, for looking up, and wire bytes without compression, in
the case in which they came, for copying.  Nothing here does I/O; what is written is in `registry/render`.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

Labels = tuple[bytes, ...]
"""A name in lower case, without the root: ``(b"shop", b"default", b"svc", b"cluster", b"local")``."""

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
OPT: Final = 41
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255
IN: Final = 1
NONE: Final = 254
"""A class of RFC 2136; `ANY` is one too."""
NOTIFY_OPCODE, UPDATE_OPCODE = 4, 5

TYPE_NAMES: Final = {
    A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", 13: "HINFO", PTR: "PTR", 15: "MX", TXT: "TXT", AAAA: "AAAA",
    SRV: "SRV", 35: "NAPTR", 43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 251: "IXFR", 252: "AXFR", ANY: "ANY",
    257: "CAA",
}  # fmt: skip

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
YXDOMAIN: Final = 6
YXRRSET: Final = 7
NXRRSET: Final = 8
NOTAUTH: Final = 9
NOTZONE: Final = 10
BADVERS: Final = 16

RCODE_NAMES: Final = {
    NOERROR: "NOERROR", FORMERR: "FORMERR", SERVFAIL: "SERVFAIL", NXDOMAIN: "NXDOMAIN", NOTIMP: "NOTIMP",
    REFUSED: "REFUSED", YXDOMAIN: "YXDOMAIN", YXRRSET: "YXRRSET", NXRRSET: "NXRRSET", NOTAUTH: "NOTAUTH",
    NOTZONE: "NOTZONE", BADVERS: "BADVERS",
}  # fmt: skip

LONGEST_NAME, MOST_POINTERS, HEADER = 255, 64, 12
QR, AA, TC, RD, RA, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010

# Types whose data holds names that may be compressed (RFC 3597 section 4): bytes before them, and how many.
NAMES_IN_DATA: Final = {
    NS: (0, 1), 3: (0, 1), 4: (0, 1), CNAME: (0, 1), SOA: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), PTR: (0, 1),
    14: (0, 2), 15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 26: (2, 2), SRV: (6, 1), 36: (2, 1), 39: (0, 1),
}  # fmt: skip
_NEVER_ASKED: Final = frozenset({0, OPT, 249, TSIG})
"""Types that nobody can ask for."""
_FIXED: Final = struct.Struct("!HHIH")
NO_QUESTION: Final = (b"", 0, 0)
"""Where a message has none."""


class Malformed(Exception):
    """These bytes are no DNS message."""


class QueryError(Exception):
    """A query that gets an error for an answer, which is all of `reply`."""

    def __init__(self, rcode: int, reply: bytes) -> None:
        super().__init__(RCODE_NAMES[rcode])
        self.rcode = rcode
        self.reply = reply


class Edns(NamedTuple):
    """What the OPT record of a query says (RFC 6891)."""

    size: int
    """Bytes of UDP payload that the client takes."""
    version: int
    dnssec_ok: bool
    plain: bool
    """Whether it has no options."""


class Query(NamedTuple):
    """A question."""

    id: bytes
    flags: int
    labels: Labels
    type: int
    klass: int
    question: bytes
    """Name, type and class as they came."""
    edns: Edns | None = None

    @property
    def recursion_desired(self) -> bool:
        return bool(self.flags & RD)


class Record(NamedTuple):
    """A resource record; `name` and names within `data` are wire bytes without compression."""

    name: bytes
    type: int
    klass: int
    ttl: int
    data: bytes


class Message(NamedTuple):
    """A whole message, taken apart."""

    id: bytes
    flags: int
    question: tuple[bytes, int, int]
    """Name as wire bytes, type, class."""
    answers: tuple[Record, ...]
    authority: tuple[Record, ...]
    additional: tuple[Record, ...]

    @property
    def rcode(self) -> int:
        return self.flags & 0xF

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 0xF


def to_wire(labels: Labels) -> bytes:
    """The name as wire bytes.  Raises ValueError for one that is too long for DNS or has an empty label."""
    try:
        name = b"".join([_LENGTHS[len(label)] + label for label in labels]) + b"\0"
    except IndexError:
        raise ValueError(f"{labels!r} has a label that is longer than 63 bytes") from None
    if b"" in labels or len(name) > LONGEST_NAME:
        raise ValueError(f"{labels!r} is longer than 255 bytes, or has an empty label")
    return name


_LENGTHS: Final = [bytes((length,)) for length in range(64)]


def to_labels(name: bytes) -> Labels:
    """The labels, in lower case, of a name in wire bytes without compression."""
    labels, at = list[bytes](), 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length].lower())
        at += length + 1
    return tuple(labels)


def from_text(name: str) -> Labels:
    """The labels of a name as manifests write it, with or without the final dot."""
    return tuple(name.lower().rstrip(".").encode("ascii").split(b".")) if name.strip(".") else ()


def parse_query(message: bytes) -> Query:
    """Read a query.  Raises `QueryError` for one that gets an error, `Malformed` for what gets no answer at all."""
    if len(message) < HEADER or message[2] & 0x80:
        raise Malformed("shorter than a header, or no query")
    flags = int.from_bytes(message[2:4], "big")
    if flags & 0x7800:
        raise _error(message, NOTIMP)
    if message[4:10] != b"\0\1\0\0\0\0":
        raise _error(message, FORMERR)
    try:
        labels, at = _question_name(message)
        question = message[HEADER : at + 4]
        edns = _additional(message, at + 4, int.from_bytes(message[10:12], "big"))
    except (Malformed, IndexError):
        raise _error(message, FORMERR) from None
    kind, klass = int.from_bytes(question[-4:-2], "big"), int.from_bytes(question[-2:], "big")
    if kind in _NEVER_ASKED:
        raise _error(message, FORMERR)
    return Query(message[:2], flags, labels, kind, klass, question, edns)


def _error(message: bytes, rcode: int) -> QueryError:
    """A header alone, for a question that may be no question."""
    flags = QR | (int.from_bytes(message[2:4], "big") & (0x7800 | RD)) | rcode
    return QueryError(rcode, message[:2] + flags.to_bytes(2, "big") + bytes(8))


def _question_name(message: bytes) -> tuple[Labels, int]:
    """The name at the beginning, where nothing is that a pointer could point to, and where it ends."""
    labels, at = list[bytes](), HEADER
    while length := message[at]:
        end = at + 1 + length
        if length > 63 or end + 5 > len(message) or end - HEADER >= LONGEST_NAME:
            raise Malformed("a label is too long")
        labels.append(message[at + 1 : end].lower())
        at = end
    if at + 5 > len(message):
        raise Malformed("the question ends early")
    return tuple(labels), at + 1


def _additional(message: bytes, at: int, count: int) -> Edns | None:
    """What the OPT record says, if there is one; everything after the question must be well formed."""
    edns: Edns | None = None
    for remaining in range(count, 0, -1):
        start = at
        at = past_name(message, at)
        kind, size, ttl, length = _fixed(message, at)
        end = at + 10 + length
        if end > len(message):
            raise Malformed("a record ends early")
        if kind == TSIG and remaining == 1:
            raise _error(message, NOTAUTH)
        if kind == OPT:
            if edns is not None or message[start] != 0:
                raise Malformed("an OPT record too many, or with a name")
            _check_options(message[at + 10 : end])
            edns = Edns(size, ttl >> 16 & 0xFF, bool(ttl & 0x8000), length == 0)
        at = end
    if at != len(message):
        raise Malformed("there is more after the last record")
    return edns


def _check_options(data: bytes) -> None:
    at = 0
    while at < len(data):
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
    if at != len(data):
        raise Malformed("an EDNS option ends early")


def _fixed(message: bytes, at: int) -> tuple[int, int, int, int]:
    """Type, class, TTL and length of data of a record, after its name."""
    try:
        return _FIXED.unpack_from(message, at)
    except struct.error:
        raise Malformed("a record ends early") from None


def past_name(message: bytes, at: int) -> int:
    """Where a name ends whose pointer, if it has one, nobody follows: thousands of records may have long ones."""
    while 0 < (length := message[at]) < 64:
        at += length + 1
    if 0 < length < 0xC0:
        raise Malformed("a label of an unknown kind")
    return at + 2 if length else at + 1


def read_name(message: bytes, at: int, asked: bytes = b"") -> tuple[bytes, int]:
    """The name at `at` without compression, and where what follows begins.  Raises `Malformed`.

    A pointer must point to before where the name began, as every honest one does, so this ends, and soon.
    `asked` is the name in the question, if that is known: most pointers lead there.
    """
    lowest, start, end, hops, parts, size = at, at, 0, 0, b"", 1
    try:
        while True:
            while 0 < (length := message[at]) < 64:
                at += length + 1
            size += at - start
            if size > LONGEST_NAME:
                raise Malformed("a name is too long")
            parts += message[start:at]
            if not length:
                return parts + b"\0", end or at + 1
            end = end or at + 2
            start = (length << 8 | message[at + 1]) & 0x3FFF
            if start == HEADER and asked and length == 0xC0 and size + len(asked) <= LONGEST_NAME:
                return parts + asked, end
            hops += 1
            if length < 0xC0 or start >= lowest or hops > MOST_POINTERS:
                raise Malformed("a pointer leads nowhere")
            lowest = at = start
    except IndexError:
        raise Malformed("a name ends early") from None


def parse_message(message: bytes) -> Message:
    """Take a whole message with one question apart.  Raises `Malformed`."""
    if len(message) < HEADER or message[4:6] != b"\0\1":
        raise Malformed("no header, or not one question")
    return _apart(message, *_question(message))


def parse_part(message: bytes) -> Message:
    """The same for a message of a transfer, of which all but the first may lack the question (RFC 5936 section 2.2)."""
    return _apart(message, NO_QUESTION, HEADER) if message[4:6] == b"\0\0" else parse_message(message)


def parse_end(message: bytes, at: int) -> Message:
    """The same for a message of which only the additional section, which begins at `at`, is wanted."""
    question, _ = _question(message)
    additional, _ = _records(message, at, message[10] << 8 | message[11], question[0])
    return Message(message[:2], int.from_bytes(message[2:4], "big"), question, (), (), additional)


def _question(message: bytes) -> tuple[tuple[bytes, int, int], int]:
    name, at = read_name(message, HEADER)
    return (name, int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 2 : at + 4], "big")), at + 4


def _apart(message: bytes, question: tuple[bytes, int, int], at: int) -> Message:
    sections: list[tuple[Record, ...]] = []
    for place in (6, 8, 10):
        records, at = _records(message, at, message[place] << 8 | message[place + 1], question[0])
        sections.append(records)
    if at != len(message):
        raise Malformed("there is more after the last record")
    return Message(message[:2], int.from_bytes(message[2:4], "big"), question, *sections)


def _records(message: bytes, at: int, count: int, asked: bytes) -> tuple[tuple[Record, ...], int]:
    """So many records; `asked` is the name in the question, to which most names point."""
    records: list[Record] = []
    for _ in range(count):
        name, at = read_name(message, at, asked)
        kind, klass, ttl, length = _fixed(message, at)
        start, at = at + 10, at + 10 + length
        if at > len(message):
            raise Malformed("a record ends early")
        ttl = ttl if ttl < 1 << 31 or kind == OPT else 0  # RFC 2181 section 8
        has_names = length and kind in NAMES_IN_DATA
        data = _data(message, kind, start, at, asked) if has_names else message[start:at]
        records.append(Record(name, kind, klass, ttl, data))
    return tuple(records), at


def _data(message: bytes, kind: int, start: int, end: int, asked: bytes) -> bytes:
    """The data of a record with the names in it written out."""
    before, names = NAMES_IN_DATA[kind]
    data, at = message[start : start + before], start + before
    for _ in range(names):
        name, at = read_name(message, at, asked)
        data += name
    if at > end:
        raise Malformed("a name in a record ends early")
    return data + message[at:end]
