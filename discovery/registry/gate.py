"""Who is answered at all, and how often: networks that may ask, and a limit for each prefix of addresses.

UDP lets anybody ask in the name of others, who then get the answers; so the answers that one prefix gets by UDP in a
second are limited, and of those above the limit every other one is truncated and the rest are silence: who really asked
comes again by TCP, which proves where it is.  Response rate limiting as BIND and Knot have it, but of a prefix as a
whole, since there are no zones here whose answers are much larger than their questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Final

from config.addresses import Network
from discovery.registry.wire import HEADER, QR, RD, REFUSED, TC

PREFIX: Final = {4: 24, 6: 56}
"""Bits of an address that are taken for one client."""
MOST_CLIENTS: Final = 8192
"""Addresses that are remembered; then all are forgotten, and counted anew."""
SLIP: Final = 2
"""Of how many answers above the limit one is truncated instead of left out."""


class Verdict(Enum):
    """What becomes of a question by UDP."""

    ANSWER = "answer"
    TRUNCATE = "truncate"
    DROP = "drop"
    REFUSE = "refuse"


class Bucket:
    """What the clients of one prefix got in the current second."""

    __slots__ = ("count", "is_allowed", "second")

    def __init__(self, is_allowed: bool) -> None:
        self.is_allowed = is_allowed
        self.second = 0
        self.count = 0


class Gate:
    """Decides by address and time alone."""

    def __init__(self, allowed: Iterable[Network], rate: int) -> None:
        """`rate`: answers that a prefix gets by UDP in a second; 0: as many as it asks for."""
        self._allowed = tuple(allowed)
        self._rate = rate
        self._clients: dict[str, Bucket | None] = {}
        """By address; None: it is answered whatever happens."""
        self._prefixes: dict[tuple[Network, bool], Bucket] = {}

    def verdict(self, address: str, now: float) -> Verdict:
        """What a question by UDP from `address` gets; `now`: seconds of any steady clock."""
        try:
            bucket = self._clients[address]
        except KeyError:
            bucket = self._first(address)
        if bucket is None:
            return Verdict.ANSWER
        if bucket.second != int(now):
            bucket.second, bucket.count = int(now), 0
        bucket.count += 1
        over = bucket.count - self._rate
        if self._rate and over > 0:
            return Verdict.DROP if over % SLIP or not bucket.is_allowed else Verdict.TRUNCATE
        return Verdict.ANSWER if bucket.is_allowed else Verdict.REFUSE

    def admits(self, address: str) -> bool:
        """Whether a connection by TCP from `address` is taken."""
        bucket = self._clients[address] if address in self._clients else self._first(address)
        return bucket is None or bucket.is_allowed

    def _first(self, address: str) -> Bucket | None:
        if len(self._clients) >= MOST_CLIENTS:
            self._clients.clear()
            self._prefixes.clear()
        where = ip_address(address.partition("%")[0])
        mapped = getattr(where, "ipv4_mapped", None)
        where = where if mapped is None else mapped
        bucket: Bucket | None = None
        if not where.is_loopback:
            is_allowed = any(where in network for network in self._allowed)
            prefix = ip_network((where, PREFIX[where.version]), strict=False)
            bucket = self._prefixes.setdefault((prefix, is_allowed), Bucket(is_allowed))
        self._clients[address] = bucket
        return bucket


def gate_at(address: str, allowed: Iterable[Network], rate: int) -> Gate | None:
    """The gate of a server that listens at `address`; None where only this machine can ask."""
    return None if ip_address(address).is_loopback else Gate(allowed, rate)


def instead(message: bytes, verdict: Verdict) -> bytes | None:
    """What is sent in place of an answer to `message`: no more than was asked; None: nothing."""
    if verdict not in {Verdict.TRUNCATE, Verdict.REFUSE} or len(message) < HEADER or message[2] & 0x80:
        return None
    flags = QR | (int.from_bytes(message[2:4], "big") & (0x7800 | RD))
    if verdict is Verdict.REFUSE:
        return message[:2] + (flags | REFUSED).to_bytes(2, "big") + bytes(8)
    question = _question(message)
    if not question:
        return None
    return message[:2] + (flags | TC).to_bytes(2, "big") + b"\0\1" + bytes(6) + question


def _question(message: bytes) -> bytes:
    """The one question of a query; empty: there is none."""
    at = HEADER
    while at < len(message) and 0 < message[at] < 64:
        at += message[at] + 1
    is_whole = message[4:6] == b"\0\1" and at + 5 <= len(message) and not message[at]
    return message[HEADER : at + 5] if is_whole else b""
