"""Messages about a whole zone: UPDATE, NOTIFY, and the questions of a secondary (RFC 2136, 1996, 1995, 5936).

The zone's name stands at the beginning, as the question; within records it is a pointer to that, so equal records
are equal bytes in every message about the zone, and a refresh is known by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from discovery.registry.terms import Terms
from discovery.registry.wire import (
    AA,
    ANY,
    AXFR,
    HEADER,
    IN,
    IXFR,
    NOERROR,
    NONE,
    NOTIFY_OPCODE,
    OPT,
    QR,
    SOA,
    UPDATE_OPCODE,
    Message,
    Record,
)

LARGEST_UDP: Final = 1232
TO_QUESTION: Final = (0xC000 | HEADER).to_bytes(2, "big")


def rendered(record: Record, zone: bytes) -> bytes:
    """`record` as it is in every message whose question is for `zone`."""
    name, kind, klass, ttl, data = record
    short = name[: -len(zone)] + TO_QUESTION if name.endswith(zone) else name
    return short + (kind << 64 | klass << 48 | ttl << 16 | len(data)).to_bytes(10, "big") + data


def compose(
    message_id: int,
    flags: int,
    question: tuple[bytes, int, int],
    *,
    answers: Iterable[Record] = (),
    authority: Iterable[Record] = (),
    additional: Iterable[Record] = (),
) -> bytes:
    """A message with one question: the name as wire bytes, type and class."""
    zone, kind, klass = question
    sections = [[rendered(record, zone) for record in records] for records in (answers, authority, additional)]
    counts = b"".join(len(section).to_bytes(2, "big") for section in sections)
    head = (message_id << 32 | flags << 16 | 1).to_bytes(6, "big") + counts
    asked = zone + (kind << 16 | klass).to_bytes(4, "big")
    return b"".join((head, asked, *sections[0], *sections[1], *sections[2]))


def opt(data: bytes = b"") -> Record:
    """An OPT record with these options (RFC 6891)."""
    return Record(b"\0", OPT, LARGEST_UDP, 0, data)


def removed(record: Record) -> Record:
    """A change: this record is to go.  A record as it is means that it is to be added, or to stay."""
    return record._replace(klass=NONE, ttl=0)


def removed_set(name: bytes, kind: int = ANY) -> Record:
    """A change: all records of that type are to go; ANY: all of the name."""
    return Record(name, kind, ANY, 0, b"")


def exists(name: bytes, kind: int = ANY) -> Record:
    """A prerequisite: the name has records of that type; ANY: of any type."""
    return Record(name, kind, ANY, 0, b"")


def absent(name: bytes, kind: int = ANY) -> Record:
    """A prerequisite: the name has no records of that type; ANY: none at all."""
    return Record(name, kind, NONE, 0, b"")


def equals(records: Iterable[Record]) -> list[Record]:
    """Prerequisites: the RRsets of these records are these records, whatever their TTL."""
    return [record._replace(klass=IN, ttl=0) for record in records]


def update(
    message_id: int,
    zone: bytes,
    changes: Iterable[Record],
    prerequisites: Iterable[Record] = (),
    terms: Terms | None = None,
) -> bytes:
    """An UPDATE of `zone`; `terms`: for how long what it adds is to live, else until it is removed.

    Raises OverflowError if there are more than 65535 records.
    """
    additional = () if terms is None else (opt(terms.option()),)
    return compose(
        message_id,
        UPDATE_OPCODE << 11,
        (zone, SOA, IN),
        answers=prerequisites,
        authority=changes,
        additional=additional,
    )


def notify(message_id: int, soa: Record) -> bytes:
    """A NOTIFY that carries the new SOA record of a zone (RFC 1996 section 3.7)."""
    return compose(message_id, NOTIFY_OPCODE << 11 | AA, (soa.name, SOA, IN), answers=(soa,))


def soa_query(message_id: int, zone: bytes) -> bytes:
    """A question for the SOA record, and with it the serial."""
    return compose(message_id, 0, (zone, SOA, IN), additional=(opt(),))


def axfr_query(message_id: int, zone: bytes, options: bytes = b"") -> bytes:
    """A question for the whole zone; `options`: those of EDNS."""
    return compose(message_id, 0, (zone, AXFR, IN), additional=(opt(options),) if options else ())


def ixfr_query(message_id: int, soa: Record, options: bytes = b"") -> bytes:
    """A question for what changed since the zone had this SOA record (RFC 1995 section 3)."""
    return compose(message_id, 0, (soa.name, IXFR, IN), authority=(soa,), additional=(opt(options),))


def reply(message: Message, rcode: int = NOERROR, terms: Terms | None = None) -> bytes:
    """What the sender of an UPDATE or a NOTIFY hears; `terms`: for how long what it added lives."""
    flags = QR | message.opcode << 11 | rcode | (AA if message.opcode == NOTIFY_OPCODE else 0)
    is_extended = any(record.type == OPT for record in message.additional)
    additional = (opt(b"" if terms is None else terms.option()),) if is_extended or terms is not None else ()
    return compose(int.from_bytes(message.id, "big"), flags, message.question, additional=additional)
