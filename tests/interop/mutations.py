"""DNS messages that are nearly right: queries, updates, notices and transfers, changed at random."""

from __future__ import annotations

import time
from random import Random

import dns.edns
import dns.message

from discovery.registry import messages, tsig
from discovery.registry.terms import Terms
from discovery.registry.transfer import Apex
from discovery.registry.wire import HEADER
from tests.interop.changing import change, named, wire
from tests.interop.nameservers import KEY, ORIGIN

APEX = Apex(ORIGIN, wire("ns.dns.cluster.local."), wire("hostmaster.cluster.local."))
TYPES = ("A", "AAAA", "SRV", "TXT", "SOA", "NS", "ANY", "PTR", "TYPE65280")
RIGHT = 200
"""Right messages that others are made of at a time."""
RENEWED_AFTER = 20
"""Messages, in the middle, one of these is another one."""
LONG, EXTREMES = bytes(range(256)) * 4, (b"\0\0", b"\0\1", b"\xff\xff", b"\xc0\x0c", b"\xc0\x0d", b"\x3f\x3f")


def _query(chance: Random) -> bytes:
    query = dns.message.make_query(named(chance), chance.choice(TYPES))
    if chance.random() < 0.5:
        query.use_edns(
            0, payload=chance.choice((0, 512, 1232, 65535)), options=[dns.edns.CookieOption(b"12345678", b"")]
        )
    return query.to_wire()


def _update(chance: Random) -> bytes:
    needs = [messages.exists(wire(named(chance)))] if chance.random() < 0.2 else []
    terms = Terms(chance.choice((1, 30, 1 << 31))) if chance.random() < 0.3 else None
    return messages.update(0, ORIGIN, change(chance), needs, terms)


def _about_the_zone(chance: Random) -> bytes:
    soa = APEX.soa(chance.randrange(1 << 32))
    made = messages.notify(0, soa), messages.axfr_query(0, ORIGIN), messages.ixfr_query(0, soa)
    return chance.choice((*made, messages.soa_query(0, ORIGIN)))


def _mutated(chance: Random, message: bytes, other: bytes) -> bytes:
    at, end = sorted(chance.randrange(2, len(message) + 1) for _ in range(2))
    before, within, after = message[:at], message[at:end], message[end:]
    made = (
        before + bytes([chance.randrange(256)]) + message[at + 1 :],
        before + chance.choice(EXTREMES) + message[at + 2 :],
        before + after,
        before,
        before + within + within + after,
        before + chance.randbytes(chance.randrange(1, 9)) + message[at:],
        before + LONG[: chance.randrange(len(LONG))] + message[at:],
        before + other[chance.randrange(len(other)) :],
        message[:4] + bytes(chance.choice((0, 1, 2, 255)) for _ in range(HEADER - 4)) + message[HEADER:],
    )
    return max(chance.choice(made), message[:2], key=len)


class Mutations:
    """Makes them of right ones, of which a great many come of each: to make those is what takes time."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._right = [self._made() for _ in range(RIGHT)]

    def next(self, message_id: int) -> bytes:
        """A message with that id; it may be signed, before or after it was changed."""
        chance = self._chance
        if not chance.randrange(RENEWED_AFTER):
            self._right[chance.randrange(RIGHT)] = self._made()
        message, other = chance.choice(self._right), chance.choice(self._right)
        message = message_id.to_bytes(2, "big") + message[2:]
        signs = chance.random()
        if signs < 0.2:
            message = tsig.sign(message, KEY, time.time() + chance.choice((0, 0, 1000)))[0]
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            message = _mutated(chance, message, other)
        if signs > 0.6 and len(message) >= HEADER and message[10:12] != b"\xff\xff":
            message = tsig.sign(message, KEY, time.time())[0]
        return message[:65535]

    def _made(self) -> bytes:
        return self._chance.choice((_query, _update, _update, _about_the_zone))(self._chance)
