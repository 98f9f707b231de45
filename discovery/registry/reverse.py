"""Reverse names: addresses as names under in-addr.arpa and ip6.arpa (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from config.addresses import Network
from discovery.registry.wire import Labels


class _Kind(NamedTuple):
    bits: int
    """Of the address, that one label stands for."""
    full: int
    """How many labels make a whole address."""


_KINDS: dict[Labels, _Kind] = {(b"in-addr", b"arpa"): _Kind(8, 4), (b"ip6", b"arpa"): _Kind(4, 32)}


class Reverse(NamedTuple):
    """A reverse name, read."""

    labels: Labels
    parts: Labels
    """The address, its most significant part first."""
    kind: _Kind

    @property
    def is_whole(self) -> bool:
        return len(self.parts) >= self.kind.full

    @property
    def number(self) -> int | None:
        """The address, or its beginning; None if it is neither."""
        return self._beginning(len(self.parts))

    @property
    def address(self) -> bytes | None:
        """The whole address that this is the name of."""
        number = self.number
        if number is None or not self.is_whole:
            return None
        return number.to_bytes(self.kind.bits * self.kind.full // 8, "big")

    def zone(self, networks: Iterable[Network]) -> Labels | None:
        """The zone of the network that this lies in: a name for each part that the network cuts between labels."""
        bits, full = self.kind
        for network in networks:
            depth = -(-network.prefixlen // bits)
            beginning = self._beginning(depth) if 0 < depth <= len(self.parts) else None
            if beginning is None or network.max_prefixlen != bits * full:
                continue
            if int(network[0]) <= beginning << bits * (full - depth) <= int(network[-1]):
                return self.labels[-2 - depth :]
        return None

    def _beginning(self, depth: int) -> int | None:
        bits, full = self.kind
        number = 0
        for part in self.parts[:depth]:
            value = _value(part, bits)
            if value is None:
                return None
            number = number << bits | value
        return number if depth <= full else None


def read(labels: Labels) -> Reverse | None:
    """`labels` as a reverse name; None if they are under none of the two domains."""
    kind = _KINDS.get(labels[-2:])
    return Reverse(labels, labels[-3::-1] if len(labels) > 2 else (), kind) if kind else None


def packed(pointer: str) -> bytes:
    """The address whose name `ipaddress.reverse_pointer` made; quicker than reading what anyone may have written."""
    if pointer.endswith(".in-addr.arpa"):
        return bytes(map(int, pointer.split(".", 4)[3::-1]))
    return bytes.fromhex(pointer[62::-2])


def _value(part: bytes, bits: int) -> int | None:
    """What a label stands for: a decimal number without leading zeros, or one hexadecimal digit."""
    if bits == 4:
        return int(part, 16) if len(part) == 1 and part in b"0123456789abcdef" else None
    if not (part.isdigit() and len(part) <= 3) or (len(part) > 1 and part[:1] == b"0"):
        return None
    return int(part) if int(part) < 256 else None
