"""Whom the nodes' zone says to tell: ``NAME.nodes.Z`` has a node's address, and an SRV record with its DNS port.

Who follows parts of the written zone only has a PTR record for each, and is told of changes there alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address

from discovery.registry.content import Content, Node, parent
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import AAAA, IN, PTR, SRV, A, Record, to_labels

TTL = 5
MOST_NAMES = 1000
"""That are looked at; of more, everybody is told."""
SHARED = 4096
"""Nodes whose records are kept as they were read."""


def node_records(name: bytes, where: Resolver, parts: Iterable[bytes] = ()) -> tuple[Record, ...]:
    """The records that have a node told at `where`; `name` is its own in the nodes' zone, as wire bytes.

    `parts`: the names at and beneath which it follows the written zone; none: all of it.
    """
    packed = ip_address(where.address).packed
    data = bytes(4) + where.port.to_bytes(2, "big") + name
    return (
        Record(name, A if len(packed) == 4 else AAAA, IN, TTL, packed),
        Record(name, SRV, IN, TTL, data),
        *(Record(name, PTR, IN, TTL, part) for part in parts),
    )


def node_names(content: Content) -> Iterator[str]:
    """The names of the nodes that are registered."""
    depth = len(to_labels(content.origin))
    for name in tuple(content.nodes):
        labels = to_labels(name)
        if len(labels) > depth:
            yield b".".join(labels[: len(labels) - depth]).decode("ascii", "backslashreplace")


def notified(content: Content, names: Collection[bytes] = ()) -> Iterator[Resolver]:
    """Where each node that is registered is told that these `names` of the written zone changed; none: that all did."""
    above = frozenset(_above(names)) if 0 < len(names) <= MOST_NAMES else None
    for node in content.nodes.values():
        where, parts = _target(node)
        if where is not None and (above is None or not parts or not above.isdisjoint(parts)):
            yield where


@lru_cache(SHARED)
def _target(node: Node) -> tuple[Resolver | None, tuple[bytes, ...]]:
    """Where a node is told, if it says so, and the parts that it follows."""
    addresses = [data for rrset in node if rrset.type in {A, AAAA} for data in rrset.datas if len(data) in {4, 16}]
    ports = [data[4:6] for rrset in node if rrset.type == SRV for data in rrset.datas]
    where = Resolver(str(ip_address(addresses[0])), int.from_bytes(ports[0], "big")) if addresses and ports else None
    return where, followed(node)


def followed(node: Node) -> tuple[bytes, ...]:
    """The parts of the written zone that a node follows; none: it follows all."""
    return tuple(data.lower() for rrset in node if rrset.type == PTR for data in rrset.datas)


def _above(names: Iterable[bytes]) -> Iterator[bytes]:
    """The names, and all above them."""
    for each in names:
        name = each
        while name != b"\0":
            yield name
            name = parent(name)
