"""Where the parts of a DNS message lie, without what they say: enough for signatures and for what is at the end.

A signature covers bytes, not records (RFC 8945 section 4.3), and a refresh that was seen before is known by its
bytes, so both are found by walking over the records.  That costs a third of taking a message apart.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from discovery.registry.wire import HEADER, OPT, TSIG, Malformed, Message, past_name, read_name


class Outline(NamedTuple):
    """Offsets into a message."""

    answers: int
    """Where the question ends; in an UPDATE the prerequisites begin here, and the changes at `authority`."""
    authority: int
    additional: int
    signature: int
    """Where the TSIG record begins; 0: the message is not signed."""


def outline(message: bytes) -> Outline:
    """Walk over a whole message.  Raises `Malformed`, also if a TSIG record is not the last (RFC 8945 section 5.1)."""
    if len(message) < HEADER:
        raise Malformed("shorter than a header")
    at = HEADER
    signature = 0
    starts = []
    try:
        for _ in range(message[4] << 8 | message[5]):
            at = past_name(message, at) + 4
        for place in (6, 8, 10):
            starts.append(at)
            for remaining in range(message[place] << 8 | message[place + 1], 0, -1):
                start = at
                while 0 < (length := message[at]) < 64:  # `past_name`, without a call for most records
                    at += length + 1
                at = past_name(message, at) + 10 if length else at + 11
                if message[at - 9] == TSIG and message[at - 10] == 0:
                    if place != 10 or remaining != 1:
                        raise Malformed("a TSIG record is not the last one")
                    signature = start
                at += message[at - 2] << 8 | message[at - 1]
    except IndexError:
        raise Malformed("a record ends early") from None
    if at != len(message):
        raise Malformed("the last record ends early, or there is more after it")
    return Outline(starts[0], starts[1], starts[2], signature)


def repeated(message: bytes, parts: Outline) -> tuple[bytes, bytes]:
    """How many questions an answer has, in two bytes, and that question as it came: none if it cannot be read.

    A pointer has nothing to point to but the header, which is another one in the answer.
    """
    try:
        name, end = read_name(message, HEADER)
    except Malformed:
        return b"\0\0", b""
    is_one = message[4:6] == b"\0\1" and len(name) == end - HEADER == parts.answers - HEADER - 4
    return (b"\0\1", message[HEADER : parts.answers]) if is_one else (b"\0\0", b"")


def fingerprint(message: bytes, parts: Outline, owner: bytes = b"") -> bytes:
    """16 bytes that stand for all that an UPDATE asks for; `owner`: for whom it speaks."""
    asked = blake2b(owner, digest_size=16)
    asked.update(message[2:10])
    asked.update(message[HEADER : parts.additional])
    return asked.digest()


def options(message: Message) -> dict[int, bytes]:
    """The EDNS options by their codes (RFC 6891 section 6.1.2).  Raises `Malformed`."""
    opts = [record for record in message.additional if record.type == OPT]
    if len(opts) > 1 or any(record.name != b"\0" for record in opts):
        raise Malformed("an OPT record too many, or with a name")
    found: dict[int, bytes] = {}
    for record in opts:
        data, at = record.data, 0
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
            if at + 4 > len(data) or end > len(data):
                raise Malformed("an EDNS option ends early")
            found[int.from_bytes(data[at : at + 2], "big")] = data[at + 4 : end]
            at = end
    return found
